// SPDX-License-Identifier: MIT
//
// Where a stream goes next: branches, calls, waits for its own scoreboard. See execution.h for the
// rules. No allocation.
#pragma once

#include <cstdint>

#include "gpu_emu/cs/execution.h"
#include "gpu_emu/datasheet/cs_flow_instructions.h"

namespace pantry::emu {

// Out of every buffer that is at its end; for an instruction that set the pc.
void leave_finished_buffers(StreamState& state);
// Past the current instruction, and out of every buffer that ends there. The pc of a caller stays
// at its CALL until the callee is through. Inline: once per instruction.
inline void advance(StreamState& state) {
  if (state.depth == 1) {
    state.extract += datasheet::isa::kInstructionBytes;
    return;
  }
  CallFrame& frame = state.frames[state.depth - 2u];
  frame.pc += datasheet::isa::kInstructionBytes;
  if (frame.pc == frame.end) leave_finished_buffers(state);
}
// Enters [address, address + bytes), whose end returns to the current instruction (of the exception
// handler) or past it (of a CALL). Pre: bytes != 0 and the depth allows it.
void enter_buffer(StreamState& state, std::uint64_t address, std::uint32_t bytes);

// Whether [address, address + bytes) can be a buffer: whole instructions, and no wrap.
bool is_buffer(std::uint64_t address, std::uint32_t bytes);

Step execute(Execution& run, const datasheet::isa::Wait& op);
Step execute(Execution& run, const datasheet::isa::Branch& op);
Step execute(Execution& run, const datasheet::isa::Call& op);
Step execute(Execution& run, const datasheet::isa::Jump& op);
Step execute(Execution& run, const datasheet::isa::ErrorBarrier& op);
Step execute(Execution& run, const datasheet::isa::ProtRegion& op);

}  // namespace pantry::emu
