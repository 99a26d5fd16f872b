// SPDX-License-Identifier: MIT
//
// The register blocks of the address spaces and the MMU interrupt, as sequences of register
// accesses and nothing more: who sits in which slot is AddressSpaces' business. mali-csf-hw.md
// §1.4, §1.5.
//
// Every command is written once the one before has finished. A command that has not finished after
// 100 ms makes the sequence stop and return kTimedOut; a reset was asked for. No lock of its own:
// the caller serialises all calls. Allocates nothing; only polls, so allowed inside a
// SignallingSection.
#pragma once

#include <cstdint>

#include "base/types.h"
#include "driver/kernel/clock.h"
#include "driver/kernel/reset_request.h"
#include "driver/mmu/as_config.h"
#include "gpu_emu/datasheet/address_space.h"
#include "gpu_emu/ports.h"

namespace pantry::driver {

// A latched MMU fault.
struct MmuFault {
  std::uint32_t as = 0;
  GpuVa address;
  std::uint32_t status = 0;  // FAULTSTATUS as read: datasheet::address_space::FaultStatus
};

class AsRegisters {
 public:
  static constexpr std::uint32_t kMaxCount = datasheet::address_space::kMaxCount;
  enum class [[nodiscard]] Outcome{kDone, kTimedOut};

  AsRegisters(emu::Mmio& mmio, Clock& clock, ResetRequest& reset)
      : mmio_(mmio), clock_(clock), reset_(reset) {}

  // Accesses to the region around `range` wait from now on.
  Outcome lock(std::uint32_t as, GpuRange range);
  // Drops what is cached of the locked region, and lets go.
  Outcome unlock(std::uint32_t as);
  // LOCK of everything, FLUSH_MEM, new values, UPDATE. Releases a locked region.
  Outcome enable(std::uint32_t as, const AsConfig& config);
  Outcome disable(std::uint32_t as);

  // The latch of `as`.
  MmuFault read_fault(std::uint32_t as);
  // Address spaces with a fault whose interrupt is not masked.
  std::uint32_t pending_faults();
  void clear_faults(std::uint32_t bits);
  void set_fault_mask(std::uint32_t bits);

 private:
  using Command = datasheet::address_space::Command;
  Outcome wait_idle(std::uint32_t as);
  Outcome command(std::uint32_t as, Command command);
  Outcome flush_and_set(std::uint32_t as, const AsConfig& config);

  emu::Mmio& mmio_;
  Clock& clock_;
  ResetRequest& reset_;
};

}  // namespace pantry::driver
