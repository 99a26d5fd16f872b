// SPDX-License-Identifier: MIT
#include "driver/gpuvm/va_space.h"

#include "driver/gpuvm/va_edit.h"

namespace pantry::driver {

VaSpace::VaSpace(GpuRange whole, VaSearch search) noexcept : whole_(whole), tree_(search) {
  // What kVaNodesPerOp relies on.
  PANTRY_CHECK(whole.last.value / kPageSize < kMostMappings);
}

VaSpace::~VaSpace() { PANTRY_CHECK(tree_.empty()); }

void VaSpace::check_range(GpuRange range) const noexcept {
  PANTRY_CHECK(range.first <= range.last && whole_.contains(range));
  PANTRY_CHECK(is_aligned(range.first.value, kPageSize) && is_aligned(range.size(), kPageSize));
}

void VaSpace::map(const VaMapping& mapping, VaReserve& nodes, StepVisitor& visitor) noexcept {
  check_range(mapping.range);
  PANTRY_CHECK(VaRecord::packable(mapping));
  VaEdit edit(tree_, nodes, mapping.range, &mapping);
  clear(edit, visitor);
  visitor.map(MapStep(edit, mapping));
  nodes.finish(tree_.mappings());
}

void VaSpace::unmap(GpuRange range, VaReserve& nodes, StepVisitor& visitor) noexcept {
  check_range(range);
  VaEdit edit(tree_, nodes, range, nullptr);
  clear(edit, visitor);
  nodes.finish(tree_.mappings());
}

// Empties the range, step by step in address order; each step moves the cursor on. At most the
// first and the last mapping stick out of it.
void VaSpace::clear(VaEdit& edit, StepVisitor& visitor) noexcept {
  const GpuRange range = edit.range;
  while (edit.at && edit.at.range().first <= range.last) {
    const VaMapping old = edit.at.mapping();
    const bool left = old.range.first < range.first;
    const bool right = old.range.last > range.last;
    if (left && right)
      visitor.keep_both(KeepBothStep(edit, old));
    else if (left)
      visitor.keep_left(KeepLeftStep(edit, old));
    else if (right)
      visitor.keep_right(KeepRightStep(edit, old));
    else
      visitor.unmap(UnmapStep(edit, old));
  }
}

std::optional<VaMapping> VaSpace::first_in(GpuRange range) const noexcept {
  const VaTree::Cursor at = tree_.seek(range.first);
  if (!at || at.range().first > range.last) return std::nullopt;
  return at.mapping();
}

std::optional<VaMapping> VaSpace::next_in(const VaMapping& mapping, GpuRange range) const noexcept {
  const GpuVa last = mapping.range.last;
  if (last >= range.last) return std::nullopt;
  return first_in({last + 1, range.last});
}

std::optional<GpuRange> VaSpace::best_fit(std::uint64_t size, std::uint64_t alignment,
                                          GpuRange within) const noexcept {
  PANTRY_CHECK(size != 0 && whole_.contains(within));
  std::optional<GpuRange> best;
  std::uint64_t best_hole = UINT64_MAX;
  // [first, end) is free.
  const auto consider = [&](GpuVa first, GpuVa end) {
    const GpuVa start{align_up(first.value, alignment)};
    if (start < first || start >= end || end - start < size || end - first >= best_hole) return;
    best = GpuRange::of_size(start, size);
    best_hole = end - first;
  };
  GpuVa free = within.first;
  for (VaTree::Cursor at = tree_.seek(within.first); at && at.range().first <= within.last;
       tree_.advance(at)) {
    const GpuRange taken = at.range();
    if (taken.first > free) consider(free, taken.first);
    free = taken.last + 1;
  }
  if (free <= within.last) consider(free, within.last + 1);
  return best;
}

}  // namespace pantry::driver
