// SPDX-License-Identifier: MIT
//
// The power of one kind of unit (L2 slices, tilers, shader cores): PRESENT, READY, PWRON, PWROFF,
// PWRTRANS, PWRACTIVE. A unit that is switched on is READY when its transition is over, one that is
// switched off is not from the start.
//
// State of the device, under its lock. Nothing here allocates after construction.
#pragma once

#include <cstdint>

#include "base/types.h"
#include "gpu_emu/mmio/device_clock.h"
#include "gpu_emu/mmio/irq_block.h"
#include "gpu_emu/mmio/register_file.h"
#include "gpu_emu/quirks.h"

namespace pantry::emu {

class PowerDomain final : private RegisterHandler {
 public:
  struct Registers {
    datasheet::Register present, ready, on, off, transition, active;
  };
  struct Timing {
    Duration transition;
    Quirks::RedundantPowerOn redundant_on;
  };
  // Declares its registers in `file`. `gpu_irq` is told of completed transitions. All references
  // outlive the domain.
  PowerDomain(RegisterFile& file, const Registers& registers, std::uint64_t present,
              const Timing& timing, IrqBlock& gpu_irq, DeviceClock& clock);
  PowerDomain(const PowerDomain&) = delete;
  PowerDomain& operator=(const PowerDomain&) = delete;

  // Ends the transition whose time has come; when the present one will end, or never().
  TimePoint advance(TimePoint now);
  // As PWRON and PWROFF do, so that exactly `units` are on: what the firmware asks for.
  void set(std::uint64_t units) { request(units & present_); }
  // Off, at once and without an interrupt.
  void reset();

  std::uint64_t ready() const { return on_ & wanted_; }
  std::uint64_t in_transition() const { return on_ ^ wanted_; }

 private:
  std::uint32_t read_register(std::uint32_t offset) override;
  void write_register(std::uint32_t offset, std::uint32_t value) override;
  void request(std::uint64_t wanted);

  const Registers registers_;
  const std::uint64_t present_;
  const Timing timing_;
  IrqBlock& gpu_irq_;
  DeviceClock& clock_;
  std::uint64_t on_ = 0;      // before the transition in progress
  std::uint64_t wanted_ = 0;  // after it
  TimePoint done_ = TimePoint::never();
};

}  // namespace pantry::emu
