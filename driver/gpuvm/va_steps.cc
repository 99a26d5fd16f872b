// SPDX-License-Identifier: MIT
#include "driver/gpuvm/va_steps.h"

#include "driver/gpuvm/va_edit.h"

namespace pantry::driver {

Done<UnmapStep> UnmapStep::remove() && noexcept {
  edit_->tree.erase(edit_->at, edit_->nodes);
  return {};
}

Done<KeepLeftStep> KeepLeftStep::keep() && noexcept {
  edit_->tree.replace(edit_->at, left());
  edit_->tree.advance(edit_->at);
  return {};
}

Done<KeepRightStep> KeepRightStep::keep() && noexcept {
  edit_->tree.replace(edit_->at, right());
  return {};
}

Done<KeepBothStep> KeepBothStep::keep() && noexcept {
  edit_->tree.replace(edit_->at, left(), right(), edit_->nodes);
  return {};
}

Done<MapStep> MapStep::insert() && noexcept {
  edit_->tree.insert(edit_->at, *mapping_, edit_->nodes);
  return {};
}

}  // namespace pantry::driver
