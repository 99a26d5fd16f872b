// SPDX-License-Identifier: MIT
//
// What clients do while a mistake is seeded: one scene each, small enough that its mistake is met,
// and ordinary enough that a correct driver survives it.
#pragma once

#include "campaigns/seeded/scene.h"
#include "campaigns/seeded/seeds.h"
#include "driver/kernel/executor.h"
#include "uapi/machine/machine.h"

namespace pantry::seeded {

// Whether jobs must have the effect that they have on a correct driver.
enum class Effects { kChecked, kIgnored };

void play(Scene scene, uapi::Machine& machine, driver::Executor& executor, Seeds& seeds,
          Effects effects);

}  // namespace pantry::seeded
