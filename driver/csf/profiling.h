// SPDX-License-Identifier: MIT
//
// Which counters the GPU notes before and after a job, and where: a ring of 32-byte slots beside
// the queue's ring of instructions, one per job that fits there (panthor-uapi.md E.1, E.2).
#pragma once

#include <cstddef>
#include <cstdint>

#include "driver/csf/engine_usage.h"
#include "driver/csf/interface_block.h"
#include "driver/vm/vm.h"

namespace pantry::driver {

// The mask of the sysfs attribute `profiling` (panthor-uapi.md B.5).
enum class Profiling : std::uint8_t { kOff = 0, kCycles = 1, kTime = 2, kBoth = 3 };
constexpr bool notes_cycles(Profiling profiling) {
  return (static_cast<std::uint8_t>(profiling) & 1) != 0;
}
constexpr bool notes_time(Profiling profiling) {
  return (static_cast<std::uint8_t>(profiling) & 2) != 0;
}

// Where in a slot; each 8 bytes.
namespace profile_slot {
inline constexpr datasheet::Offset kCyclesBefore = 0;
inline constexpr datasheet::Offset kCyclesAfter = 8;
inline constexpr datasheet::Offset kTimeBefore = 16;
inline constexpr datasheet::Offset kTimeAfter = 24;
inline constexpr std::uint64_t kBytes = 32;
}  // namespace profile_slot

// Guarded by the lock of the queue whose jobs it is about. Allocates while it is created.
class ProfileSlots {
 public:
  // One slot per job that a ring of `ring_bytes` (ring.h) holds, in the kernel area of `vm`.
  // ENOMEM, ENOSPC.
  static Result<ProfileSlots> create(Vm& vm, std::uint32_t ring_bytes) PANTRY_MAY_ALLOCATE;

  std::uint32_t count() const { return count_; }
  // The next job's, zeroed. Its last user has finished: no more jobs are in flight than slots.
  std::uint32_t take() noexcept;
  GpuVa va(std::uint32_t slot) const;
  // What the GPU has noted there. 0 for what it noted only once: a stream that faulted never came
  // to the end.
  EngineUsage::Totals read(std::uint32_t slot) const noexcept;

 private:
  ProfileSlots(KernelMapping memory, std::uint32_t count);
  InterfaceBlock block(std::uint32_t slot) const;

  KernelMapping memory_;
  std::uint32_t count_;
  std::uint32_t next_ = 0;
};

}  // namespace pantry::driver
