// SPDX-License-Identifier: MIT
//
// The tiler heap as the firmware keeps it: counters of passes and a list of free chunks, in the 32
// bytes of the heap context, which the kernel zeroes and then leaves to the firmware. Two streams
// of a group share a heap, so nothing of it is kept outside of that memory.
//
//   +0 u32 passes begun   +4 u32 passes tiled   +8 u32 passes rendered   +16 u64 first free chunk
//
// The free chunks are linked by the word at the start of each (datasheet/tiler_heap.h).
//
// When there is none left, take_chunk() runs the protocol of TILER_OOM: ask the host, take what it
// grants, or wait for fragment passes, or call the exception handler. How far it has come is in the
// stream's state, so the tiling operation can be executed again at any time. No allocation.
#pragma once

#include "gpu_emu/cs/execution.h"
#include "gpu_emu/datasheet/cs_heap_instructions.h"

namespace pantry::emu {

// Deferrable (deferral.h).
Step execute(Execution& run, const datasheet::isa::HeapOperation& op);
Step execute(Execution& run, const datasheet::isa::FinishFragment& op);

// Takes a chunk off the free list of the selected heap. kNext: `word` is its word, and its header
// names no other chunk any more.
Step take_chunk(Execution& run, std::uint64_t& word);

}  // namespace pantry::emu
