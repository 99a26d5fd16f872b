// SPDX-License-Identifier: MIT
//
// What a JobQueue is made of. A job moves through three lists: waiting, started, finished; each
// list owns one reference. Only run() takes jobs out of the first and the last, and it never runs
// twice at once; a job leaves the second when its fence has signalled, on whichever thread that
// happens.
#pragma once

#include <optional>

#include "driver/sched/job_queue.h"

namespace pantry::driver {

class JobQueueState final : private Work {
 public:
  // `starter`: null, or who starts the jobs.
  JobQueueState(Executor& executor, Cleanup& cleanup, Lane lane, std::uint32_t credit_limit,
                BatchStarter* starter);
  ~JobQueueState() PANTRY_MAY_WAIT;

  void push(Ref<Job> job) noexcept;
  void kill(Errno error) noexcept;
  void stop() noexcept;
  void start() noexcept;
  bool idle() const noexcept;
  void drain() noexcept;

  // From the jobs: the head's dependency has signalled; the fence of a started job has.
  void dependency_signalled() noexcept;
  void job_finished(Job& job) noexcept;

 private:
  class List {
   public:
    bool empty() const { return !first_; }
    Job* first() const { return first_; }
    static Job* after(const Job& job) { return job.next_; }
    void append(Job& job) noexcept;
    void remove(Job& job) noexcept;

   private:
    Job* first_ = nullptr;
    Job* last_ = nullptr;
  };
  enum class Head { kUnknown, kWaitsForDependency };
  struct Next {
    Job* job = nullptr;
    std::optional<Errno> killed;  // finish it with this instead of starting it
  };

  void run() override;
  // The next job that may start, or, once killed, be finished; it is in started_ then. Null: none
  // for now.
  Next take_next() noexcept;
  // The fence of a job that this queue has, or had.
  bool is_own(const Fence& fence) const noexcept;
  bool head_has_its_dependencies() noexcept PANTRY_REQUIRES(mutex_);
  bool head_may_go() const noexcept PANTRY_REQUIRES(mutex_);
  void run_one_by_one() noexcept PANTRY_SIGNALLING;
  void run_batch() noexcept PANTRY_SIGNALLING;
  void launch(const Next& next) noexcept PANTRY_SIGNALLING;
  void started() noexcept;
  void drop_finished() noexcept;
  bool all_signalled() const noexcept PANTRY_REQUIRES(mutex_);

  WorkLane& lane_;
  Cleanup& cleanup_;
  Clock& clock_;
  const std::uint32_t credit_limit_;
  BatchStarter* const starter_;

  // Never held across an allocation or a wait for a fence, so it may be taken inside a section and
  // from callbacks. Under it the locks of fences and of the lane are taken.
  mutable Mutex mutex_;
  CondVar changed_;
  List waiting_ PANTRY_GUARDED_BY(mutex_);
  List started_ PANTRY_GUARDED_BY(mutex_);
  List finished_ PANTRY_GUARDED_BY(mutex_);
  Head head_ PANTRY_GUARDED_BY(mutex_) = Head::kUnknown;
  std::uint64_t credits_in_use_ PANTRY_GUARDED_BY(mutex_) = 0;
  Job* starting_ PANTRY_GUARDED_BY(mutex_) = nullptr;  // on the way into start(), or inside it
  std::uint32_t stops_ PANTRY_GUARDED_BY(mutex_) = 0;
  std::optional<Errno> killed_ PANTRY_GUARDED_BY(mutex_);
};

}  // namespace pantry::driver
