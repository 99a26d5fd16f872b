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
  static constexpr std::size_t kCount = 128;
  // Neighbours do not meet, nor do a source and a target of a copy that lie alike in their regions
  // of 1 MiB: the bits above go in as well.
  static std::size_t index_of(CacheTag page) {
    const std::uint64_t number = page.word >> 8;
    return (number ^ number >> 8 ^ number >> 17 ^ page.word >> 1) % kCount;
  }

  std::array<ShortCut, kCount> short_cuts_{};
};

}  // namespace pantry::emu
