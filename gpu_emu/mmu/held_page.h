// SPDX-License-Identifier: MIT
//
// The page that a user of the MMU went to last, so that going there again needs neither a look-up
// nor a call. For one address space and one kind of access, which its owner does not change.
//
// Not a cache of the device: each use is the hit in the TLB that a search would have found, and
// counts as one, so that what is replaced next stays the same. GpuMemory's epoch makes it so: it is
// another one after each event that could give the same access another answer. Filled and read by
// GpuMemory alone. Empty when built.
//
// Used with the device's lock held and forgotten with the run. No allocation.
#pragma once

#include <cstdint>

namespace pantry::emu {

struct HeldPage {
  std::uint64_t first = 0;             // its address
  std::uint64_t epoch = 0;             // in which it was filled; 0: never
  std::uint8_t* host = nullptr;        // of `first`
  std::uint64_t bytes = 0;             // from there to the end of the leaf that it belongs to
  std::uint64_t* last_used = nullptr;  // of the TLB's entry
  std::uint64_t* clock = nullptr;      // that it is taken from
  std::uint64_t* hits = nullptr;
};

}  // namespace pantry::emu
