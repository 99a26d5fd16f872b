// SPDX-License-Identifier: MIT
#include "uapi/machine/device_host.h"

#include "base/check.h"
#include "base/thread_host.h"
#include "driver/kernel/allocation_trap.h"

namespace pantry::uapi {

void DeviceHost::start(emu::Gpu& gpu) {
  {
    MutexLock lock(mutex_);
    PANTRY_CHECK(phase_ == Phase::kNotStarted);
    phase_ = Phase::kRunning;
  }
  gpu_ = &gpu;
  executor_.spawn("device", *this);
}

void DeviceHost::stop() {
  MutexLock lock(mutex_);
  if (phase_ == Phase::kNotStarted) return;
  phase_ = Phase::kStopping;
  changed_.notify_all();
  while (phase_ != Phase::kStopped) changed_.wait(mutex_);
}

void DeviceHost::wake() {
  MutexLock lock(mutex_);
  woken_ = true;
  changed_.notify_all();
}

bool DeviceHost::sleep_until_needed(const emu::RunState& state) {
  MutexLock lock(mutex_);
  const TimePoint until =
      state.kind == emu::RunState::Kind::kIdle ? TimePoint::never() : state.until;
  if (state.kind != emu::RunState::Kind::kBusy)
    while (!woken_ && phase_ == Phase::kRunning && changed_.wait_until(mutex_, until)) {
    }
  woken_ = false;
  if (phase_ == Phase::kRunning) return true;
  phase_ = Phase::kStopped;
  changed_.notify_all();
  return false;
}

void DeviceHost::run() {
  // The emulation may allocate where hardware has nothing that the driver could wait for.
  const driver::AllocationTrapPause pause;
  for (;;) {
    const emu::RunState state = gpu_->run(kBudget);
    slices_.fetch_add(1, std::memory_order_acq_rel);
    if (state.kind == emu::RunState::Kind::kBusy && ThreadHost::current())
      executor_.clock().sleep(kSimulatedSlice);
    if (!sleep_until_needed(state)) return;
  }
}

}  // namespace pantry::uapi
