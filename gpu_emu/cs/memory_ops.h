// SPDX-License-Identifier: MIT
//
// The instructions that move registers and state to and from memory. See execution.h for the rules.
//
// Words are moved with relaxed 32-bit atomics: a CPU may look at them meanwhile. They complete at
// once, which the scoreboard rules allow: nobody can tell before the WAIT that must follow. No
// allocation.
#pragma once

#include "gpu_emu/cs/execution.h"
#include "gpu_emu/datasheet/cs_data_instructions.h"
#include "gpu_emu/datasheet/cs_sync_instructions.h"

namespace pantry::emu {

Step execute(Execution& run, const datasheet::isa::LoadMultiple& op);
Step execute(Execution& run, const datasheet::isa::StoreMultiple& op);
// Deferrable (deferral.h).
Step execute(Execution& run, const datasheet::isa::StoreState& op);
Step execute(Execution& run, const datasheet::isa::TracePoint& op);

}  // namespace pantry::emu
