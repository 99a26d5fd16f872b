// SPDX-License-Identifier: MIT
//
// What a block with delays needs of the device: the time, and a way to say that the device must be
// clocked again. Called with the device's lock held.
#pragma once

#include "base/types.h"

namespace pantry::emu {

class DeviceClock {
 public:
  virtual TimePoint now() = 0;
  // There is work, now or at a time that the block's advance() will name.
  virtual void work_arrived() = 0;

 protected:
  ~DeviceClock() = default;
};

}  // namespace pantry::emu
