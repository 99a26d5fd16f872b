// SPDX-License-Identifier: MIT
//
// What a bind will do to the page table, and which tables it needs for that: a pure function of the
// bind, whatever state the page table will be in when it runs.
//
// A map writes leaves whose sizes follow from addresses and frames alone (RadixTable::map), and
// needs a table for each window in which it writes a leaf smaller than the window. An unmap needs
// tables only where an edge of its range may cut a block, or the window of a repeated table. A map
// that repeats (RadixTable::map_repeated) needs one for each window that its range covers in part,
// and besides the repeated tables themselves, which have no window. In either case a bind takes at most one
// page per such window, and none for any other: a table that stands when the bind begins is kept
// for it (RadixTable::clear), and a table that a split makes is kept alive by what the bind leaves.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "driver/iopgtable/extent_cursor.h"
#include "driver/iopgtable/repeated_frames.h"
#include "driver/iopgtable/table_format.h"
#include "driver/iopgtable/table_window.h"

namespace pantry::driver {

struct BindShape {
  enum class Kind { kMap, kRepeat, kUnmap } kind = Kind::kUnmap;
  GpuRange range;
  // kMap: what is mapped at range.first on. A view: the extents outlive the bind and do not change.
  ExtentCursor frames{{}, 0};
  // kRepeat: what is mapped. A view as well.
  RepeatedFrames repeated{};
  // kUnmap: what the edges of the range may cut when it runs. kRepeats: also windows of repeated
  // tables, as binds of the kind kRepeat run in this page table.
  enum class Cuts { kBlocks, kRepeats } cuts = Cuts::kBlocks;
};

// The pages that the bind takes in any case, for tables without a window.
inline std::uint32_t repeated_pages(const BindShape& shape, const TableConfig& config) noexcept {
  return shape.kind == BindShape::Kind::kRepeat
             ? repeated_tables(shape.range, shape.repeated, config).count()
             : 0;
}

// visit(TableWindow) for each window that the bind needs a table for, once, always in the same
// order, a window before those inside it. Allocates nothing. Linear in the number of windows and,
// for a map, of extents.
template <class Visit>
void for_each_window(const BindShape& shape, const TableConfig& config, Visit visit) {
  const std::uint32_t top = config.levels() - 1;
  const auto leaf_size = [](std::uint32_t height) { return kPageSize << 9 * height; };
  const auto allows = [&](std::uint32_t height) {
    return height <= top && (config.page_sizes & leaf_size(height)) != 0;
  };
  if (shape.kind != BindShape::Kind::kMap) {
    const bool repeats =
        shape.kind == BindShape::Kind::kRepeat || shape.cuts == BindShape::Cuts::kRepeats;
    // From the larger block to the smaller: the larger is split first.
    for (std::uint32_t height = top; height > 0; --height) {
      if (!repeats && !allows(height)) continue;
      const GpuVa end{shape.range.last.value + 1};
      const TableWindow at_start = TableWindow::around(shape.range.first, height - 1);
      const TableWindow at_end = TableWindow::around(shape.range.last, height - 1);
      const bool cut_at_start = !is_aligned(shape.range.first.value, leaf_size(height));
      if (cut_at_start) visit(at_start);
      if (!is_aligned(end.value, leaf_size(height)) && !(cut_at_start && at_start == at_end))
        visit(at_end);
    }
    return;
  }
  ExtentCursor frames = shape.frames;
  GpuVa at = shape.range.first;
  std::array<std::uint64_t, kMaxTableLevels> visited;  // the last window of each height
  visited.fill(UINT64_MAX);
  for (std::uint64_t left = shape.range.size(); left != 0;) {
    const std::uint64_t contiguous = std::min(left, frames.contiguous());
    std::uint32_t height = 2;
    while (height > 0 && !(allows(height) && contiguous >= leaf_size(height) &&
                           is_aligned(at.value | frames.address().value, leaf_size(height))))
      --height;
    for (std::uint32_t above = top; above-- > height;) {
      const TableWindow window = TableWindow::around(at, above);
      if (visited[above] == window.number) continue;
      visited[above] = window.number;
      visit(window);
    }
    // To the end of the innermost window, in which no larger leaf can begin; blocks only as far as
    // the frames follow one another.
    const std::uint64_t size = std::uint64_t{1} << TableWindow::shift(height);
    const std::uint64_t to_end = size - at.value % size;
    const std::uint64_t step = height == 0
                                   ? std::min(left, to_end)
                                   : std::min(align_down(contiguous, leaf_size(height)), to_end);
    frames.advance(step);
    at = at + step;
    left -= step;
  }
}

}  // namespace pantry::driver
