// SPDX-License-Identifier: MIT
//
// The time that one queue gives each of its jobs: 5 s, counted anew whenever a job finishes, and
// only while time counts (the group is on a slot, or the queue waits for a sync object, which would
// otherwise never end).
//
// Own leaf lock; only the lock of the lane is taken under it. Allocates nothing.
#pragma once

#include "base/mutex.h"
#include "driver/kernel/executor.h"

namespace pantry::driver {

class JobTimer final : private Work {
 public:
  static constexpr Duration kLimit = seconds(5);

  class Listener {
   public:
    // On Lane::kScheduler, no lock held. At most once per start().
    virtual void on_job_timeout() noexcept = 0;

   protected:
    ~Listener() = default;
  };

  JobTimer(Executor& executor, Listener& listener);
  // Waits for a call to the listener. Not from Lane::kScheduler.
  ~JobTimer() PANTRY_MAY_WAIT;

  // A job has all its time before it.
  void start() noexcept;
  // No job is left.
  void stop() noexcept;
  // For the listener: no job has started since the time ran out.
  bool expired() const noexcept;
  // While kPaused, what is left of the time stays.
  enum class Count { kRunning, kPaused };
  void set_count(Count count) noexcept;

 private:
  void run() override;
  void arm() PANTRY_REQUIRES(mutex_);

  Clock& clock_;
  WorkLane& lane_;
  Listener& listener_;
  mutable Mutex mutex_;
  bool started_ PANTRY_GUARDED_BY(mutex_) = false;
  Count count_ PANTRY_GUARDED_BY(mutex_) = Count::kPaused;
  TimePoint deadline_ PANTRY_GUARDED_BY(mutex_);  // started and running
  Duration left_ PANTRY_GUARDED_BY(mutex_);       // started and paused
  // The work item is in the lane, for `deadline_` at the latest; a deadline that moves away costs
  // nothing, since the item looks again.
  bool armed_ PANTRY_GUARDED_BY(mutex_) = false;
};

}  // namespace pantry::driver
