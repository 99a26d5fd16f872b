// SPDX-License-Identifier: MIT
//
// Time for waits. Nothing here or in a test waits without a limit.
#pragma once

#include <cstdint>

namespace gpu {

inline constexpr int64_t kMillisecond = 1'000'000;
inline constexpr int64_t kSecond = 1'000'000'000;

// How long a job or a bind that should finish may take before the test fails. Longer than the
// driver's own limit of 5 s for a job, so that a hang shows as the driver reports it.
inline constexpr int64_t kPatience = 9 * kSecond;
// How long something that must not happen is watched.
inline constexpr int64_t kGlance = 20 * kMillisecond;

// Nanoseconds on CLOCK_MONOTONIC.
int64_t now_ns();
void sleep_ns(int64_t duration);
// What the calls that wait take: absolute time, in which 0 is a poll.
int64_t deadline_in(int64_t timeout);

// Polls `condition` until it holds or `limit` has passed; returns whether it held.
template <typename Predicate>
bool wait_until(int64_t limit, Predicate condition) {
  const int64_t deadline = now_ns() + limit;
  while (!condition()) {
    if (now_ns() > deadline) return false;
    sleep_ns(kMillisecond / 5);
  }
  return true;
}

}  // namespace gpu
