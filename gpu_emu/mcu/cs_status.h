// SPDX-License-Identifier: MIT
//
// The status words of a CS slot, from the state of its stream. Pure stores: no state, no
// allocation.
#pragma once

#include "gpu_emu/cs/stream.h"
#include "gpu_emu/mcu/shared_section.h"

namespace pantry::emu {

void store_cs_status(const Stream& stream, SharedBlock& output);

}  // namespace pantry::emu
