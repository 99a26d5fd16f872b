// SPDX-License-Identifier: MIT
#include "campaigns/hosts/bare_machine.h"

#include "base/check.h"
#include "gpu_emu/datasheet/mmu_int.h"

namespace pantry::campaigns {
namespace {

constexpr std::uint32_t kPresent = 0x0f;

}  // namespace

emu::Quirks BareMachine::quirks(emu::Quirks::Caching caching, std::uint64_t seed) {
  emu::Quirks quirks;
  quirks.caching = caching;
  quirks.speculation_seed = seed;
  quirks.fault_stalls = emu::Quirks::FaultStalls::kOffender;
  return quirks;
}

BareMachine::BareMachine(Placement placement, std::uint64_t seed, emu::Quirks::Caching caching,
                         LossyRegisters::Lost lost)
    : window_(uapi::DramWindow::map(kDramBytes).value()),
      frames_({window_.dram().base, kDramBytes}, {placement, seed, nullptr}),
      backing_(window_.dram()),
      buffers_(frames_, window_.dram(), backing_),
      pages_(frames_, window_.dram()),
      irq_(file_,
           {datasheet::mmu_int::kRawstat, datasheet::mmu_int::kClear, datasheet::mmu_int::kMask,
            datasheet::mmu_int::kStatus},
           *this),
      mmu_(quirks(caching, seed), {window_.dram(), kPresent, {48, 40}}, file_, irq_, *this, *this),
      registers_(lost),
      spaces_(registers_.put_before(*this), executor_.clock(), kPresent, *this, *this),
      cleanup_(executor_.lane(driver::Lane::kCleanup)),
      device_{executor_, cleanup_, window_.dram(), spaces_, buffers_, pages_, *this} {}

BareMachine::~BareMachine() { pump(); }

std::optional<PhysAddr> BareMachine::reach(std::uint32_t as, GpuVa va, emu::Access access) {
  const emu::Translation there = mmu_.translate({static_cast<std::uint8_t>(as)}, va, access);
  if (there.status != emu::MemoryStatus::kOk) return std::nullopt;
  return window_.dram().base + static_cast<std::uint64_t>(there.host - window_.dram().host);
}

}  // namespace pantry::campaigns
