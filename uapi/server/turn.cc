// SPDX-License-Identifier: MIT
#include "uapi/server/turn.h"

#include "base/thread_host.h"

namespace pantry::uapi {

bool Turn::await(Thread thread) {
  MutexLock lock(mutex_);
  if (waiting_ && thread == Thread::kOther) return false;
  while (waiting_) {
    dismissed_ = true;
    called_.notify_one();
    gone_.wait(mutex_);
  }
  if (stopped_) return false;
  waiting_ = true;
  const bool taken = watch();
  waiting_ = false;
  dismissed_ = false;
  gone_.notify_one();
  return taken;
}

bool Turn::watch() {
  std::uint64_t seen = loans_.load();
  Duration idle{};
  while (!stopped_ && !dismissed_) {
    const Duration a_while = patience();
    called_.wait_until(mutex_, current_time() + a_while);
    std::uint64_t loans = loans_.load();
    if (loans == seen && is_lent(loans)) {
      if (!stopped_ && take(loans)) return true;
    } else if (loans != seen) {
      idle = {};
    } else if ((idle = idle + a_while) >= kIdle) {
      idle = {};
      asleep_ = true;
      // Again, for a loan that has begun meanwhile has not seen us asleep.
      while (loans_.load() == seen && !stopped_ && !dismissed_) called_.wait(mutex_);
      asleep_ = false;
      loans = loans_.load();
    }
    seen = loans;
  }
  return false;
}

bool Turn::take(std::uint64_t loans) {
  late_.fetch_add(1);  // before whose loan it is can come back
  if (loans_.compare_exchange_strong(loans, loans + 1)) return true;
  late_.fetch_sub(1);
  return false;
}

bool Turn::awaited() {
  MutexLock lock(mutex_);
  return waiting_;
}

void Turn::wake() {
  MutexLock lock(mutex_);
  called_.notify_one();
}

void Turn::stop() {
  MutexLock lock(mutex_);
  stopped_ = true;
  called_.notify_one();
}

}  // namespace pantry::uapi
