// SPDX-License-Identifier: MIT
//
// What the endpoints read before they can begin with a RUN_*: the descriptors that its registers
// name, through the stream's address space, so that a missing or forbidden page faults as it does
// on hardware. Nothing is made of what they say, but that code is looked for where a shader program
// is said to be.
//
// Only what an instruction certainly uses is read: registers that it does not look at may hold
// anything. A null pointer is no descriptor. Sources: [M], docs/reference sections 4.4 and 4.5;
// that the reads come before the stream goes on is ours (Quirks::endpoint_reads). No allocation.
#pragma once

#include "gpu_emu/cs/execution.h"
#include "gpu_emu/datasheet/cs_run_instructions.h"

namespace pantry::emu {

// kNext, kStalled or kAborted.
Step read_descriptors(const Execution& run, const datasheet::isa::RunCompute& op);
Step read_descriptors(const Execution& run, const datasheet::isa::RunComputeIndirect& op);
Step read_descriptors(const Execution& run, const datasheet::isa::RunTiling& op);
Step read_descriptors(const Execution& run, const datasheet::isa::RunIdvs& op);
Step read_descriptors(const Execution& run, const datasheet::isa::RunFragment& op);
Step read_descriptors(const Execution& run, const datasheet::isa::RunFullscreen& op);

}  // namespace pantry::emu
