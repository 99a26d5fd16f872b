// SPDX-License-Identifier: MIT
//
// The object that SYNC_ADD, SYNC_SET and SYNC_WAIT work on: a value and a status word behind it.
// Panthor keeps one 64-bit object per queue as the queue's fence. Sources: [K], [M]. Constants
// only.
#pragma once

#include <cstdint>

#include "gpu_emu/datasheet/offset.h"

namespace pantry::datasheet::sync_object {

// Offsets in an object with a 32-bit value.
namespace word32 {
inline constexpr Offset kValue = 0x0;
inline constexpr Offset kStatus = 0x4;
inline constexpr Offset kBytes = 0x8;
}  // namespace word32

// Offsets in an object with a 64-bit value.
namespace word64 {
inline constexpr Offset kValue = 0x0;
inline constexpr Offset kStatus = 0x8;
inline constexpr Offset kBytes = 0x10;  // the last word is padding
}  // namespace word64

inline constexpr std::uint32_t kStatusOk = 0;
// The writer was in error state and its error_propagate bit was set.
inline constexpr std::uint32_t kStatusError = 1;

}  // namespace pantry::datasheet::sync_object
