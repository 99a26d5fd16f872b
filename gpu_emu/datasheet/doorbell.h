// SPDX-License-Identifier: MIT
//
// Doorbells: one page of 64 KiB each, with one register that nobody reads. Page 0 is the kernel's,
// for the global interface; Panthor gives page n + 1 to command-stream group slot n, for all queues
// of the group. Source: [K].
#pragma once

#include <cstdint>

#include "base/check.h"
#include "gpu_emu/datasheet/register.h"

namespace pantry::datasheet::doorbell {

inline constexpr std::uint32_t kBase = 0x8'0000;
inline constexpr std::uint32_t kPageBytes = 0x1'0000;
inline constexpr std::uint32_t kMaxPages = (kApertureBytes - kBase) / kPageBytes;  // 24
inline constexpr std::uint32_t kGlobalPage = 0;

inline constexpr Register kRing = wo32(0x0, "DOORBELL");  // within its page; write kRingValue
inline constexpr std::uint32_t kRingValue = 1;

// offset_of(9) == 0x11'0000
constexpr std::uint32_t offset_of(std::uint32_t page) {
  PANTRY_CHECK(page < kMaxPages);
  return kBase + kPageBytes * page;
}

}  // namespace pantry::datasheet::doorbell
