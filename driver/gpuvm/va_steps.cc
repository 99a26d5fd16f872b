// SPDX-License-Identifier: MIT
#include "driver/gpuvm/va_steps.h"

#include "driver/gpuvm/va_tree.h"

namespace pantry::driver {

Done<UnmapStep> UnmapStep::remove() && noexcept {
  tree_->erase(*old_);
  return {};
}

void RemapStep::replace_with(Vma* left, Vma* right) const noexcept {
  const VaMapping whole = old_->mapping();
  tree_->erase(*old_);
  if (left) {
    PANTRY_CHECK(!left->linked());
    left->mapping_ = whole.slice({whole.range.first, unmapped_.first - 1});
    tree_->insert(*left);
  }
  if (right) {
    PANTRY_CHECK(!right->linked());
    right->mapping_ = whole.slice({unmapped_.last + 1, whole.range.last});
    tree_->insert(*right);
  }
}

Done<KeepLeftStep> KeepLeftStep::replace(Vma& left) && noexcept {
  replace_with(&left, nullptr);
  return {};
}

Done<KeepRightStep> KeepRightStep::replace(Vma& right) && noexcept {
  replace_with(nullptr, &right);
  return {};
}

Done<KeepBothStep> KeepBothStep::replace(Vma& left, Vma& right) && noexcept {
  replace_with(&left, &right);
  return {};
}

Done<MapStep> MapStep::insert(Vma& node) && noexcept {
  PANTRY_CHECK(!node.linked());
  node.mapping_ = *mapping_;
  tree_->insert(node);
  return {};
}

}  // namespace pantry::driver
