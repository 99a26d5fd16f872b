// SPDX-License-Identifier: MIT
//
// Who schedules the calling thread. On an ordinary thread that is the operating system and there is
// no host. Under simulation every thread belongs to a host that lets exactly one of them run, picks
// the next by seed and keeps virtual time; Mutex and CondVar (mutex.h), the clock and the work
// queues all go through this one interface, so the same code runs on both.
//
// park and wake are a futex without a value: since only one thread of a host runs at a time,
// nothing can happen between the caller's test of its condition and its park.
#pragma once

#include "base/types.h"

namespace pantry {

class ThreadHost {
 public:
  // The host of the calling thread, or nullptr. Never allocates.
  static ThreadHost* current() noexcept { return current_; }
  // For executors only, at the start and end of a thread of theirs.
  static void set_current(ThreadHost* host) noexcept;

  // A point at which another thread may be chosen to go on.
  virtual void preempt() noexcept = 0;
  // Sleeps until wake(address) or `deadline`; false at the deadline. May return true without a
  // wake, so callers test their condition again.
  virtual bool park(const void* address, TimePoint deadline) noexcept = 0;
  // Makes every thread parked on `address` runnable.
  virtual void wake(const void* address) noexcept = 0;
  // Makes one of them runnable, whichever the host likes.
  virtual void wake_one(const void* address) noexcept = 0;
  virtual TimePoint now() noexcept = 0;

 protected:
  ~ThreadHost() = default;

 private:
  static inline thread_local constinit ThreadHost* current_ = nullptr;
};

// Now, on the clock that the calling thread lives by: its host's, or CLOCK_MONOTONIC. Any context.
TimePoint current_time() noexcept;

}  // namespace pantry
