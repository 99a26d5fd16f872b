// SPDX-License-Identifier: MIT
//
// Short cuts to the TLB: for each of a few pages that were accessed lately, which entry of the TLB
// serves it and where it lies in host memory, so that an access to it searches nothing.
//
// Not a cache of the device: an access by a short cut is the hit in the TLB that a search would
// have found, and counts as one. What makes it so: the user compares the entry's tag with `leaf`,
// which an entry that was dropped or replaced has no more; and tells of every entry that comes,
// since that may have a tag of before with another content, or be found earlier by a search.
//
// Called with the device's lock held. No allocation.
#pragma once

#include <array>
#include <cstdint>

#include "gpu_emu/mmu/set_associative.h"

namespace pantry::emu {

class RecentPages {
 public:
  struct ShortCut {
    CacheTag page;            // of the 4 KiB; zero: empty
    CacheTag leaf;            // of the entry, which covers the page
    std::uint8_t* host;       // of the page
    std::uint64_t bytes;      // from there to the end of the leaf
    std::uint32_t entry;      // its place in the TLB
    std::uint8_t allows = 0;  // Permissions
  };

  // The one that would be this page's. `page` is of level 3.
  ShortCut& at(CacheTag page) { return short_cuts_[index_of(page)]; }

  // An entry with this tag comes into the TLB.
  void on_inserted(CacheTag leaf) {
    // A larger leaf is found after a page and before a still larger one.
    if (leaf.level() != 3) {
      short_cuts_ = {};
    } else if (ShortCut& old = at(leaf); old.page == leaf) {
      old = {};
    }
  }

 private:
  static constexpr unsigned kIndexBits = 7;
  static constexpr std::size_t kCount = std::size_t{1} << kIndexBits;
  // Fibonacci hashing: a page further is 0.618 of the way round (the factor times 16, since four
  // bits of address space lie below the page number), so that 64 neighbours do not meet, and
  // regions a power of two apart, a source and a target, do by chance alone.
  static std::size_t index_of(CacheTag page) {
    return (page.word >> 4) * 0x09e3'779b'97f4'a7c1 >> (64 - kIndexBits);
  }

  std::array<ShortCut, kCount> short_cuts_{};
};

}  // namespace pantry::emu
