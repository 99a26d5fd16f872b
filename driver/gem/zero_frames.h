// SPDX-License-Identifier: MIT
//
// Makes frames read as zero without touching those that do already: a page of the host's that was
// never written stays a page that costs nothing.
#pragma once

#include "base/types.h"
#include "gpu_emu/ports.h"

namespace pantry::driver {

// Pre: `frames` lies in `dram` and is made of whole pages.
void zero_frames(const emu::Dram& dram, PhysExtent frames) noexcept;

}  // namespace pantry::driver
