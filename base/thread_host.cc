// SPDX-License-Identifier: MIT
#include "base/thread_host.h"

#include <time.h>

namespace pantry {
namespace {
thread_local constinit ThreadHost* current_host = nullptr;
}

ThreadHost* ThreadHost::current() noexcept { return current_host; }
void ThreadHost::set_current(ThreadHost* host) noexcept { current_host = host; }

TimePoint current_time() noexcept {
  if (current_host) return current_host->now();
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return {now.tv_sec * 1'000'000'000 + now.tv_nsec};
}

}  // namespace pantry
