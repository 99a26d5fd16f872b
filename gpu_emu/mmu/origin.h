// SPDX-License-Identifier: MIT
//
// Where a cached translation or table descriptor came from: the table entries that the walk read,
// as they were. For the MMU checker, which compares them with what memory says later.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "base/types.h"

namespace pantry::emu {

// One table entry as a walk read it.
struct FetchedEntry {
  PhysAddr place;
  std::uint64_t word = 0;
};

class Origin {
 public:
  static constexpr std::size_t kMaxDepth = 4;

  // From the root down to the entry itself. Empty: not known.
  std::span<const FetchedEntry> path() const { return std::span(path_).first(depth_); }
  void add(FetchedEntry entry) {
    PANTRY_CHECK(depth_ < kMaxDepth);
    path_[depth_++] = entry;
  }

  // The rest belongs to whoever watches (mmu_watch.h); a new entry has zeros.
  std::uint64_t found_same_at = 0;  // its count of commands when memory last said the same
  std::uint64_t owner_stamp = 0;    // its count of changes of owners when the entry was cached
  std::uint64_t target_owner = 0;   // of the frame that the entry points to, then
  bool reported = false;

 private:
  std::array<FetchedEntry, kMaxDepth> path_{};
  std::uint8_t depth_ = 0;
};

}  // namespace pantry::emu
