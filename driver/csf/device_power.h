// SPDX-License-Identifier: MIT
//
// How the scheduler lets the device be suspended while it idles, and has it back before it needs a
// slot. Implemented by the room above, which knows the order in which blocks go down and up.
#pragma once

#include "base/signalling.h"

namespace pantry::driver {

class DevicePower {
 public:
  // Nothing runs, or only what waits for a sync object: the device may be suspended after its
  // delay, unless Scheduler::is_idle() says otherwise by then. Any lock may be held; queues a work
  // item.
  virtual void idle() noexcept = 0;
  // Something runs: the delay begins anew when it is idle() again. The same rules.
  virtual void busy() noexcept = 0;
  // On Lane::kScheduler, no lock held: the device is up when this returns, or unplugged. Calls
  // Scheduler::resume_all if it was suspended.
  virtual void wake() PANTRY_MAY_ALLOCATE = 0;

 protected:
  ~DevicePower() = default;
};

}  // namespace pantry::driver
