// SPDX-License-Identifier: MIT
//
// Which command streams do anything. A value, chosen when the device is built.
#pragma once

#include <cstdint>

namespace pantry::emu {

enum class StreamPolicy : std::uint8_t {
  kAll,
  // For tests of a driver alone: CALLs from the ring return at once, so that every job completes
  // and its stream has no effect.
  kRingOnly,
};

}  // namespace pantry::emu
