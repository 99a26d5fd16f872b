// SPDX-License-Identifier: MIT
//
// A cache of sets times ways with least-recently-used replacement inside a set, and the tag that
// both users of it share: the TLB (leaves) and the walk cache (table descriptors). An entry at
// level L, leaf or table, covers the same piece of address space: 4 KiB at level 3, 2 MiB at 2, 1
// GiB at 1, 512 GiB at 0.
//
// Allocates in the constructor only. Called with the device's lock held.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "base/types.h"
#include "gpu_emu/mmu/gpu_memory.h"

namespace pantry::emu {

// Bits of the virtual address below the index of `level`: 12 at level 3, 21, 30, 39 at level 0.
constexpr unsigned level_shift(unsigned level) { return 12 + 9 * (3 - level); }

// Page number 63:8, address space 7:4, level 3:2, bit 0 set: never 0. AS 1, level 3, VA 0x5000 is
// 0x51d.
struct CacheTag {
  std::uint64_t word = 0;

  static constexpr CacheTag of(AsIndex as, unsigned level, GpuVa va) {
    return {va.value >> level_shift(level) << 8 | std::uint64_t{as.value} << 4 | level << 2 | 1};
  }
  constexpr bool operator==(const CacheTag&) const = default;
  constexpr AsIndex as() const { return {static_cast<std::uint8_t>(word >> 4 & 0xf)}; }
  constexpr unsigned level() const { return word >> 2 & 3; }
  constexpr GpuRange covers() const {
    return GpuRange::of_size({word >> 8 << level_shift(level())},
                             std::uint64_t{1} << level_shift(level()));
  }
};

// `Entry` has members `CacheTag tag` (a zero word means empty) and `std::uint64_t last_used`.
template <class Entry>
class SetAssociative {
 public:
  // `sets` is a power of two, `ways` at least 1.
  SetAssociative(std::uint32_t sets, std::uint32_t ways)
      : entries_(std::size_t{sets} * ways), ways_(ways) {
    PANTRY_CHECK(std::has_single_bit(sets) && ways != 0);
    set_mask_ = sets - 1;
  }

  // Counts as a use. Null when absent.
  Entry* find(CacheTag tag) {
    Entry* const set = set_of(tag);
    for (std::uint32_t way = 0; way < ways_; ++way) {
      if (set[way].tag == tag) {
        set[way].last_used = ++clock_;
        return &set[way];
      }
    }
    return nullptr;
  }

  // Replaces the entry with the same tag, else an empty one, else the least recently used of the
  // set.
  void insert(const Entry& entry) {
    Entry* const set = set_of(entry.tag);
    Entry* victim = set;
    for (std::uint32_t way = 0; way < ways_; ++way) {
      if (set[way].tag == entry.tag) {
        victim = &set[way];
        break;
      }
      if (set[way].last_used < victim->last_used) victim = &set[way];
    }
    *victim = entry;
    victim->last_used = ++clock_;
  }

  // Drops what lies in `range` of `as`, if only in part.
  void drop(AsIndex as, GpuRange range) {
    for (Entry& entry : entries_) {
      if (entry.tag.word != 0 && entry.tag.as() == as && entry.tag.covers().intersects(range))
        entry = Entry{};
    }
  }
  void drop_all() {
    for (Entry& entry : entries_) entry = Entry{};
  }

 private:
  // Neighbouring pages go to neighbouring sets; address spaces and levels start at different ones.
  Entry* set_of(CacheTag tag) {
    const std::uint64_t set = ((tag.word >> 8) + (tag.word >> 2 & 0x3f) * 5) & set_mask_;
    return &entries_[set * ways_];
  }

  std::vector<Entry> entries_;
  std::uint64_t set_mask_ = 0;
  std::uint32_t ways_;
  std::uint64_t clock_ = 0;
};

}  // namespace pantry::emu
