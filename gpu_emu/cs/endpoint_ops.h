// SPDX-License-Identifier: MIT
//
// The instructions that give work to endpoints: compute, fragment, tiler. No shader is executed:
// such work reads its descriptors (descriptor_reads.h), asks for a time that follows from its size
// (Quirks::endpoint_time and work_time), keeps its scoreboard entry busy until the endpoints have
// given it that time, and completes without effect; the log says so once per opcode. What is issued
// stands in StreamState::in_flight; who has which endpoint when is the caller's business
// (mcu/endpoint_arbiter.h). Drawing occupies the tiler and no shader core.
// See execution.h for the rules. No allocation.
#pragma once

#include "gpu_emu/cs/execution.h"
#include "gpu_emu/datasheet/cs_heap_instructions.h"
#include "gpu_emu/datasheet/cs_run_instructions.h"

namespace pantry::emu {

Step execute(Execution& run, const datasheet::isa::RunCompute& op);
Step execute(Execution& run, const datasheet::isa::RunComputeIndirect& op);
Step execute(Execution& run, const datasheet::isa::RunTiling& op);
Step execute(Execution& run, const datasheet::isa::RunIdvs& op);
Step execute(Execution& run, const datasheet::isa::RunFragment& op);
Step execute(Execution& run, const datasheet::isa::RunFullscreen& op);
Step execute(Execution& run, const datasheet::isa::FinishTiling& op);

}  // namespace pantry::emu
