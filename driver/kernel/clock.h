// SPDX-License-Identifier: MIT
//
// Time for the driver. On real threads it is CLOCK_MONOTONIC; under simulation it is virtual and
// moves only when every thread waits.
//
// A limit that stands for hardware (100 ms for an acknowledge) must not expire because the machine
// is loaded: it has expired only when its time has passed *and* the device has been clocked
// kSlicesPerLimit times since it started (HardwareLimit). The 5 s job limit is plain time.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/types.h"

namespace pantry::driver {

// The host's side of clocking the device; set once by whoever composes the machine.
class DeviceHeartbeat {
 public:
  // How often the device has been given a slice, ever.
  virtual std::uint64_t slices() const noexcept = 0;
  // Asks for one more slice even if the device is idle. Allocates nothing, never blocks.
  virtual void request_slice() noexcept = 0;

 protected:
  ~DeviceHeartbeat() = default;
};

class Clock {
 public:
  static constexpr std::uint64_t kSlicesPerLimit = 50;

  // Any thread, any context.
  virtual TimePoint now() noexcept = 0;
  // CLOCK_MONOTONIC_RAW: the same time without the corrections of its rate. Under simulation there
  // are none.
  virtual TimePoint raw_now() noexcept { return now(); }
  // Sleeps. Locks may be held only as device polls do (poll). Allowed inside a SignallingSection:
  // it is bounded. Under simulation this is how an actor that is never idle (a device with work)
  // lets time pass.
  virtual void sleep(Duration duration) noexcept = 0;

  void set_heartbeat(DeviceHeartbeat* heartbeat) noexcept {
    heartbeat_.store(heartbeat, std::memory_order_release);
  }
  DeviceHeartbeat* heartbeat() const noexcept { return heartbeat_.load(std::memory_order_acquire); }

  // Device poll, the first of the three kinds of wait: tests `condition()` every `step` until it
  // holds (true) or the HardwareLimit `limit` expires (false, after one last test). Locks may be
  // held; nothing is allocated.
  template <class Condition>
  bool poll(Condition condition, Duration step, Duration limit);

 protected:
  ~Clock() = default;

 private:
  std::atomic<DeviceHeartbeat*> heartbeat_{nullptr};
};

// A limit on the device's answer, started by construction.
class HardwareLimit {
 public:
  HardwareLimit(Clock& clock, Duration limit) noexcept
      : clock_(clock),
        deadline_(clock.now() + limit),
        first_slice_(clock.heartbeat() ? clock.heartbeat()->slices() : 0) {}

  TimePoint deadline() const noexcept { return deadline_; }
  // Once the time has passed, each call also asks for a slice, so that an idle device is clocked
  // until it counts.
  bool expired() const noexcept {
    if (clock_.now() < deadline_) return false;
    DeviceHeartbeat* heartbeat = clock_.heartbeat();
    if (!heartbeat || heartbeat->slices() - first_slice_ >= Clock::kSlicesPerLimit) return true;
    heartbeat->request_slice();
    return false;
  }

 private:
  Clock& clock_;
  TimePoint deadline_;
  std::uint64_t first_slice_;
};

template <class Condition>
bool Clock::poll(Condition condition, Duration step, Duration limit) {
  if (condition()) return true;
  for (HardwareLimit hardware(*this, limit); !hardware.expired();) {
    sleep(step);
    if (condition()) return true;
  }
  return condition();
}

}  // namespace pantry::driver
