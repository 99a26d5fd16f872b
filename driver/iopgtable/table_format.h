// SPDX-License-Identifier: MIT
//
// What a page-table format must say about itself so that RadixTable can write it: pure functions
// between (address, Prot) and the 64-bit entry. 4 KiB tables of 512 entries, 9 bits of address per
// level; heights count from the leaves.
#pragma once

#include <concepts>
#include <cstdint>

#include "base/types.h"
#include "driver/iopgtable/prot.h"

namespace pantry::driver {

inline constexpr std::uint32_t kMaxTableLevels = 5;

enum class EntryKind { kAbsent, kLeaf, kTable };

struct TableConfig {
  std::uint32_t va_bits = 48;
  std::uint32_t pa_bits = 40;
  std::uint64_t page_sizes = kPageSize | 2 * kMiB;  // one bit per leaf size; 4 KiB is always there
  constexpr bool operator==(const TableConfig&) const = default;
  // Tables from the root to the 4 KiB leaves: 4 for 48 bits, 3 for 39, 3 for 33.
  constexpr std::uint32_t levels() const {
    return (va_bits - static_cast<std::uint32_t>(kPageShift) + 8) / 9;
  }
};

template <class F>
concept TableFormat = requires(std::uint64_t entry, std::uint32_t height, PhysAddr pa, Prot prot,
                               TableConfig config) {
  // Whether the format has such an address space.
  { F::supports(config) } -> std::same_as<bool>;
  // The entry for a leaf of 4 KiB (height 0), 2 MiB (1) or 1 GiB (2).
  { F::leaf(pa, prot, height) } -> std::same_as<std::uint64_t>;
  // What is to be added to a leaf to get the one for the frame that follows.
  { F::leaf_step(height) } -> std::same_as<std::uint64_t>;
  // The entry at `height` (1 and up) for the table below it.
  { F::table(pa, height) } -> std::same_as<std::uint64_t>;
  { F::kind(entry, height) } -> std::same_as<EntryKind>;
  // Of the frame or the table.
  { F::address(entry, height) } -> std::same_as<PhysAddr>;
  // Of a leaf.
  { F::prot(entry) } -> std::same_as<Prot>;
};

}  // namespace pantry::driver
