// SPDX-License-Identifier: MIT
//
// MMU_INT: the interrupt of the address spaces (address_space.h). The line is up while
// (RAWSTAT & MASK) != 0. Source: [K]. Constants only.
#pragma once

#include <cstdint>

#include "gpu_emu/datasheet/field.h"
#include "gpu_emu/datasheet/register.h"

namespace pantry::datasheet::mmu_int {

inline constexpr std::uint32_t kBase = 0x2000;
inline constexpr std::uint32_t kBytes = 0x1000;  // the address-space blocks included

inline constexpr Register kRawstat = ro32(0x2000, "MMU_IRQ_RAWSTAT");
inline constexpr Register kClear = w1c32(0x2004, "MMU_IRQ_CLEAR");
inline constexpr Register kMask = rw32(0x2008, "MMU_IRQ_MASK");
inline constexpr Register kStatus = ro32(0x200c, "MMU_IRQ_STATUS");  // RAWSTAT & MASK

// Bit n: a fault is latched in address space n. Bit 16 + n: a command of address space n is
// complete.
using PageFaults = Field<15, 0>;
using CompletedCommands = Field<31, 16>;

}  // namespace pantry::datasheet::mmu_int
