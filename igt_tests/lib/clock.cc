// SPDX-License-Identifier: MIT

#include "igt_tests/lib/clock.h"

#include <time.h>

namespace gpu {

int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

void sleep_ns(int64_t duration) {
  timespec left{};
  left.tv_sec = duration / kSecond;
  left.tv_nsec = duration % kSecond;
  while (nanosleep(&left, &left) != 0) {
  }
}

int64_t deadline_in(int64_t timeout) { return timeout == 0 ? 0 : now_ns() + timeout; }

}  // namespace gpu
