// SPDX-License-Identifier: MIT
//
// A cache of sets times ways with least-recently-used replacement inside a set, and the tag that
// both users of it share: the TLB (leaves) and the walk cache (table descriptors). An entry at
// level L, leaf or table, covers the same piece of address space: 4 KiB at level 3, 2 MiB at 2, 1
// GiB at 1, 512 GiB at 0.
//
// On request it also remembers where each entry came from (origin.h), in an array of its own, so
// that look-ups cost the same with and without.
//
// Allocates in the constructor and in remember_origins(), and when a cache that grows does. Called
// with the device's lock held.
#pragma once

#include <bit>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/types.h"
#include "gpu_emu/mmu/gpu_memory.h"
#include "gpu_emu/mmu/origin.h"
#include "gpu_emu/quirks.h"

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

// What becomes of a full set: its least recently used entry makes room, or the cache grows until
// nothing has to. One that grows spreads its entries by a hash: however far apart the pages are
// that are in it, it has room for a few times as many and no more.
enum class WhenFull : std::uint8_t { kReplaces, kGrows };
constexpr WhenFull when_full(Quirks::Caching caching) {
  return caching == Quirks::Caching::kSticky ? WhenFull::kGrows : WhenFull::kReplaces;
}

// `Entry` has members `CacheTag tag` (a zero word means empty) and `std::uint64_t last_used`.
template <class Entry>
class SetAssociative {
 public:
  // `sets` is a power of two, `ways` at least 1.
  SetAssociative(std::uint32_t sets, std::uint32_t ways, WhenFull when_full = WhenFull::kReplaces)
      : entries_(std::size_t{sets} * ways), ways_(ways), when_full_(when_full) {
    PANTRY_CHECK(std::has_single_bit(sets) && ways != 0);
    set_mask_ = sets - 1;
  }

  // From now on origin_of() works, for entries inserted from now on.
  void remember_origins() { origins_.resize(entries_.size()); }
  // Of an entry that this cache holds.
  Origin& origin_of(const Entry& entry) {
    return origins_[static_cast<std::size_t>(&entry - entries_.data())];
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

  // How many entries it has room for.
  std::size_t places() const { return entries_.size(); }

  // For who remembers what find() gave, as long as the tag of the entry is still the same.
  std::uint32_t place_of(const Entry& entry) const {
    return static_cast<std::uint32_t>(&entry - entries_.data());
  }
  Entry& at_place(std::uint32_t place) { return entries_[place]; }
  // As if found.
  void touch(Entry& entry) { entry.last_used = ++clock_; }
  // For who does that by himself. Lives as long as the cache.
  std::uint64_t& clock() { return clock_; }

  // Replaces the entry with the same tag, else an empty one, else the least recently used of the
  // set, if the cache does not grow. Returns the place of the new one, good until the next insert.
  Entry& insert(const Entry& entry) {
    Entry* place = place_for(entry.tag);
    while (when_full_ == WhenFull::kGrows && place->tag.word != 0 && place->tag != entry.tag) {
      grow();
      place = place_for(entry.tag);
    }
    *place = entry;
    place->last_used = ++clock_;
    return *place;
  }

  // visit(Entry&) for each entry.
  template <class Visit>
  void for_each(Visit visit) {
    for (Entry& entry : entries_)
      if (entry.tag.word != 0) visit(entry);
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
  // A cache that grows takes the top bits of a product with 2^64 / golden ratio, so that sets which
  // double part what was in one.
  Entry* set_of(CacheTag tag) {
    const std::uint64_t set =
        when_full_ == WhenFull::kGrows
            ? tag.word * 0x9e37'79b9'7f4a'7c15u >> 1 >> (63 - std::popcount(set_mask_))
            : ((tag.word >> 8) + (tag.word >> 2 & 0x3f) * 5) & set_mask_;
    return &entries_[set * ways_];
  }

  Entry* place_for(CacheTag tag) {
    Entry* const set = set_of(tag);
    Entry* place = set;
    for (std::uint32_t way = 0; way < ways_; ++way) {
      if (set[way].tag == tag) return &set[way];
      if (set[way].last_used < place->last_used) place = &set[way];
    }
    return place;
  }

  // Of twice as many sets, or of sets of twice the size, each takes at most what was in one. A set
  // that is full while the cache is not half full is so by chance: more sets need not part it.
  void grow() {
    std::size_t used = 0;
    for_each([&](const Entry&) { ++used; });
    const std::vector<Entry> old = std::exchange(entries_, std::vector<Entry>(2 * entries_.size()));
    const std::vector<Origin> origins =
        std::exchange(origins_, std::vector<Origin>(2 * origins_.size()));
    if (2 * used < old.size())
      ways_ *= 2;
    else
      set_mask_ = 2 * set_mask_ + 1;
    for (std::size_t n = 0; n < old.size(); ++n) {
      if (old[n].tag.word == 0) continue;
      Entry* const place = place_for(old[n].tag);
      *place = old[n];
      if (!origins.empty()) origin_of(*place) = origins[n];
    }
  }

  std::vector<Entry> entries_;
  std::vector<Origin> origins_;  // of the entry with the same number; or empty
  std::uint64_t set_mask_ = 0;
  std::uint32_t ways_;
  WhenFull when_full_;
  std::uint64_t clock_ = 0;
};

}  // namespace pantry::emu
