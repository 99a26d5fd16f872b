// SPDX-License-Identifier: MIT
#include "base/thread_host.h"

#include <time.h>

namespace pantry {

void ThreadHost::set_current(ThreadHost* host) noexcept { current_ = host; }

TimePoint current_time() noexcept {
  if (ThreadHost* const host = ThreadHost::current()) return host->now();
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return {now.tv_sec * 1'000'000'000 + now.tv_nsec};
}

}  // namespace pantry
