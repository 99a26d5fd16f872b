// SPDX-License-Identifier: MIT
#include "gpu_emu/power_domain.h"

#include "gpu_emu/datasheet/gpu_control_fields.h"

namespace pantry::emu {

using datasheet::gpu_control::GpuIrq;

PowerDomain::PowerDomain(RegisterFile& file, const Registers& registers, std::uint64_t present,
                         const Timing& timing, IrqBlock& gpu_irq, DeviceClock& clock)
    : registers_(registers), present_(present), timing_(timing), gpu_irq_(gpu_irq), clock_(clock) {
  file.declare_constant(registers.present, present);
  for (const datasheet::Register& reg :
       {registers.ready, registers.on, registers.off, registers.transition, registers.active}) {
    file.declare_handled(reg, *this);
  }
}

std::uint32_t PowerDomain::read_register(std::uint32_t offset) {
  const std::uint32_t reg = offset & ~std::uint32_t{4};
  // Units that are on are active: there is nothing that would let them rest.
  const std::uint64_t value = reg == registers_.transition ? in_transition() : ready();
  return static_cast<std::uint32_t>(value >> (offset & 4 ? 32 : 0));
}

void PowerDomain::write_register(std::uint32_t offset, std::uint32_t value) {
  const std::uint32_t reg = offset & ~std::uint32_t{4};
  const std::uint64_t units = (std::uint64_t{value} << (offset & 4 ? 32 : 0)) & present_;
  if (units == 0) return;  // the other half of a 64-bit write
  if (reg == registers_.off) return request(wanted_ & ~units);
  if (timing_.redundant_on == Quirks::RedundantPowerOn::kPowerCycles) on_ &= ~units;
  request(wanted_ | units);
}

void PowerDomain::request(std::uint64_t wanted) {
  if (wanted == wanted_ && in_transition() == 0) return;
  wanted_ = wanted;
  done_ = clock_.now() + timing_.transition;
  if (timing_.transition.ns == 0) {
    advance(done_);
  } else {
    clock_.work_arrived();
  }
}

TimePoint PowerDomain::advance(TimePoint now) {
  if (now < done_) return done_;
  on_ = wanted_;
  done_ = TimePoint::never();
  gpu_irq_.raise(GpuIrq::PowerChangedSingle::kMask | GpuIrq::PowerChangedAll::kMask);
  return done_;
}

void PowerDomain::reset() {
  on_ = wanted_ = 0;
  done_ = TimePoint::never();
}

}  // namespace pantry::emu
