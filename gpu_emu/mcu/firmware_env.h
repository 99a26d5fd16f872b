// SPDX-License-Identifier: MIT
//
// What the parts of the firmware share during one run: the open shared section, memory, the device,
// the settings of the global interface and the run queue. Lives as long as the firmware; `slice`
// and `now` belong to the current run. No lock of its own, no allocation.
#pragma once

#include <cstdint>

#include "base/types.h"
#include "gpu_emu/cs/device_services.h"
#include "gpu_emu/mcu/endpoint_arbiter.h"
#include "gpu_emu/mcu/firmware_model.h"
#include "gpu_emu/mcu/run_queue.h"
#include "gpu_emu/mcu/shared_section.h"
#include "gpu_emu/mcu/suspend_buffer.h"
#include "gpu_emu/misbehaviour.h"
#include "gpu_emu/mmu/gpu_memory.h"
#include "gpu_emu/quirks.h"

namespace pantry::emu {

struct FirmwareEnv {
  FirmwareEnv(const Quirks& device_quirks, const FirmwareModel& gpu_model, GpuMemory& device_memory,
              DeviceServices& device)
      : quirks(device_quirks),
        model(gpu_model),
        memory(device_memory),
        services(device),
        endpoints(model.shader_present, model.tiler_present, quirks.endpoint_round) {}

  const Quirks& quirks;
  const FirmwareModel model;
  GpuMemory& memory;
  DeviceServices& services;
  Misbehaviour* misbehaviour = nullptr;  // may be null
  SharedSection section;
  RunQueue queue;
  EndpointArbiter endpoints;
  SuspendBuffer suspend_buffer;
  SavedStreams saved;       // scratch for it
  std::uint64_t slice = 0;  // counts runs; queue pages are translated once in each
  TimePoint now;
  // JOB_INT bits to raise once everything that they announce, doorbell acknowledges included, has
  // been stored.
  std::uint32_t interrupts = 0;
};

// Whether an operation that reaches memory outside of the section was carried out, or has to be
// begun again in a later run.
enum class Progress : std::uint8_t { kDone, kStalled };

}  // namespace pantry::emu
