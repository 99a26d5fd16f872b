// SPDX-License-Identifier: MIT
//
// The tiler as far as memory goes: nothing is sorted into tiles here, but the heap is used as if it
// were. A tiling operation takes Quirks::tiler_bytes_per_vertex for each vertex out of the chunk
// that the client's heap descriptor names. When that is full it goes to the list of completed
// chunks in the client's tiler context, where streams find it for FINISH_FRAGMENT, and the tiler
// moves on: to the chunk that its header names, as the driver has linked the first ones, or to a
// free one of the heap (tiler_heap.h). Layouts: datasheet/tiler_heap.h.
#pragma once

#include "gpu_emu/cs/execution.h"

namespace pantry::emu {

// Takes what the tiling operation at pc uses, by its registers. kNext when it has it; kFault,
// with DATA_INVALID_FAULT, for a context or descriptor that makes no sense. What it has taken stays
// taken when it has to be executed again. No allocation.
Step take_tiler_memory(Execution& run);

}  // namespace pantry::emu
