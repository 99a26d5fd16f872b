// SPDX-License-Identifier: MIT
#include "driver/sched/job_queue.h"

#include <array>
#include <atomic>
#include <new>
#include <span>

#include "base/check.h"
#include "driver/sched/job_queue_state.h"
#include "driver/sync/derived_fence.h"

namespace pantry::driver {
namespace {

// So many jobs are started before other queues of the lane get their turn.
constexpr int kJobsPerRun = 16;

int error_of(const Fence& fence) {
  const int status = fence.status();
  return status < 0 ? -status : 0;
}

}  // namespace

class Job::DoneFence final : public DerivedFence {
 public:
  DoneFence(Job& job, const char* timeline_name)
      : DerivedFence(next_context(), 1), job_(job), timeline_name_(timeline_name) {}
  const char* driver_name() const noexcept override { return "drm_sched"; }
  const char* timeline_name() const noexcept override { return timeline_name_; }
  void finish(TimePoint now, int error) noexcept { signal_in_turn(now, error); }
  // Null until its job is pushed. Only to compare: the queue may be gone.
  std::atomic<const JobQueueState*> queue{nullptr};

 private:
  void after_signal() noexcept override { job_.queue_->job_finished(job_); }

  // Used only while the queue has the job. The fence itself may outlive it.
  Job& job_;
  const char* const timeline_name_;
};

Job::Job(const char* timeline_name, std::uint32_t credits)
    : credits_(credits), done_(make_ref<DoneFence>(*this, timeline_name)) {}

Job::~Job() = default;

Job::Started Job::start() noexcept {
  check_failed(__FILE__, __LINE__, "a job that only a BatchStarter can start");
}

Result<> Job::add_dependency(Ref<Fence> fence) {
  PANTRY_CHECK(!queue_);
  if (fence->signalled()) return {};
  try {
    dependencies_.push_back(std::move(fence));
  } catch (const std::bad_alloc&) {
    return Error(Errno::kNoMem);
  }
  return {};
}

void Job::on_signalled(Fence& fence) noexcept {
  if (&fence == hardware_.get())
    finish(fence.timestamp(), error_of(fence));
  else
    queue_->dependency_signalled();
}

void Job::finish(TimePoint now, int error) noexcept {
  static_cast<DoneFence&>(*done_).finish(now, error);
}

void JobQueueState::List::append(Job& job) noexcept {
  job.previous_ = last_;
  job.next_ = nullptr;
  (last_ ? last_->next_ : first_) = &job;
  last_ = &job;
}

void JobQueueState::List::remove(Job& job) noexcept {
  (job.previous_ ? job.previous_->next_ : first_) = job.next_;
  (job.next_ ? job.next_->previous_ : last_) = job.previous_;
}

JobQueueState::JobQueueState(Executor& executor, Cleanup& cleanup, Lane lane,
                             std::uint32_t credit_limit, BatchStarter* starter)
    : lane_(executor.lane(lane)),
      cleanup_(cleanup),
      clock_(executor.clock()),
      credit_limit_(credit_limit),
      starter_(starter) {}

JobQueueState::~JobQueueState() {
  {
    MutexLock lock(mutex_);
    PANTRY_CHECK(all_signalled());
    // Whoever signalled the last fence is about to say so.
    while (!started_.empty()) changed_.wait(mutex_);
  }
  lane_.cancel(*this);
  drop_finished();
}

void JobQueueState::push(Ref<Job> job) noexcept {
  MutexLock lock(mutex_);
  PANTRY_CHECK(!job->queue_);
  job->queue_ = this;
  static_cast<Job::DoneFence&>(*job->done_).queue.store(this, std::memory_order_relaxed);
  waiting_.append(*job.detach());
  // Behind a head that waits there is nothing to do: its dependency will say when.
  if (head_ == Head::kUnknown) lane_.queue(*this);
}

void JobQueueState::kill(Errno error) noexcept {
  MutexLock lock(mutex_);
  if (killed_) return;
  killed_ = error;
  lane_.queue(*this);
}

void JobQueueState::stop() noexcept {
  MutexLock lock(mutex_);
  ++stops_;
  while (starting_) changed_.wait(mutex_);
}

void JobQueueState::start() noexcept {
  MutexLock lock(mutex_);
  PANTRY_CHECK(stops_ != 0);
  if (--stops_ == 0) lane_.queue(*this);
}

bool JobQueueState::idle() const noexcept {
  MutexLock lock(mutex_);
  return all_signalled();
}

void JobQueueState::drain() noexcept {
  MutexLock lock(mutex_);
  while (!all_signalled()) changed_.wait(mutex_);
}

bool JobQueueState::all_signalled() const noexcept {
  if (!waiting_.empty()) return false;
  for (const Job* job = started_.first(); job; job = List::after(*job))
    if (!job->done_->signalled()) return false;
  return true;
}

// The lane is told under the lock: once it is released, the queue may be gone.
void JobQueueState::dependency_signalled() noexcept {
  MutexLock lock(mutex_);
  head_ = Head::kUnknown;
  lane_.queue(*this);
}

void JobQueueState::job_finished(Job& job) noexcept {
  MutexLock lock(mutex_);
  started_.remove(job);
  finished_.append(job);
  credits_in_use_ -= job.credits_;
  changed_.notify_all();
  lane_.queue(*this);
}

void JobQueueState::run() {
  const SignallingSection section(cleanup_);
  drop_finished();
  starter_ ? run_batch() : run_one_by_one();
}

void JobQueueState::run_one_by_one() noexcept {
  for (int jobs = 0; jobs < kJobsPerRun; ++jobs) {
    const Next next = take_next();
    if (!next.job) return;
    launch(next);
  }
  lane_.queue(*this);
}

void JobQueueState::run_batch() noexcept {
  std::array<Job*, BatchStarter::kMostJobs> jobs;
  std::array<int, BatchStarter::kMostJobs> errors{};
  std::size_t count = 0;
  bool more = true;
  while (more && count < jobs.size()) {
    const Next next = take_next();
    more = next.job;
    if (next.killed)
      launch(next);
    else if (next.job)
      jobs[count++] = next.job;
  }
  if (count == 0) return;
  starter_->start(std::span(jobs).first(count), std::span(errors).first(count));
  started();
  const TimePoint now = clock_.now();
  for (std::size_t i = 0; i < count; ++i) jobs[i]->finish(now, errors[i]);
  if (more) lane_.queue(*this);
}

void JobQueueState::started() noexcept {
  MutexLock lock(mutex_);
  starting_ = nullptr;
  changed_.notify_all();
}

void JobQueueState::drop_finished() noexcept {
  List dead;
  {
    MutexLock lock(mutex_);
    std::swap(dead, finished_);
  }
  while (Job* const job = dead.first()) {
    dead.remove(*job);
    job->release();
  }
}

JobQueueState::Next JobQueueState::take_next() noexcept {
  MutexLock lock(mutex_);
  if (waiting_.empty() || head_ == Head::kWaitsForDependency) return {};
  if (!head_has_its_dependencies() || !head_may_go()) return {};
  Job& job = *waiting_.first();
  waiting_.remove(job);
  started_.append(job);
  credits_in_use_ += job.credits_;
  if (!killed_) starting_ = &job;
  return {&job, killed_};
}

// A job before it in the same queue need not be waited for: it has started, and the hardware takes
// them in turn.
bool JobQueueState::is_own(const Fence& fence) const noexcept {
  const auto* const done = dynamic_cast<const Job::DoneFence*>(&fence);
  return done && done->queue.load(std::memory_order_relaxed) == this;
}

bool JobQueueState::head_has_its_dependencies() noexcept {
  Job& job = *waiting_.first();
  for (; job.next_dependency_ < job.dependencies_.size(); ++job.next_dependency_) {
    Fence& dependency = *job.dependencies_[job.next_dependency_];
    if (!is_own(dependency) && dependency.add_callback(job)) {
      // It may have been called already, and then waits for our lock.
      head_ = Head::kWaitsForDependency;
      return false;
    }
  }
  return true;
}

bool JobQueueState::head_may_go() const noexcept {
  if (killed_) return started_.empty();
  if (stops_ != 0) return false;
  return credits_in_use_ == 0 || credits_in_use_ + waiting_.first()->credits_ <= credit_limit_;
}

void JobQueueState::launch(const Next& next) noexcept {
  Job& job = *next.job;
  if (next.killed) {
    job.finish(clock_.now(), static_cast<int>(*next.killed));
    return;
  }
  Job::Started outcome = job.start();
  started();
  if (!outcome.hardware) {
    job.finish(clock_.now(), outcome.error);
    return;
  }
  PANTRY_CHECK(outcome.error == 0);
  job.hardware_ = std::move(outcome.hardware);
  if (!job.hardware_->add_callback(job))
    job.finish(job.hardware_->timestamp(), error_of(*job.hardware_));
}

JobQueue::JobQueue(Executor& executor, Cleanup& cleanup, Lane lane, std::uint32_t credit_limit)
    : state_(std::make_unique<JobQueueState>(executor, cleanup, lane, credit_limit, nullptr)) {}

JobQueue::JobQueue(Executor& executor, Cleanup& cleanup, Lane lane, BatchStarter& starter)
    : state_(std::make_unique<JobQueueState>(executor, cleanup, lane, kUnlimited, &starter)) {}

JobQueue::~JobQueue() = default;

void JobQueue::push(Ref<Job> job) noexcept { state_->push(std::move(job)); }

void JobQueue::kill(Errno error) noexcept { state_->kill(error); }

void JobQueue::stop() {
  PANTRY_CHECK(!SignallingSection::active());
  state_->stop();
}

void JobQueue::start() noexcept { state_->start(); }

bool JobQueue::idle() const { return state_->idle(); }

void JobQueue::drain() {
  check_may_wait("JobQueue::drain");
  state_->drain();
}

}  // namespace pantry::driver
