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

}  // namespace gpu
