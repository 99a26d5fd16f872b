// SPDX-License-Identifier: MIT
//
// JOB_INT: the interrupt of the firmware (JOB_CONTROL of older parts; only these four registers
// exist with CSF). The line is (RAWSTAT & MASK) != 0. Source: [K]. Constants only.
#pragma once

#include <cstdint>

#include "gpu_emu/datasheet/field.h"
#include "gpu_emu/datasheet/register.h"

namespace pantry::datasheet::job_int {

inline constexpr std::uint32_t kBase = 0x1000;
inline constexpr std::uint32_t kBytes = 0x1000;

inline constexpr Register kRawstat = ro32(0x1000, "JOB_IRQ_RAWSTAT");
inline constexpr Register kClear = w1c32(0x1004, "JOB_IRQ_CLEAR");
inline constexpr Register kMask = rw32(0x1008, "JOB_IRQ_MASK");
inline constexpr Register kStatus = ro32(0x100c, "JOB_IRQ_STATUS");  // RAWSTAT & MASK

// Bit n: command-stream group slot n has an event. Bit 31: the global interface has one.
using Groups = Field<30, 0>;
using Global = Bit<31>;

}  // namespace pantry::datasheet::job_int
