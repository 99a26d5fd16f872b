// SPDX-License-Identifier: MIT
//
// The GPU_CONTROL block: identity, power, the commands and the GPU interrupt. mali-csf-hw.md §1.2,
// §1.7.
//
// Commands are one at a time, under a leaf lock that is held until the command is complete; under
// it the device is polled and nothing else. Their completion is read from RAWSTAT by whoever waits,
// so their interrupts stay masked: they would only wake a thread that has nothing to do. Allocates
// nothing but log lines, in the power sequences and in the interrupt.
#pragma once

#include "base/mutex.h"
#include "base/signalling.h"
#include "driver/device/device.h"
#include "driver/mmu/cache_flusher.h"
#include "gpu_emu/ports.h"

namespace pantry::driver {

class GpuBlock final : public CacheFlusher {
 public:
  GpuBlock(emu::Mmio& mmio, Clock& clock) : mmio_(mmio), clock_(clock) {}

  GpuInfo read_info();
  // Any context.
  GpuTime read_time() noexcept;

  // The L2, of the only core group. ETIMEDOUT after 20 ms.
  Result<> power_on() PANTRY_MAY_ALLOCATE;
  Result<> power_off() PANTRY_MAY_ALLOCATE;
  // Address spaces, MCU and power are off afterwards. ETIMEDOUT after 100 ms.
  Result<> soft_reset() PANTRY_MAY_ALLOCATE;
  Outcome flush_all_caches() noexcept override;

  void unmask_interrupt();
  void mask_interrupt();
  // The body of the GPU interrupt: bus faults, which are logged.
  void handle_interrupt() PANTRY_MAY_ALLOCATE;

 private:
  // Writes `command` and waits for `completion`, a bit of the GPU interrupt.
  bool run_command(std::uint32_t command, std::uint32_t completion) noexcept;

  std::uint64_t read_counter(datasheet::Register counter) noexcept;

  emu::Mmio& mmio_;
  Clock& clock_;
  Mutex command_mutex_;
};

}  // namespace pantry::driver
