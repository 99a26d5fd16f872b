// SPDX-License-Identifier: MIT
//
// The one mutex and the one condition variable of Pantry: annotated for clang's thread-safety
// analysis, and aware of simulation (thread_host.h). Neither allocates. On a simulated thread each
// lock, unlock, wait and notify is a point at which the seed may let another thread go on.
// Deadlines are on CLOCK_MONOTONIC, or virtual under simulation.
//
// Builds with PANTRY_TRAPS count the mutexes that a thread holds, so that a wait that must hold
// none can say so.
//
// Which locks may be taken inside a SignallingSection is said where each lock is declared.
#pragma once

#include <condition_variable>
#include <mutex>

#include "base/thread_annotations.h"
#include "base/thread_host.h"
#include "base/types.h"

namespace pantry {

class PANTRY_CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  // Not locked by then (CHECK).
  ~Mutex();
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() PANTRY_ACQUIRE() {
    if (ThreadHost* const host = ThreadHost::current()) [[unlikely]]
      lock_on(*host);
    else
      native_.lock();
    count_lock();
  }
  // For the analysis alone, in a function object that is called with the lock held.
  void assert_held() const PANTRY_ASSERT_CAPABILITY(this) {}
  void unlock() PANTRY_RELEASE() {
    count_unlock();
    native_.unlock();
    // From here on `this` is only a number: the mutex may be gone already.
    if (ThreadHost* const host = ThreadHost::current()) [[unlikely]]
      tell(*host);
  }

  // How many mutexes the calling thread holds; 0 in builds without PANTRY_TRAPS.
  static unsigned held_by_this_thread() noexcept;

 private:
  friend class CondVar;
  // On a simulated thread.
  void lock_on(ThreadHost& host);
  void tell(ThreadHost& host) const;
#if defined(PANTRY_TRAPS)
  static void count_lock() noexcept;
  static void count_unlock() noexcept;
#else
  static void count_lock() noexcept {}
  static void count_unlock() noexcept {}
#endif
  std::mutex native_;
};

// Holds `mutex` for its scope.
class PANTRY_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) PANTRY_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() PANTRY_RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

class CondVar {
 public:
  CondVar() = default;
  CondVar(const CondVar&) = delete;
  CondVar& operator=(const CondVar&) = delete;

  // Releases `mutex`, sleeps until a notify (or for no reason at all), takes `mutex` again.
  void wait(Mutex& mutex) PANTRY_REQUIRES(mutex);
  // As wait, but returns false once `deadline` has passed. TimePoint::never() never passes.
  bool wait_until(Mutex& mutex, TimePoint deadline) PANTRY_REQUIRES(mutex);
  void notify_one();
  void notify_all();

 private:
  std::condition_variable native_;
};

}  // namespace pantry
