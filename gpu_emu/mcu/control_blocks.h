// SPDX-License-Identifier: MIT
//
// What the firmware says about itself in the control blocks of the shared section.
#pragma once

#include "gpu_emu/mcu/shared_section.h"
#include "gpu_emu/quirks.h"

namespace pantry::emu {

// Pre: the section is open.
void publish_control_blocks(SharedSection& section, const Quirks& quirks,
                            std::uint32_t group_slots);

}  // namespace pantry::emu
