// SPDX-License-Identifier: MIT
//
// A SignallingSection marks a piece of code that a published fence depends on, from the moment the
// fence is visible until it signals. Inside it, the thread
//   - does not allocate and does not free: the last references it drops go to a DeadList, destroyed
//     on Lane::kCleanup;
//   - takes no lock that is anywhere held across an allocation or a fence wait;
//   - does not wait for fences; it may poll the device (bounded) and queue work.
// Three nets catch a violation: the capability `signalling` at compile time (base/signalling.h:
// functions that allocate or wait, and all that call them, say PANTRY_MAY_ALLOCATE /
// PANTRY_MAY_WAIT, functions that only ever run in a section say PANTRY_SIGNALLING; clang refuses a
// function in between that says nothing), the allocation trap at run time in builds with
// PANTRY_TRAPS (allocation_trap.h), and the lock-order pseudo lock under ThreadSanitizer
// (lock_order.h).
#pragma once

#include <atomic>

#include "base/check.h"
#include "base/mutex.h"
#include "base/ref.h"
#include "base/signalling.h"
#include "driver/kernel/lock_order.h"
#include "driver/kernel/work.h"

namespace pantry::driver {

// Collects what sections leave over and destroys it on the clean-up lane. One per device; outlives
// its sections.
class Cleanup final : public Work {
 public:
  explicit Cleanup(WorkLane& lane) : lane_(lane) {}
  // Waits for the lane and destroys what is left. Not inside a section.
  ~Cleanup() PANTRY_MAY_WAIT;

  DeadList& dead() { return dead_; }
  // Called when a section ends that has left something over; queues this item if nobody has seen to
  // that yet. So a section never wakes the lane for what those of other VMs have left over.
  void kick();
  // Waits until everything left over so far is destroyed. Never from a work item.
  void drain() PANTRY_MAY_WAIT;
  void run() override PANTRY_MAY_ALLOCATE;

 private:
  WorkLane& lane_;
  DeadList dead_;
  std::atomic<bool> kicked_{false};  // a run is sure to come
};

class PANTRY_SCOPED_CAPABILITY SignallingSection {
 public:
  explicit SignallingSection(Cleanup& cleanup) PANTRY_ACQUIRE(signalling)
      : cleanup_(cleanup), left_over_(cleanup.dead()) {
    if (depth_ == 0) lock_order::section_begins();
    ++depth_;
    tell_traps();
  }
  ~SignallingSection() PANTRY_RELEASE() {
    if (left_over_.used()) cleanup_.kick();
    tell_traps();
    --depth_;
    if (depth_ == 0) lock_order::section_ends();
  }
  SignallingSection(const SignallingSection&) = delete;
  SignallingSection& operator=(const SignallingSection&) = delete;

  // Whether the calling thread is inside a section. Sections nest.
  static bool active() noexcept { return depth_ != 0; }
  // Outside of any (CHECK), for what the analysis cannot know.
  static void check_outside() noexcept PANTRY_ASSERT_CAPABILITY(!signalling) {
    PANTRY_CHECK(!active());
  }

 private:
  // The traps look at depth_ from within malloc, of which compilers take for granted that it reads
  // no variable: so what is counted has to be written by then.
  static void tell_traps() { std::atomic_signal_fence(std::memory_order_seq_cst); }

  static inline thread_local constinit unsigned depth_ = 0;
  Cleanup& cleanup_;
  DeadList::Scope left_over_;
};

// For waits of kind 3 (executor.h): traps (aborts with a message) inside a section and in a work
// item of a lane whose items may not wait, in every build; while a mutex is held, in builds with
// PANTRY_TRAPS.
void check_may_wait(const char* what) noexcept PANTRY_MAY_WAIT;

}  // namespace pantry::driver
