// SPDX-License-Identifier: MIT
//
// A trace as bytes, version 1. Numbers are unsigned, seven bits to a byte, low ones first, the top
// bit set in all bytes but the last; at most ten bytes. "Signed" ones are folded first: 0, -1, 1,
// -2 become 0, 1, 2, 3.
//
//   file       the 8 bytes "pntrace" and 1 (the version), events, and an end
//   NewVm      1, client, user size
//   EndVm      2, vm
//   NewBuffer  3, client, size, flags, exclusive vm + 1 or 0, count of extents, extents
//     extent     first byte over the end of the one before in the trace (signed), size
//   EndBuffer  4, buffer
//   NewSyncobj 5, client
//   Bind       6, vm, flags, start (signed), taken (signed), error, count of ops, ops
//     op         flags, buffer + 1 or 0, offset and va, each over the end of the op before in the
//                trace (both signed, modulo 2^64), size, count of sync-ops, sync-ops
//     sync-op    syncobj * 4 + 2 if it names a point + 1 if it signals, the point if so
//   end        0, count of events
//
// What is numbered must have been told of before, must not have ended, and belong to the client of
// the VM that uses it; a new client is the number after the highest one so far.
#pragma once

#include <cstddef>
#include <expected>
#include <span>
#include <string>

#include "tools/trace/trace.h"

namespace pantry::trace {

// Turns events into bytes one by one, so that a recording needs no more memory than its file.
class Writer {
 public:
  Writer();
  void add(const Event& event);
  std::uint64_t events() const { return events_; }
  // Once, at the end.
  std::vector<std::byte> finish();

 private:
  void put(std::uint64_t number);
  void put_signed(std::int64_t number);
  void put(const Op& op);

  std::vector<std::byte> bytes_;
  std::uint64_t events_ = 0;
  std::uint64_t next_frame_ = 0, next_offset_ = 0, next_va_ = 0;
};

struct ParseError {
  std::size_t at = 0;  // how many bytes into the file
  std::string what;
};
// Any bytes. Takes at most some hundred times their number in memory.
std::expected<Trace, ParseError> parse(std::span<const std::byte> bytes);

// Some ten million binds. Of a larger file, nobody knows that memory holds what is in it.
inline constexpr std::uint64_t kLargestFile = std::uint64_t{128} << 20;

// What is in the regular file `path`; or why that cannot be had, in words.
std::expected<std::vector<std::byte>, std::string> read_file(const std::string& path);

}  // namespace pantry::trace
