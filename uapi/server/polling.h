// SPDX-License-Identifier: MIT
//
// Both ends of a request look for what the other one sends for a moment before they sleep. Between
// two processors a sleeper costs more than the ioctl: the one that sends interrupts a processor
// that has halted, some 25 us each way under a hypervisor, and the host's scheduler parts two that
// share a processor whenever another one is free. Whoever polls may use no more than what sleeping
// would have cost; on one processor neither polls, for it would keep the other one from running.
//
// For the shim too: no C++ library.
#pragma once

#include <linux/ioctl.h>
#include <time.h>

#include <cstdint>

namespace pantry::wire {

inline constexpr std::int64_t kPollNs = 50'000;

// CLOCK_MONOTONIC.
inline std::int64_t poll_clock_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
}

// False for an ioctl that may wait for what other threads do, of which polling would take the
// processor; and its wait is to end at a signal, which polling does not notice. By numbers, for the
// shim is built without libdrm's headers.
constexpr bool answered_at_once(std::uint32_t command) {
  constexpr std::uint32_t kDrmType = 'd';
  constexpr std::uint32_t kSyncobjWait = 0xc3;
  constexpr std::uint32_t kSyncobjTimelineWait = 0xca;
  constexpr std::uint32_t kPanthorVmBind = 0x43;
  constexpr std::uint32_t kDmaBufType = 'b';
  constexpr std::uint32_t kDmaBufSync = 0;
  if (_IOC_TYPE(command) == kDmaBufType) return _IOC_NR(command) != kDmaBufSync;
  if (_IOC_TYPE(command) != kDrmType) return true;
  const std::uint32_t number = _IOC_NR(command);
  return number != kSyncobjWait && number != kSyncobjTimelineWait && number != kPanthorVmBind;
}

// When to poll: less and less often where nothing came of it. For one thread.
class Polling {
 public:
  // After so many times in vain, once in 64 waits: 0.8 us of each.
  static constexpr unsigned kMostSkipped = 63;

  // For the next wait.
  bool worth_while() {
    if (skip_ == 0) return true;
    --skip_;
    return false;
  }
  void found() { skipped_ /= 2; }
  void in_vain() {
    skipped_ = 2 * skipped_ + 1 < kMostSkipped ? 2 * skipped_ + 1 : kMostSkipped;
    skip_ = skipped_;
  }

 private:
  unsigned skipped_ = 0;  // after the last time in vain
  unsigned skip_ = 0;     // of the waits to come
};

}  // namespace pantry::wire
