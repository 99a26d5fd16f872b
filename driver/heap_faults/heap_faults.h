// SPDX-License-Identifier: MIT
//
// Fault injection for the heap: a program that links this room has operator new and delete replaced
// (they pass to malloc and free), so that each allocation of C++ code, also inside the standard
// library, can be made to throw std::bad_alloc in turn; no site needs to know. A room of its own,
// since a linker takes replacements from any library that has them: only tests and campaigns use
// it. Sanitizers and the allocation trap see the malloc below; but ThreadSanitizer has replacements
// of its own that cannot be replaced, and there nothing fails or is counted.
#pragma once

#include <cstdint>

#include "driver/memory/allocation_faults.h"

namespace pantry::driver {

// Of the calling thread: only its own allocations count and fail.
AllocationFaults& heap_faults() noexcept;

// Blocks from operator new that are not deleted yet, of all threads: for leak checks.
std::uint64_t heap_blocks() noexcept;

}  // namespace pantry::driver
