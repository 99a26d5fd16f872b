// SPDX-License-Identifier: MIT
#include "driver/gpuvm/va_steps.h"

#include "driver/gpuvm/va_edit.h"

namespace pantry::driver {

Done<UnmapStep> UnmapStep::remove() && noexcept {
  edit_->tree.erase(edit_->at, edit_->nodes);
  return {};
}

void RemapStep::become_left(Vma& vma) const noexcept {
  PANTRY_CHECK(!vma.linked());
  const VaMapping& whole = old_->mapping();
  vma.mapping_ = whole.slice({whole.range.first, unmapped_.first - 1});
}

void RemapStep::become_right(Vma& vma) const noexcept {
  PANTRY_CHECK(!vma.linked());
  const VaMapping& whole = old_->mapping();
  vma.mapping_ = whole.slice({unmapped_.last + 1, whole.range.last});
}

Done<KeepLeftStep> KeepLeftStep::replace(Vma& left) && noexcept {
  become_left(left);
  edit_->tree.replace(edit_->at, left);
  edit_->tree.advance(edit_->at);
  return {};
}

Done<KeepRightStep> KeepRightStep::replace(Vma& right) && noexcept {
  become_right(right);
  edit_->tree.replace(edit_->at, right);
  return {};
}

Done<KeepBothStep> KeepBothStep::replace(Vma& left, Vma& right) && noexcept {
  become_left(left);
  become_right(right);
  edit_->tree.replace(edit_->at, left, right, edit_->nodes);
  return {};
}

Done<MapStep> MapStep::insert(Vma& vma) && noexcept {
  PANTRY_CHECK(!vma.linked());
  vma.mapping_ = *mapping_;
  edit_->tree.insert(edit_->at, vma, edit_->nodes);
  return {};
}

}  // namespace pantry::driver
