// SPDX-License-Identifier: MIT
//
// The thread that clocks the device: runs it while it is busy, sleeps while it is idle, and counts
// the slices it gave (driver/kernel/clock.h). Under simulation a slice also takes virtual time, so
// that a stream that never ends does not stop the clock.
#pragma once

#include <atomic>

#include "driver/kernel/executor.h"
#include "gpu_emu/gpu.h"

namespace pantry::uapi {

class DeviceHost final : public emu::Wake,
                         public emu::TimeSource,
                         public driver::DeviceHeartbeat,
                         private driver::ThreadBody {
 public:
  explicit DeviceHost(driver::Executor& executor) : executor_(executor) {}
  // Stopped by then, and joined (Executor::join_spawned).
  ~DeviceHost() = default;

  // Once. `gpu` lives until stop() has returned.
  void start(emu::Gpu& gpu);
  // Returns when the device runs no more. No effect before start().
  void stop();

  void wake() override;
  TimePoint now() override { return executor_.clock().now(); }
  std::uint64_t slices() const noexcept override { return slices_.load(std::memory_order_acquire); }
  void request_slice() noexcept override { wake(); }

 private:
  // Instructions per call of Gpu::run; a register access gets in between after 64.
  static constexpr std::uint32_t kBudget = 4096;
  static constexpr Duration kSimulatedSlice = microseconds(4);

  void run() override;
  bool sleep_until_needed(const emu::RunState& state);

  driver::Executor& executor_;
  emu::Gpu* gpu_ = nullptr;
  std::atomic<std::uint64_t> slices_{0};
  // Leaf lock: taken by wake() under the device's.
  Mutex mutex_;
  CondVar changed_;
  bool woken_ PANTRY_GUARDED_BY(mutex_) = false;
  enum class Phase {
    kNotStarted,
    kRunning,
    kStopping,
    kStopped
  } phase_ PANTRY_GUARDED_BY(mutex_) = Phase::kNotStarted;
};

}  // namespace pantry::uapi
