// SPDX-License-Identifier: MIT
//
// The instructions that order a stream against other streams, the host and the caches. See
// execution.h for the rules.
//
// A sync object is published with its value: the status is written first, the value is released
// last, and a waiter acquires the value before it looks at the status. No allocation.
#pragma once

#include "gpu_emu/cs/execution.h"
#include "gpu_emu/datasheet/cs_sync_instructions.h"

namespace pantry::emu {

// Deferrable (deferral.h).
Step execute(Execution& run, const datasheet::isa::SyncAdd32& op);
Step execute(Execution& run, const datasheet::isa::SyncSet32& op);
Step execute(Execution& run, const datasheet::isa::SyncAdd64& op);
Step execute(Execution& run, const datasheet::isa::SyncSet64& op);
Step execute(Execution& run, const datasheet::isa::FlushCache2& op);

Step execute(Execution& run, const datasheet::isa::SyncWait32& op);
Step execute(Execution& run, const datasheet::isa::SyncWait64& op);

Step execute(Execution& run, const datasheet::isa::ProgressStore& op);
Step execute(Execution& run, const datasheet::isa::ProgressLoad& op);
Step execute(Execution& run, const datasheet::isa::ProgressWait& op);

}  // namespace pantry::emu
