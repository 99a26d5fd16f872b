// SPDX-License-Identifier: MIT
#include "driver/mmu/as_registers.h"

#include "gpu_emu/datasheet/lock_region.h"
#include "gpu_emu/datasheet/mmu_int.h"

namespace pantry::driver {

namespace {

namespace regs = datasheet::address_space;
namespace mmu_int = datasheet::mmu_int;

constexpr Duration kStep = microseconds(10);
constexpr Duration kLimit = milliseconds(100);

constexpr GpuRange kEverything{{0}, {UINT64_MAX}};
// 0x3f: 2^64 bytes at 0.
static_assert(datasheet::lock_region::encode(kEverything) == 0x3f);

constexpr AsConfig kDisabled{{0}, 0, regs::Transcfg::Mode::of(regs::AddressMode::kUnmapped)};
static_assert(kDisabled.transcfg == 1);

}  // namespace

AsRegisters::Outcome AsRegisters::wait_idle(std::uint32_t as) {
  const bool idle = clock_.poll(
      [&] { return !regs::Status::Active::get(mmio_.read32(regs::offset_of(as, regs::kStatus))); },
      kStep, kLimit);
  if (idle) return Outcome::kDone;
  reset_.request_reset("an address-space command did not finish");
  return Outcome::kTimedOut;
}

AsRegisters::Outcome AsRegisters::command(std::uint32_t as, Command command) {
  if (wait_idle(as) == Outcome::kTimedOut) return Outcome::kTimedOut;
  mmio_.write32(regs::offset_of(as, regs::kCommand), static_cast<std::uint32_t>(command));
  return Outcome::kDone;
}

AsRegisters::Outcome AsRegisters::lock(std::uint32_t as, GpuRange range) {
  // Before LOCKADDR is touched: a command in progress may still read it.
  if (wait_idle(as) == Outcome::kTimedOut) return Outcome::kTimedOut;
  mmio_.write64(regs::offset_of(as, regs::kLockaddr), datasheet::lock_region::encode(range));
  if (command(as, Command::kLock) == Outcome::kTimedOut) return Outcome::kTimedOut;
  return wait_idle(as);
}

AsRegisters::Outcome AsRegisters::unlock(std::uint32_t as) {
  if (command(as, Command::kUnlock) == Outcome::kTimedOut) return Outcome::kTimedOut;
  return wait_idle(as);
}

AsRegisters::Outcome AsRegisters::flush_and_set(std::uint32_t as, const AsConfig& config) {
  if (lock(as, kEverything) == Outcome::kTimedOut) return Outcome::kTimedOut;
  if (command(as, Command::kFlushMem) == Outcome::kTimedOut) return Outcome::kTimedOut;
  if (wait_idle(as) == Outcome::kTimedOut) return Outcome::kTimedOut;
  mmio_.write64(regs::offset_of(as, regs::kTranstab), config.root.value);
  mmio_.write64(regs::offset_of(as, regs::kMemattr), config.memattr);
  mmio_.write64(regs::offset_of(as, regs::kTranscfg), config.transcfg);
  if (command(as, Command::kUpdate) == Outcome::kTimedOut) return Outcome::kTimedOut;
  return wait_idle(as);
}

AsRegisters::Outcome AsRegisters::enable(std::uint32_t as, const AsConfig& config) {
  return flush_and_set(as, config);
}

AsRegisters::Outcome AsRegisters::disable(std::uint32_t as) { return flush_and_set(as, kDisabled); }

MmuFault AsRegisters::read_fault(std::uint32_t as) {
  MmuFault fault;
  fault.as = as;
  fault.status = mmio_.read32(regs::offset_of(as, regs::kFaultStatus));
  fault.address = {mmio_.read64(regs::offset_of(as, regs::kFaultAddress))};
  return fault;
}

std::uint32_t AsRegisters::pending_faults() {
  return mmu_int::PageFaults::get(mmio_.read32(mmu_int::kStatus));
}

void AsRegisters::clear_faults(std::uint32_t bits) { mmio_.write32(mmu_int::kClear, bits); }

void AsRegisters::set_fault_mask(std::uint32_t bits) { mmio_.write32(mmu_int::kMask, bits); }

}  // namespace pantry::driver
