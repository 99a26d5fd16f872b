// SPDX-License-Identifier: MIT
#include "driver/gpuvm/va_steps.h"

#include <algorithm>

#include "driver/gpuvm/va_edit.h"

namespace pantry::driver {

bool OldStep::keeps_pages() const {
  const VaMapping* const fresh = edit_->replacement;
  // Offsets from address 0: equal for two views of one object that lie the same way. They may wrap,
  // and still compare.
  return fresh && fresh->object == old_->object && fresh->flags == old_->flags &&
         fresh->offset - fresh->range.first.value == old_->offset - old_->range.first.value;
}

GpuRange RemapStep::unmapped() const {
  return {std::max(old_->range.first, edit_->range.first),
          std::min(old_->range.last, edit_->range.last)};
}

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
