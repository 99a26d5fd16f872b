// SPDX-License-Identifier: MIT
//
// One round of requests to group slots: written together, announced with one doorbell, waited for
// together (at most 100 ms). Under the scheduler's lock, which guards the request words; allocates
// nothing.
#pragma once

#include <array>
#include <cstdint>

#include "driver/csf/firmware.h"
#include "gpu_emu/datasheet/csg_interface.h"

namespace pantry::driver {

class SlotUpdate {
 public:
  explicit SlotUpdate(Firmware& firmware) : firmware_(firmware) {}

  void set_state(std::uint32_t slot, datasheet::csg::State state);
  // `bits` of csg::Request that are toggled.
  void ask(std::uint32_t slot, std::uint32_t bits);

  // Slots that are asked for anything.
  std::uint32_t slots() const { return slots_; }
  // The slots that did not answer everything.
  std::uint32_t apply() noexcept;
  // After apply(): whether all of `bits` was asked of `slot` and answered. A state counts only when
  // all its bits agree.
  bool answered(std::uint32_t slot, std::uint32_t bits) const;

 private:
  Firmware& firmware_;
  std::uint32_t slots_ = 0;
  Firmware::GroupMasks masks_{};
  std::array<datasheet::csg::State, Firmware::kMaxGroups> states_{};
};

}  // namespace pantry::driver
