// SPDX-License-Identifier: MIT
//
// What the command streams and the firmware need of the rest of the device: interrupts, clocks, the
// flush counter and the MCU's state register. Memory is not here (mmu/gpu_memory.h), nor is waking
// the host: whatever gives the firmware work is a register access or the passing of time, and
// Gpu::run sees both.
//
// Called with the device's lock held. Nothing here allocates or blocks.
#pragma once

#include <cstdint>

#include "base/types.h"

namespace pantry::emu {

// MCU_STATUS.
enum class McuStatus : std::uint32_t { kDisabled = 0, kEnabled = 1, kHalted = 2, kFatal = 3 };

class DeviceServices {
 public:
  // Sets bits of JOB_INT_RAWSTAT: bit n for CSG slot n, bit 31 for the global interface. Called
  // after the release store of whatever the bits announce.
  virtual void raise_job_interrupt(std::uint32_t bits) = 0;
  virtual void set_mcu_status(McuStatus status) = 0;

  // GPU_TIMESTAMP (with its offset) and GPU_CYCLE_COUNT as the registers read.
  virtual std::uint64_t timestamp() = 0;
  virtual std::uint64_t cycle_count() = 0;
  // Whether cycles are counted for the firmware, whatever GPU_COMMAND says.
  enum class Counters : std::uint8_t { kOff, kOn };
  virtual void set_counters(Counters counters) = 0;
  // Exactly these shader cores and tilers are to have power; takes as long as by register.
  virtual void power_endpoints(std::uint64_t cores, std::uint64_t tilers) = 0;

  // LATEST_FLUSH, and the completion of one more cache flush, which advances it (never to 0).
  virtual std::uint32_t latest_flush() = 0;
  virtual void complete_cache_flush() = 0;

  virtual TimePoint now() = 0;
  // True when a register access waits for the device's lock: run() then returns after at most 64
  // more instructions. One relaxed load.
  virtual bool yield_requested() = 0;

 protected:
  ~DeviceServices() = default;
};

}  // namespace pantry::emu
