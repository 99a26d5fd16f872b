// SPDX-License-Identifier: MIT
//
// SYNCOBJ_WAIT and SYNCOBJ_TIMELINE_WAIT as a state machine without a thread: start, then exactly
// one completion, from any thread. A wait snapshots each syncobj's fence as soon as it has one for
// the point asked for; resetting the syncobj afterwards does not matter.
#pragma once

#include <memory>
#include <vector>

#include "driver/kernel/executor.h"
#include "driver/sync/syncobj.h"

namespace pantry::driver {

struct SyncobjWaitArgs {
  std::vector<Ref<Syncobj>> syncobjs;
  std::vector<std::uint64_t> points;  // same length; all 0 for binary waits
  TimePoint deadline;                 // in the past: a poll
  enum class Want { kAny, kAll } want = Want::kAny;
  // What to do about a point that has no fence yet: fail with EINVAL, wait for it too, or be
  // content once it has one.
  enum class Unsubmitted { kFail, kWait, kEnough } unsubmitted = Unsubmitted::kFail;
};

class SyncobjWait {
 public:
  // first_signaled of a wait for all of which none was satisfied when it started.
  static constexpr std::uint32_t kNone = UINT32_MAX;

  class Completion {
   public:
    // `result`: the index for first_signaled, or EINVAL, ETIME, EINTR (after cancel). For kAny the
    // index is that of a satisfied entry; for kAll, as Linux has it, that of the first one that was
    // satisfied when the wait started, else kNone. Same rules as FenceCallback: any thread, no lock
    // held; may be called inside start() or cancel(). Must not destroy the wait.
    virtual void on_wait_done(Result<std::uint32_t> result) noexcept = 0;

   protected:
    ~Completion() = default;
  };

  // Allocates everything here; EINVAL and an already satisfied or expired wait complete inside
  // start().
  SyncobjWait(Executor& executor, SyncobjWaitArgs args, Completion& completion) PANTRY_MAY_ALLOCATE;
  // The wait is complete by then, or was never started. Waits for a call in progress on another
  // thread: not from the completion, nor under a lock that it takes.
  ~SyncobjWait() PANTRY_MAY_WAIT;

  void start();
  // Completes with EINTR unless it has completed; harmless afterwards. Before start() it makes that
  // complete at once.
  void cancel();
  // The fence that entry `index` had when it satisfied the wait, whatever its syncobj holds by now.
  // Only once the wait is complete, and for the index that it completed with.
  Ref<Fence> fence(std::uint32_t index) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The blocking form. No lock held, never from a work item.
Result<std::uint32_t> wait_for(Executor& executor, SyncobjWaitArgs args) PANTRY_MAY_WAIT;

}  // namespace pantry::driver
