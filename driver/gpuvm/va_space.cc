// SPDX-License-Identifier: MIT
#include "driver/gpuvm/va_space.h"

#include <algorithm>

namespace pantry::driver {

namespace {

// Whether `replacement` shows `old`'s pages with `old`'s flags wherever both are.
bool same_pages(const VaMapping& old, const VaMapping* replacement) {
  // Offsets from address 0: equal for two views of one object that lie the same way. They may wrap,
  // and still compare.
  return replacement && replacement->object == old.object && replacement->flags == old.flags &&
         replacement->offset - replacement->range.first.value == old.offset - old.range.first.value;
}

}  // namespace

VaSpace::~VaSpace() { PANTRY_CHECK(tree_.empty()); }

void VaSpace::map(const VaMapping& mapping, StepVisitor& visitor) noexcept {
  clear(mapping.range, &mapping, visitor);
  visitor.map(MapStep(tree_, mapping));
}

void VaSpace::unmap(GpuRange range, StepVisitor& visitor) noexcept {
  clear(range, nullptr, visitor);
}

// Empties `range`, step by step in address order. At most the first and the last mapping stick out
// of it.
void VaSpace::clear(GpuRange range, const VaMapping* replacement, StepVisitor& visitor) noexcept {
  PANTRY_CHECK(range.first <= range.last && whole_.contains(range));
  for (Vma* vma = first_in(range); vma;) {
    // Found before the step takes `vma` out of the tree.
    Vma* const next = next_in(*vma, range);
    const GpuRange old = vma->range();
    const bool left = old.first < range.first;
    const bool right = old.last > range.last;
    const GpuRange unmapped{std::max(old.first, range.first), std::min(old.last, range.last)};
    const bool keeps = same_pages(vma->mapping(), replacement);
    if (left && right)
      visitor.keep_both(KeepBothStep(tree_, *vma, unmapped, keeps));
    else if (left)
      visitor.keep_left(KeepLeftStep(tree_, *vma, unmapped, keeps));
    else if (right)
      visitor.keep_right(KeepRightStep(tree_, *vma, unmapped, keeps));
    else
      visitor.unmap(UnmapStep(tree_, *vma, keeps));
    vma = next;
  }
}

Vma* VaSpace::find(GpuVa va) const noexcept { return first_in({va, va}); }

Vma* VaSpace::first_in(GpuRange range) const noexcept {
  Vma* const vma = tree_.at_or_after(range.first);
  return vma && vma->range().first <= range.last ? vma : nullptr;
}

Vma* VaSpace::next_in(const Vma& vma, GpuRange range) const noexcept {
  Vma* const next = tree_.next(vma);
  return next && next->range().first <= range.last ? next : nullptr;
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
  for (Vma* vma = first_in(within); vma; vma = next_in(*vma, within)) {
    if (vma->range().first > free) consider(free, vma->range().first);
    free = vma->range().last + 1;
  }
  if (free <= within.last) consider(free, within.last + 1);
  return best;
}

}  // namespace pantry::driver
