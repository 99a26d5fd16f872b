// SPDX-License-Identifier: MIT
//
// What the firmware knows of the GPU that it runs on. A value.
#pragma once

#include <cstdint>

#include "gpu_emu/datasheet/model.h"

namespace pantry::emu {

struct FirmwareModel {
  std::uint32_t group_slots = datasheet::kMaliG610.group_slots;  // 1 to kGroupSlots
  std::uint64_t timestamp_hz = datasheet::kMaliG610.timestamp_hz;
  std::uint64_t shader_present = datasheet::kMaliG610.shader_present;  // not 0
  std::uint64_t tiler_present = datasheet::kMaliG610.tiler_present;    // not 0
};

}  // namespace pantry::emu
