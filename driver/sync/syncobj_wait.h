// SPDX-License-Identifier: MIT
//
// SYNCOBJ_WAIT and SYNCOBJ_TIMELINE_WAIT as a state machine without a thread: start, then exactly one completion, from
// any thread. A wait snapshots each syncobj's fence as soon as it has one for the point asked for; resetting the syncobj
// afterwards does not matter.
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
  // What to do about a point that has no fence yet: fail with EINVAL, wait for it too, or be content once it has one.
  enum class Unsubmitted { kFail, kWait, kEnough } unsubmitted = Unsubmitted::kFail;
};

class SyncobjWait {
 public:
  class Completion {
   public:
    // `result`: the index for first_signaled (0xffffffff as Linux reports it with kAll), or EINVAL, ETIME, EINTR (after
    // cancel). Called without locks; may be called inside start(). Must not destroy the wait.
    virtual void on_wait_done(Result<std::uint32_t> result) noexcept = 0;

   protected:
    ~Completion() = default;
  };

  // Allocates everything here; EINVAL and an already satisfied or expired wait complete inside start().
  SyncobjWait(Executor& executor, SyncobjWaitArgs args, Completion& completion);
  // The wait is complete by then.
  ~SyncobjWait();

  void start();
  // Completes with EINTR unless it has completed; harmless afterwards.
  void cancel();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The blocking form. No lock held, never from a work item.
Result<std::uint32_t> wait_for(Executor& executor, SyncobjWaitArgs args) PANTRY_MAY_WAIT;

}  // namespace pantry::driver
