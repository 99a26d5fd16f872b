// SPDX-License-Identifier: MIT
//
// The limit of any page-table writer: how fast the processor stores the same bytes when there is
// nothing to decide. Uses the widest stores that the processor has.
#pragma once

#include <cstdint>

namespace pantry::bench {

// Stores first, first + step, ... into `count` slots; `slots` is 64-byte aligned and `count` a
// multiple of 8. Through the caches.
void store_cached(std::uint64_t* slots, std::uint64_t count, std::uint64_t first,
                  std::uint64_t step);
// Past the caches, to memory, complete on return (x86-64; elsewhere the same as store_cached).
void store_streaming(std::uint64_t* slots, std::uint64_t count, std::uint64_t first,
                     std::uint64_t step);

}  // namespace pantry::bench
