// SPDX-License-Identifier: MIT
//
// A read-only picture of the firmware's state, for tests, for the log and for a debugger. A value;
// nothing in it points into the device.
#pragma once

#include <array>
#include <cstdint>

#include "base/types.h"
#include "gpu_emu/cs/device_services.h"
#include "gpu_emu/cs/stream_state.h"
#include "gpu_emu/datasheet/model.h"
#include "gpu_emu/mmu/gpu_memory.h"

namespace pantry::emu {

inline constexpr std::uint32_t kGroupSlots = datasheet::kMaliG610.group_slots;

struct StreamDump {
  bool started = false;
  bool held_by_fault = false;       // CS_FAULT not acknowledged yet
  bool dead = false;                // CS_FATAL, or its address space was disabled under it
  bool in_error_state = false;      // until the next ERROR_BARRIER
  std::uint8_t blocked_reason = 0;  // as in CS status
  std::uint8_t depth = 0;           // call frames in use, the ring is 1
  std::uint32_t scoreboards = 0;    // mask of the entries that are not zero
  std::uint64_t extract = 0;
  std::uint64_t insert = 0;  // as last read
  GpuVa pc;
};

struct GroupDump {
  bool running = false;
  bool idle = false;
  std::uint8_t priority = 0;
  AsIndex address_space;
  std::array<StreamDump, kStreamSlots> streams;
};

struct FirmwareDump {
  McuStatus status = McuStatus::kDisabled;
  std::uint64_t instructions = 0;  // executed since the device was built
  std::array<GroupDump, kGroupSlots> groups;
};

}  // namespace pantry::emu
