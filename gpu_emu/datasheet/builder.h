// SPDX-License-Identifier: MIT
//
// Writes a command stream, instruction by instruction, into words that the caller lends:
//
//   std::array<std::uint64_t, 24> words;
//   CsBuilder stream(words);
//   stream.add(isa::Move32{.dst = isa::r(94), .imm = latest_flush});
//   stream.pad_to_multiple_of(8);              // NOPs up to 64 bytes
//
// Invariant: size() <= capacity; running out of room is a bug, since every caller knows the length
// of what it writes. One owner, no lock, no allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "gpu_emu/datasheet/cs_layout.h"

namespace pantry::datasheet {

class CsBuilder {
 public:
  explicit CsBuilder(std::span<std::uint64_t> words) : words_(words) {}

  template <isa::InstructionType I>
  void add(const I& instruction) {
    add_word(isa::encode(instruction));
  }
  // For what no instruction struct expresses: an undefined opcode in a test, say.
  void add_word(std::uint64_t word) {
    PANTRY_CHECK(size_ < words_.size());
    words_[size_++] = word;
  }
  // Appends NOPs (zero words) until size() is a multiple of `count`. Pre: count != 0.
  void pad_to_multiple_of(std::size_t count) {
    PANTRY_CHECK(count != 0);
    while (size_ % count != 0) add_word(0);
  }

  // In instructions, which are 8 bytes each.
  std::size_t size() const { return size_; }
  std::size_t bytes() const { return size_ * isa::kInstructionBytes; }
  std::span<const std::uint64_t> words() const { return words_.first(size_); }

 private:
  std::span<std::uint64_t> words_;
  std::size_t size_ = 0;
};

}  // namespace pantry::datasheet
