// SPDX-License-Identifier: MIT
#include "base/mutex.h"

#include <chrono>

#include "base/thread_host.h"

namespace pantry {
namespace {

std::chrono::steady_clock::time_point native_time(TimePoint time) {
  return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(time.ns));
}

}  // namespace

void Mutex::lock() PANTRY_NO_THREAD_SAFETY_ANALYSIS {
  ThreadHost* const host = ThreadHost::current();
  if (!host) {
    native_.lock();
    return;
  }
  host->preempt();
  while (!native_.try_lock()) host->park(this, TimePoint::never());
}

void Mutex::unlock() PANTRY_NO_THREAD_SAFETY_ANALYSIS {
  native_.unlock();
  if (ThreadHost* const host = ThreadHost::current()) {
    host->wake(this);
    host->preempt();
  }
}

void CondVar::wait(Mutex& mutex) PANTRY_NO_THREAD_SAFETY_ANALYSIS {
  if (ThreadHost* const host = ThreadHost::current()) {
    mutex.native_.unlock();
    host->wake(&mutex);
    host->park(this, TimePoint::never());
    while (!mutex.native_.try_lock()) host->park(&mutex, TimePoint::never());
    return;
  }
  std::unique_lock lock(mutex.native_, std::adopt_lock);
  native_.wait(lock);
  lock.release();
}

bool CondVar::wait_until(Mutex& mutex, TimePoint deadline) PANTRY_NO_THREAD_SAFETY_ANALYSIS {
  if (ThreadHost* const host = ThreadHost::current()) {
    mutex.native_.unlock();
    host->wake(&mutex);
    const bool woken = host->park(this, deadline);
    while (!mutex.native_.try_lock()) host->park(&mutex, TimePoint::never());
    return woken;
  }
  if (deadline == TimePoint::never()) {
    wait(mutex);
    return true;
  }
  std::unique_lock lock(mutex.native_, std::adopt_lock);
  const std::cv_status status = native_.wait_until(lock, native_time(deadline));
  lock.release();
  return status == std::cv_status::no_timeout;
}

void CondVar::notify_all() {
  native_.notify_all();
  if (ThreadHost* const host = ThreadHost::current()) {
    host->wake(this);
    host->preempt();
  }
}

}  // namespace pantry
