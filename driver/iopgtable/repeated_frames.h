// SPDX-License-Identifier: MIT
//
// 2 MiB of memory that a range of addresses shows over and over: `va` leads to byte va mod 2 MiB
// (panthor-uapi.md C.3). A range so large that it holds all of a table's window need not have a
// table there: the same content stands in each such window, so one table per height serves them
// all (RadixTable::map_repeated). Where the memory is one block, the lowest of these has blocks of
// 2 MiB for entries; else there is one below it, with leaves of 4 KiB.
#pragma once

#include <cstdint>
#include <span>

#include "base/check.h"
#include "base/types.h"
#include "driver/iopgtable/extent_cursor.h"
#include "driver/iopgtable/table_format.h"

namespace pantry::driver {

class RepeatedFrames {
 public:
  static constexpr std::uint64_t kBytes = 2 * kMiB;

  RepeatedFrames() = default;
  // Pre: the extents are of whole pages and hold 2 MiB. A view: they outlive it.
  explicit RepeatedFrames(std::span<const PhysExtent> extents) : extents_(extents) {
    PANTRY_CHECK(!extents.empty());
  }

  // What `va` leads to, and what follows, to the end of the 2 MiB.
  ExtentCursor at(GpuVa va) const { return ExtentCursor(extents_, va.value % kBytes); }
  // Whether one block can map them.
  bool is_block(const TableConfig& config) const {
    return (config.page_sizes & kBytes) != 0 && extents_.front().size >= kBytes &&
           is_aligned(extents_.front().start.value, kBytes);
  }

 private:
  std::span<const PhysExtent> extents_;
};

// The tables that stand in many windows at once, once `range` shows `frames`: one for each height
// of entries in [lowest, end).
struct RepeatedTables {
  std::uint32_t lowest = 0;
  std::uint32_t end = 0;
  constexpr std::uint32_t count() const { return end > lowest ? end - lowest : 0; }
};

// A function of the range alone, whatever the page table holds. With 48 bits, a block and 256 GiB:
// one table, of 2 MiB entries; with 512 GiB at a multiple of it, one of 1 GiB entries besides.
inline RepeatedTables repeated_tables(GpuRange range, const RepeatedFrames& frames,
                                      const TableConfig& config) noexcept {
  RepeatedTables tables{frames.is_block(config) ? 1u : 0u, 0};
  const std::uint32_t top = config.levels() - 1;
  for (std::uint32_t height = 1; height <= top; ++height) {
    const std::uint64_t slot = kPageSize << 9 * height;
    // The first slot that begins in the range; past the end it wraps to 0 or lies beyond.
    const std::uint64_t first = align_up(range.first.value, slot);
    if (first < range.first.value || first > range.last.value ||
        range.last.value - first < slot - 1)
      break;
    tables.end = height;
  }
  return tables;
}

}  // namespace pantry::driver
