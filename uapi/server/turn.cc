// SPDX-License-Identifier: MIT
#include "uapi/server/turn.h"

#include "base/thread_host.h"

namespace pantry::uapi {

bool Turn::await() {
  MutexLock lock(mutex_);
  ++waiting_;
  while (watched_ && !stopped_) watcher_gone_.wait(mutex_);
  bool taken = false;
  if (!stopped_) {
    watched_ = true;
    taken = watch();
    watched_ = false;
    watcher_gone_.notify_one();
  }
  --waiting_;
  return taken;
}

bool Turn::watch() {
  std::uint64_t seen = loans_.load();
  unsigned idle = 0;
  while (!stopped_) {
    loan_begun_.wait_until(mutex_, current_time() + kPatience);
    std::uint64_t loans = loans_.load();
    if (loans == seen && is_lent(loans)) {
      if (!stopped_ && loans_.compare_exchange_strong(loans, loans + 1)) return true;
    } else if (loans != seen) {
      idle = 0;
    } else if (++idle == kIdleLooks) {
      idle = 0;
      asleep_ = true;
      // Again, for a loan that has begun meanwhile has not seen us asleep.
      while (loans_.load() == seen && !stopped_) loan_begun_.wait(mutex_);
      asleep_ = false;
      loans = loans_.load();
    }
    seen = loans;
  }
  return false;
}

bool Turn::awaited() {
  MutexLock lock(mutex_);
  return waiting_ != 0;
}

void Turn::wake() {
  MutexLock lock(mutex_);
  loan_begun_.notify_one();
}

void Turn::stop() {
  MutexLock lock(mutex_);
  stopped_ = true;
  loan_begun_.notify_all();
  watcher_gone_.notify_all();
}

}  // namespace pantry::uapi
