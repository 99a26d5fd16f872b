// SPDX-License-Identifier: MIT
//
// The device that `pantry run` and `pantry serve` host, as their command lines describe it.
#pragma once

#include <string>
#include <vector>

#include "gpu_emu/inject/fault_plan.h"
#include "uapi/machine/machine.h"

namespace pantry::tools {

struct DeviceOptions {
  uapi::MachineConfig machine;
  std::vector<emu::FaultPlan> faults;  // that the hardware has
  std::string checker_json;  // where the checker's reports go, as well as to stderr; empty: nowhere
};

}  // namespace pantry::tools
