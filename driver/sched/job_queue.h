// SPDX-License-Identifier: MIT
//
// An in-order queue of jobs with dependencies, a credit limit and a completion fence per job: the
// bind queue of a VM, and the software side of each queue of a group.
//
// A job starts when it is at the head, all its dependencies have signalled (an error in a
// dependency does not fail it) and its credits fit under the limit. A dependency on `done` of a job
// of the same queue holds nothing back, as in Linux: jobs of a queue run in turn. It starts on the
// queue's lane inside a SignallingSection. Its fence `done` signals when the job has finished, with
// its error. Nothing here allocates after Job::prepare, and nothing is freed outside the clean-up
// lane: the queue drops its reference to a job inside the section.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "driver/kernel/executor.h"
#include "driver/kernel/quota.h"
#include "driver/sync/fence.h"

namespace pantry::driver {

class JobQueueState;

class Job : public RefCounted, private FenceCallback {
 public:
  // `timeline_name`: what the fence reports, "panthor-vm-bind" or "panthor-queue"; static storage.
  // `credits` may be 0. Throws bad_alloc.
  Job(const char* timeline_name, std::uint32_t credits) PANTRY_MAY_ALLOCATE;

  // Prepare only. Allocates: ENOMEM. An already signalled fence costs nothing.
  Result<> add_dependency(Ref<Fence> fence) PANTRY_MAY_ALLOCATE;
  // Created with the job; published by whoever likes, after which the job must be pushed.
  const Ref<Fence>& done() const { return done_; }
  std::uint32_t credits() const { return credits_; }
  // Prepare only. Kept until the job is gone.
  void keep(Charge charge) { charge_ = std::move(charge); }

  // What became of start().
  struct Started {
    // Signals when the job has finished; its error becomes the job's. Null: the job is finished
    // already, with `error`.
    Ref<Fence> hardware;
    int error = 0;  // 0 or a positive errno
  };
  // Starts the job. On the queue's lane, inside a SignallingSection, no lock held. The jobs of a
  // queue with a BatchStarter are not asked.
  virtual Started start() noexcept;

 protected:
  ~Job() override;

 private:
  friend class JobQueueState;
  class DoneFence;
  // The dependency that the job waits for has signalled, or its hardware has finished.
  void on_signalled(Fence& fence) noexcept final;
  void finish(TimePoint now, int error) noexcept;

  const std::uint32_t credits_;
  const Ref<Fence> done_;
  Charge charge_;
  // From here on written by the queue only.
  std::vector<Ref<Fence>> dependencies_;
  std::size_t next_dependency_ = 0;
  Ref<Fence> hardware_;
  JobQueueState* queue_ = nullptr;
  Job* next_ = nullptr;
  Job* previous_ = nullptr;
};

// Starts the jobs of a queue several at a time, where one answer of the hardware (a flush, say)
// serves them all.
class BatchStarter {
 public:
  static constexpr std::size_t kMostJobs = 16;

  // `jobs`: 1 to kMostJobs at the head of the queue whose dependencies have signalled, in order.
  // They are finished when it returns, with `errors`, 0 or positive errnos; only then their fences
  // signal. On the queue's lane, inside a SignallingSection, no lock held.
  virtual void start(std::span<Job* const> jobs, std::span<int> errors) noexcept = 0;

 protected:
  ~BatchStarter() = default;
};

class JobQueue {
 public:
  static constexpr std::uint32_t kUnlimited = UINT32_MAX;

  // Runs on `lane` of `executor`. `credit_limit`: the sum of the credits of jobs that have started
  // and not finished; a job larger than the limit starts alone.
  JobQueue(Executor& executor, Cleanup& cleanup, Lane lane, std::uint32_t credit_limit);
  // Without a limit. `starter` outlives the queue.
  JobQueue(Executor& executor, Cleanup& cleanup, Lane lane, BatchStarter& starter);
  // The queue is empty by then (CHECK): its owner has seen the last fence, or holds a reference per
  // job, or has drained it. Waits, boundedly, for a run of the queue in progress; never from a job,
  // nor from a callback of a fence.
  ~JobQueue() PANTRY_MAY_WAIT;

  // Appends `job`; its fence signals later. Several queues' jobs keep the order in which they were
  // pushed only through dependencies. Allocates nothing; any context.
  void push(Ref<Job> job) noexcept;
  // From now on jobs are not started: each finishes with `error` (ECANCELED, say) in order, once
  // its dependencies have signalled and the jobs before it have finished. Jobs already started
  // finish by themselves. A second call has no effect.
  void kill(Errno error) noexcept;
  // Between stop and start no job is started (a reset). Returns when none is inside Job::start.
  // Nests. Bounded, so a work item of another lane may call it; no lock is held that Job::start
  // takes.
  void stop() PANTRY_MAY_WAIT;
  void start() noexcept;
  // Nothing pushed is unfinished: every `done` has signalled.
  bool idle() const;
  // Waits until idle. No lock held, never from a work item.
  void drain() PANTRY_MAY_WAIT;

 private:
  std::unique_ptr<JobQueueState> state_;
};

}  // namespace pantry::driver
