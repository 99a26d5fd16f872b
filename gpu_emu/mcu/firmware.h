// SPDX-License-Identifier: MIT
//
// The firmware of the GPU's microcontroller, by high-level emulation: instead of running the code
// of a blob it publishes the interface that the blob would publish in the shared section
// (0x04000000 of address space 0) and answers requests there. It owns the command streams: one
// context per CSG slot and CS slot.
//
// It has no thread. Register writes only leave a note (start, stop, doorbell); the work is done in
// run(). Since memory can stall, a request is carried out from what the shared section says when
// run() gets to it, as often as it takes.
//
// Called with the device's lock held. All memory is allocated in the constructor; only log lines
// allocate after it.
#pragma once

#include <cstdint>
#include <memory>

#include "base/types.h"
#include "gpu_emu/cs/device_services.h"
#include "gpu_emu/cs/stream_policy.h"
#include "gpu_emu/mcu/firmware_dump.h"
#include "gpu_emu/mcu/firmware_model.h"
#include "gpu_emu/misbehaviour.h"
#include "gpu_emu/mmu/gpu_memory.h"
#include "gpu_emu/ports.h"
#include "gpu_emu/quirks.h"

namespace pantry::emu {

class FirmwareCore;

class Firmware {
 public:
  // `memory` and `services` outlive the firmware; neither is called by the constructor.
  Firmware(const Quirks& quirks, GpuMemory& memory, DeviceServices& services, StreamPolicy policy,
           const FirmwareModel& model = {});
  ~Firmware();
  Firmware(const Firmware&) = delete;
  Firmware& operator=(const Firmware&) = delete;

  // Once, before the first run.
  void attach(Misbehaviour& misbehaviour);

  // MCU_CONTROL written as 1 or 2. Boots in the next run(), which sets MCU_STATUS and raises
  // JOB_INT bit 31. No effect while the MCU is enabled.
  void start();
  // MCU_CONTROL written as 0: everything stops where it is and is forgotten; MCU_STATUS is 0 on
  // return.
  void stop();
  // Soft or hard reset of the GPU: as stop().
  void reset();
  // A write to doorbell page `page`: 0 is the global interface, others belong to the queues that
  // name them.
  void doorbell(std::uint32_t page);

  // Answers requests and executes at most `budget` instructions of command streams. `now` is the
  // time at the call. Returns early when DeviceServices::yield_requested().
  RunState run(std::uint32_t budget, TimePoint now);

  FirmwareDump dump() const;
  // Bit n: a group that runs uses address space n; bit 0: the MCU is on.
  std::uint32_t address_spaces_in_use() const;

 private:
  std::unique_ptr<FirmwareCore> core_;
};

}  // namespace pantry::emu
