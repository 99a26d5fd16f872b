// SPDX-License-Identifier: MIT
#include "driver/device/gpu_block.h"

#include "base/log.h"
#include "gpu_emu/datasheet/gpu_control.h"

namespace pantry::driver {
namespace {

namespace regs = datasheet::gpu_control;
using datasheet::CacheFlush;
using regs::GpuIrq;

constexpr const char* kRoom = "driver/device";
constexpr std::uint32_t kFaults = GpuIrq::Fault::kMask | GpuIrq::ProtectedFault::kMask;
constexpr std::uint64_t kOnlyL2 = 1;
constexpr Duration kPowerStep = microseconds(100);
constexpr Duration kPowerLimit = milliseconds(20);
constexpr Duration kCommandStep = microseconds(10);
constexpr Duration kCommandLimit = milliseconds(100);

constexpr std::uint32_t kSoftReset = regs::Command::Type::of(regs::CommandType::kReset) |
                                     regs::CommandReset::Mode::of(regs::ResetMode::kSoft);
static_assert(kSoftReset == 0x101);
constexpr std::uint32_t kFlushAll =
    regs::Command::Type::of(regs::CommandType::kFlushCaches) |
    regs::CommandFlush::L2::of(CacheFlush::kCleanInvalidate) |
    regs::CommandFlush::LoadStore::of(CacheFlush::kCleanInvalidate) |
    regs::CommandFlush::Other::of(CacheFlush::kInvalidate);
static_assert(kFlushAll == 0x2'3304);

}  // namespace

GpuInfo GpuBlock::read_info() {
  GpuInfo info{};
  info.gpu_id = mmio_.read32(regs::kGpuId);
  info.gpu_rev = mmio_.read32(regs::kRevId);
  info.csf_id = mmio_.read32(regs::kCsfId);
  info.l2_features = mmio_.read32(regs::kL2Features);
  info.tiler_features = mmio_.read32(regs::kTilerFeatures);
  info.mem_features = mmio_.read32(regs::kMemFeatures);
  info.mmu_features = mmio_.read32(regs::kMmuFeatures);
  info.thread_features = mmio_.read32(regs::kThreadFeatures);
  info.max_threads = mmio_.read32(regs::kThreadMaxThreads);
  info.thread_max_workgroup_size = mmio_.read32(regs::kThreadMaxWorkgroupSize);
  info.thread_max_barrier_size = mmio_.read32(regs::kThreadMaxBarrierSize);
  info.coherency_features = mmio_.read32(regs::kCoherencyFeatures);
  info.texture_features[0] = mmio_.read32(regs::kTextureFeatures0);
  info.texture_features[1] = mmio_.read32(regs::kTextureFeatures1);
  info.texture_features[2] = mmio_.read32(regs::kTextureFeatures2);
  info.texture_features[3] = mmio_.read32(regs::kTextureFeatures3);
  info.as_present = mmio_.read32(regs::kAsPresent);
  info.selected_coherency = static_cast<std::uint32_t>(regs::CoherencyProtocol::kNone);
  info.shader_present = mmio_.read64(regs::kShaderPresent);
  info.l2_present = mmio_.read64(regs::kL2Present);
  info.tiler_present = mmio_.read64(regs::kTilerPresent);
  info.core_features = mmio_.read32(regs::kCoreFeatures);
  info.gpu_features = mmio_.read64(regs::kGpuFeatures);
  return info;
}

// The halves of a counter that runs: the upper one on both sides of the lower one, until it has
// stood still.
std::uint64_t GpuBlock::read_counter(datasheet::Register counter) noexcept {
  for (;;) {
    const std::uint32_t high = mmio_.read32(counter.offset + 4);
    const std::uint32_t low = mmio_.read32(counter.offset);
    if (mmio_.read32(counter.offset + 4) == high) return std::uint64_t{high} << 32 | low;
  }
}

GpuTime GpuBlock::read_time() noexcept {
  return {.timestamp = read_counter(regs::kTimestamp),
          .timestamp_offset = mmio_.read64(regs::kTimestampOffset),
          .cycles = read_counter(regs::kCycleCount)};
}

Result<> GpuBlock::power_on() {
  const auto settled = [this] { return (mmio_.read64(regs::kL2PwrTrans) & kOnlyL2) == 0; };
  const auto ready = [this] { return (mmio_.read64(regs::kL2Ready) & kOnlyL2) != 0; };
  if (clock_.poll(settled, kPowerStep, kPowerLimit)) {
    mmio_.write64(regs::kL2PwrOn, kOnlyL2);
    if (clock_.poll(ready, kPowerStep, kPowerLimit)) return {};
  }
  log_error(kRoom, "the L2 cache does not power up: ready {:#x}, in transition {:#x}",
            mmio_.read64(regs::kL2Ready), mmio_.read64(regs::kL2PwrTrans));
  return Error(Errno::kTimedOut);
}

Result<> GpuBlock::power_off() {
  const auto settled = [this] { return (mmio_.read64(regs::kL2PwrTrans) & kOnlyL2) == 0; };
  if (clock_.poll(settled, kPowerStep, kPowerLimit)) {
    mmio_.write64(regs::kL2PwrOff, kOnlyL2);
    if (clock_.poll(settled, kPowerStep, kPowerLimit)) return {};
  }
  log_error(kRoom, "the L2 cache does not power down");
  return Error(Errno::kTimedOut);
}

bool GpuBlock::run_command(std::uint32_t command, std::uint32_t completion) noexcept {
  MutexLock lock(command_mutex_);
  mmio_.write32(regs::kIrqClear, completion);
  mmio_.write32(regs::kCommand, command);
  const auto complete = [&] { return (mmio_.read32(regs::kIrqRawstat) & completion) != 0; };
  return clock_.poll(complete, kCommandStep, kCommandLimit);
}

Result<> GpuBlock::soft_reset() {
  if (run_command(kSoftReset, GpuIrq::ResetCompleted::kMask)) return {};
  log_error(kRoom, "the soft reset does not end");
  return Error(Errno::kTimedOut);
}

CacheFlusher::Outcome GpuBlock::flush_all_caches() noexcept {
  return run_command(kFlushAll, GpuIrq::CleanCachesCompleted::kMask) ? Outcome::kDone
                                                                     : Outcome::kTimedOut;
}

void GpuBlock::unmask_interrupt() {
  mmio_.write32(regs::kIrqClear, kFaults);
  mmio_.write32(regs::kIrqMask, kFaults);
}

void GpuBlock::mask_interrupt() { mmio_.write32(regs::kIrqMask, 0); }

void GpuBlock::handle_interrupt() {
  for (;;) {
    const std::uint32_t bits = mmio_.read32(regs::kIrqStatus);
    if (bits == 0) return;
    using datasheet::gpu_control::FaultStatus;
    const std::uint32_t status = mmio_.read32(regs::kFaultStatus);
    const auto type = FaultStatus::Type::get(status);
    log_error(kRoom, "GPU fault: {} ({:#x}) on {} of physical address {:#x}, address space {}",
              datasheet::name_of(type), static_cast<unsigned>(type),
              datasheet::name_of(FaultStatus::Access::get(status)),
              mmio_.read64(regs::kFaultAddress), FaultStatus::Jasid::get(status));
    if ((bits & GpuIrq::ProtectedFault::kMask) != 0)
      log_error(kRoom, "GPU fault in protected mode");
    // After the latch was read.
    mmio_.write32(regs::kIrqClear, bits);
  }
}

}  // namespace pantry::driver
