// SPDX-License-Identifier: MIT
//
// The page of registers that clients map read-only: the flush id. Clients sample it before they
// record a job; a FLUSH_CACHE2 with that id is skipped when the counter has moved since. Sources:
// [K], [M].
#pragma once

#include <cstdint>

#include "gpu_emu/datasheet/register.h"

namespace pantry::datasheet::user_page {

inline constexpr std::uint32_t kBase = 0x1'0000;
inline constexpr std::uint32_t kBytes = 0x1'0000;
// What a client maps of it.
inline constexpr std::uint32_t kMappedBytes = 0x1000;

// Counts completed cache flushes. Never 0, which as a flush id means "always flush"; jobs carry it
// with bits 30:24 clear.
inline constexpr Register kLatestFlush = ro32(0x1'0000, "LATEST_FLUSH");
inline constexpr std::uint32_t kLatestFlushMask = 0x00ff'ffff;
inline constexpr std::uint32_t kAlwaysFlush = 0;
// What clients read while the GPU is suspended: old enough that the flush is skipped.
inline constexpr std::uint32_t kSuspendedFlushId = 1;

}  // namespace pantry::datasheet::user_page
