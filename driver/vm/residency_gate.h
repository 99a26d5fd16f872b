// SPDX-License-Identifier: MIT
//
// Keeps submits to a VM and evictions from it apart: while a submit is under way, from the look at
// whether all buffers are there until its fences are in their reservations, nothing of the VM is
// evicted; while something is, submits wait. Evictions do not wait: they pass a busy VM over.
//
// Leaf lock. enter() waits for an eviction, which waits for no fence: not inside a
// SignallingSection, and under no lock that is taken in one.
#pragma once

#include <cstdint>

#include "base/mutex.h"

namespace pantry::driver {

class ResidencyGate {
 public:
  void enter() PANTRY_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    while (closed_) opened_.wait(mutex_);
    ++inside_;
  }
  void leave() noexcept PANTRY_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    --inside_;
  }
  // False: somebody is inside.
  bool try_close() noexcept PANTRY_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (inside_ != 0 || closed_) return false;
    closed_ = true;
    return true;
  }
  void open() noexcept PANTRY_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    closed_ = false;
    opened_.notify_all();
  }

 private:
  Mutex mutex_;
  CondVar opened_;
  std::uint32_t inside_ PANTRY_GUARDED_BY(mutex_) = 0;
  bool closed_ PANTRY_GUARDED_BY(mutex_) = false;
};

}  // namespace pantry::driver
