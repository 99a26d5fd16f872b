// SPDX-License-Identifier: MIT
//
// AS_LOCKADDR: the region that an address-space command works on, a naturally aligned power of two
// of at least 32 KiB (64 bytes of table, eight pages). Bits 5:0 hold log2(size) - 1, bits 63:12 the
// base. Source: [K].
//
//   4 KiB at 0x5000          -> 0x400e, which covers 0 .. 0x7fff: bit 14 of the base is below the
//                               size, and ignored
//   3 MiB at 0x10'0000       -> 0x15, which covers 0 .. 0x3f'ffff
//   the whole 64-bit space   -> 0x3f
//
// Pure functions: no state, no allocation.
#pragma once

#include <bit>
#include <cstdint>

#include "base/types.h"
#include "gpu_emu/datasheet/field.h"

namespace pantry::datasheet::lock_region {

using SizeLog2Minus1 = Field<5, 0>;
using SkipLevels = Field<9, 6>;  // architecture 12 and later; 0 on v10
inline constexpr std::uint64_t kBaseMask = ~std::uint64_t{0xfff};

inline constexpr std::uint32_t kMinSizeLog2 = 15;

// The word for the smallest region that holds `range`. As Linux writes it: base bits at and above
// log2(size) - 1 are kept, so the lowest of them may lie inside the region.
constexpr std::uint64_t encode(GpuRange range) {
  const auto differing_bits =
      static_cast<std::uint32_t>(std::bit_width(range.first.value ^ range.last.value));
  const std::uint32_t field = (differing_bits < kMinSizeLog2 ? kMinSizeLog2 : differing_bits) - 1;
  return (range.first.value >> field << field) | field;
}

// The region that a device locks for a word: the base is aligned down to the size, and a size below
// the minimum counts as the minimum.
constexpr GpuRange decode(std::uint64_t word) {
  const std::uint32_t field = SizeLog2Minus1::get(word);
  const std::uint32_t size_log2 = field + 1 < kMinSizeLog2 ? kMinSizeLog2 : field + 1;
  const std::uint64_t inside = ~std::uint64_t{0} >> (64 - size_log2);  // 0x7fff for 32 KiB
  const std::uint64_t first = word & kBaseMask & ~inside;
  return {GpuVa{first}, GpuVa{first | inside}};
}

}  // namespace pantry::datasheet::lock_region
