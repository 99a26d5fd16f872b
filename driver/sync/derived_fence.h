// SPDX-License-Identifier: MIT
//
// A fence that signals because another one has: a chain, an array, the fence of a job behind that
// of the hardware. Such fences can stand in a row of any length, so they do not signal from inside
// the callback that tells them to: the thread's outermost signal() does it in a loop, after its own
// callbacks, in the order in which they were told. Nothing is allocated.
#pragma once

#include "driver/sync/fence.h"

namespace pantry::driver {

class DerivedFence : public Fence {
 protected:
  using Fence::Fence;
  ~DerivedFence() override = default;

  // Signals this fence before the outermost signal() of the thread returns, or at once when there
  // is none. Keeps the fence alive until then; no effect if its last reference has gone, for then
  // nobody can see it. Once.
  void signal_in_turn(TimePoint now, int error) noexcept;
  // Called once the callbacks have run, on the same thread.
  virtual void after_signal() noexcept {}

 private:
  friend class SignalLoop;
  DerivedFence* next_in_turn_ = nullptr;
  TimePoint turn_time_;
  int turn_error_ = 0;
};

// Stands around everything that runs callbacks. The outermost one of a thread signals the derived
// fences when it ends.
class SignalLoop {
 public:
  SignalLoop() noexcept;
  ~SignalLoop();
  SignalLoop(const SignalLoop&) = delete;
  SignalLoop& operator=(const SignalLoop&) = delete;

 private:
  friend class DerivedFence;
  static void append(DerivedFence& fence) noexcept;
  static void drain() noexcept;
};

}  // namespace pantry::driver
