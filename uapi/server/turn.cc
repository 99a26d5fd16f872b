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
  unsigned idle = 0;
  while (!stopped_ && !dismissed_) {
    called_.wait_until(mutex_, current_time() + kPatience);
    std::uint64_t loans = loans_.load();
    if (loans == seen && is_lent(loans)) {
      if (!stopped_ && loans_.compare_exchange_strong(loans, loans + 1)) return true;
    } else if (loans != seen) {
      idle = 0;
    } else if (++idle == kIdleLooks) {
      idle = 0;
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
