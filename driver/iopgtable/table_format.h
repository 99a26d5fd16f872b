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

inline constexpr std::uint32_t kMaxTableLevels = 6;

enum class EntryKind { kAbsent, kLeaf, kTable };

// Whether the device notes in a leaf that it was written through, and leaves start clean.
enum class DirtyTracking { kNone, kHardware };
// Whether aligned runs of leaves say that they belong together, so that one TLB entry can hold
// them.
enum class ContiguousHint { kNever, kWherePossible };

struct TableConfig {
  std::uint32_t va_bits = 48;
  std::uint32_t pa_bits = 40;
  std::uint64_t page_sizes = kPageSize | 2 * kMiB;  // one bit per leaf size; 4 KiB is always there
  std::uint32_t min_levels = 1;  // for devices that start at a fixed level whatever va_bits is
  DirtyTracking dirty = DirtyTracking::kNone;
  ContiguousHint contiguous = ContiguousHint::kNever;
  constexpr bool operator==(const TableConfig&) const = default;
  // Tables from the root to the 4 KiB leaves: 4 for 48 bits, 3 for 39, 3 for 33.
  constexpr std::uint32_t levels() const {
    const std::uint32_t needed = (va_bits - static_cast<std::uint32_t>(kPageShift) + 8) / 9;
    return needed > min_levels ? needed : min_levels;
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

// Whether a leaf holds its frame's address as it is: then leaves are written faster.
template <TableFormat F>
inline constexpr bool kAddressInPlace = F::leaf_step(0) == kPageSize;

// A format whose leaves can say that they were written through. All three keep everything else of
// the leaf; where permissions and dirtiness share bits, Format::prot() of the result is that of the
// argument.
template <class F>
concept DirtyFormat = TableFormat<F> && requires(std::uint64_t leaf) {
  // A leaf through which the device notes writes, and has noted none. One that allows no writes
  // stays as it is.
  { F::clean(leaf) } -> std::same_as<std::uint64_t>;
  { F::mark_dirty(leaf) } -> std::same_as<std::uint64_t>;
  { F::is_dirty(leaf) } -> std::same_as<bool>;
};

// A format in which kRunLeaves leaves, of an address and a frame aligned to the run, may carry a
// hint that they map one contiguous piece alike.
template <class F>
concept ContiguousFormat = TableFormat<F> && requires(std::uint64_t leaf) {
  { F::kRunLeaves } -> std::convertible_to<std::uint32_t>;
  // The hint, a single bit.
  { F::kContiguousBit } -> std::convertible_to<std::uint64_t>;
};

}  // namespace pantry::driver
