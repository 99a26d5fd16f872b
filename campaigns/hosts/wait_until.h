// SPDX-License-Identifier: MIT
//
// How campaigns wait for something to become true, for as long as more than anything takes on a
// busy machine.
#pragma once

#include "driver/kernel/clock.h"

namespace pantry::campaigns {

// Asks every `pause` until `condition()` holds (true) or `limit` is over (false). Asks at least
// once.
template <class Condition>
bool wait_until(driver::Clock& clock, Duration limit, Duration pause, Condition condition) {
  const TimePoint end = clock.now() + limit;
  while (!condition()) {
    if (clock.now() > end) return false;
    clock.sleep(pause);
  }
  return true;
}

}  // namespace pantry::campaigns
