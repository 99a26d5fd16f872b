// SPDX-License-Identifier: MIT
#include "base/mutex.h"

#include <pthread.h>

#include <chrono>

#include "base/check.h"
#include "base/thread_host.h"

namespace pantry {
namespace {

std::chrono::steady_clock::time_point native_time(TimePoint time) {
  return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(time.ns));
}

#if defined(PANTRY_TRAPS)
thread_local constinit unsigned held = 0;
#else
constexpr unsigned held = 0;
#endif

}  // namespace

#if defined(PANTRY_TRAPS)
void Mutex::count_lock() noexcept { ++held; }
void Mutex::count_unlock() noexcept { --held; }
#endif

unsigned Mutex::held_by_this_thread() noexcept { return held; }

// std::mutex leaves this out where it frees nothing. Here it finds a mutex that dies locked, and
// tells ThreadSanitizer that the next mutex at this address is another one.
Mutex::~Mutex() { PANTRY_CHECK(pthread_mutex_destroy(native_.native_handle()) == 0); }

void Mutex::lock_on(ThreadHost& host) {
  host.preempt();
  while (!native_.try_lock()) host.park(this, TimePoint::never());
}

void Mutex::tell(ThreadHost& host) const {
  host.wake_one(this);
  host.preempt();
}

void CondVar::wait(Mutex& mutex) { wait_until(mutex, TimePoint::never()); }

bool CondVar::wait_until(Mutex& mutex, TimePoint deadline) {
  if (ThreadHost* const host = ThreadHost::current()) {
    mutex.native_.unlock();
    host->wake_one(&mutex);
    const bool woken = host->park(this, deadline);
    while (!mutex.native_.try_lock()) host->park(&mutex, TimePoint::never());
    return woken;
  }
  std::unique_lock lock(mutex.native_, std::adopt_lock);
  bool woken = true;
  if (deadline == TimePoint::never())
    native_.wait(lock);
  else
    woken = native_.wait_until(lock, native_time(deadline)) == std::cv_status::no_timeout;
  lock.release();
  return woken;
}

void CondVar::notify_one() {
  if (ThreadHost* const host = ThreadHost::current()) {
    host->wake_one(this);
    host->preempt();
  } else {
    native_.notify_one();
  }
}

void CondVar::notify_all() {
  if (ThreadHost* const host = ThreadHost::current()) {
    host->wake(this);
    host->preempt();
  } else {
    native_.notify_all();
  }
}

}  // namespace pantry
