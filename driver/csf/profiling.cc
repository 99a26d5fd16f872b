// SPDX-License-Identifier: MIT
#include "driver/csf/profiling.h"

#include <utility>

#include "base/check.h"
#include "driver/csf/job_stream.h"

namespace pantry::driver {
namespace {

std::uint64_t passed(std::uint64_t before, std::uint64_t after) {
  return before != 0 && after > before ? after - before : 0;
}

}  // namespace

Result<ProfileSlots> ProfileSlots::create(Vm& vm, std::uint32_t ring_bytes) {
  const std::uint32_t count = ring_bytes / JobStream::kFewestBytes;
  PANTRY_TRY_ASSIGN(KernelMapping memory,
                    vm.map_kernel(count * profile_slot::kBytes, Prot::kNoExec | Prot::kUncached));
  return ProfileSlots(std::move(memory), count);
}

ProfileSlots::ProfileSlots(KernelMapping memory, std::uint32_t count)
    : memory_(std::move(memory)), count_(count) {}

InterfaceBlock ProfileSlots::block(std::uint32_t slot) const {
  PANTRY_CHECK(slot < count_);
  return InterfaceBlock(static_cast<std::byte*>(memory_.cpu()) + slot * profile_slot::kBytes);
}

GpuVa ProfileSlots::va(std::uint32_t slot) const {
  PANTRY_CHECK(slot < count_);
  return memory_.va() + slot * profile_slot::kBytes;
}

std::uint32_t ProfileSlots::take() noexcept {
  const std::uint32_t slot = next_;
  next_ = (next_ + 1) % count_;
  for (datasheet::Offset at = 0; at < profile_slot::kBytes; at += 8) block(slot).store64(at, 0);
  return slot;
}

EngineUsage::Totals ProfileSlots::read(std::uint32_t slot) const noexcept {
  const InterfaceBlock noted = block(slot);
  return {
      passed(noted.load64(profile_slot::kCyclesBefore), noted.load64(profile_slot::kCyclesAfter)),
      passed(noted.load64(profile_slot::kTimeBefore), noted.load64(profile_slot::kTimeAfter))};
}

}  // namespace pantry::driver
