// SPDX-License-Identifier: MIT
#include "driver/csf/slot_update.h"

namespace pantry::driver {

using datasheet::csg::Request;

void SlotUpdate::set_state(std::uint32_t slot, datasheet::csg::State state) {
  slots_ |= 1u << slot;
  masks_[slot] |= Request::StateField::kMask;
  states_[slot] = state;
}

void SlotUpdate::ask(std::uint32_t slot, std::uint32_t bits) {
  slots_ |= 1u << slot;
  masks_[slot] |= bits;
}

std::uint32_t SlotUpdate::apply() noexcept {
  if (slots_ == 0) return 0;
  for (std::uint32_t slot = 0; slot < masks_.size(); ++slot) {
    if (masks_[slot] == 0) continue;
    RequestWord& request = firmware_.interface().group(slot).request;
    const std::uint32_t state = Request::StateField::of(states_[slot]);
    const std::uint32_t toggled = masks_[slot] & ~Request::StateField::kMask;
    // State and toggled bits in one store.
    request.set(state | (~request.acknowledge() & toggled), masks_[slot]);
  }
  firmware_.ring_groups(slots_);
  return firmware_.wait_for_groups(masks_);
}

bool SlotUpdate::answered(std::uint32_t slot, std::uint32_t bits) const {
  return (masks_[slot] & bits) == bits &&
         (firmware_.interface().group(slot).request.differing() & bits) == 0;
}

}  // namespace pantry::driver
