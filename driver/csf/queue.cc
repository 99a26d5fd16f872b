// SPDX-License-Identifier: MIT
#include "driver/csf/queue.h"

#include <utility>

#include "base/check.h"
#include "base/thread_host.h"
#include "driver/csf/group_job.h"
#include "driver/csf/job_stream.h"
#include "driver/csf/scheduler_state.h"
#include "gpu_emu/datasheet/sync_object.h"

namespace pantry::driver {

namespace object = datasheet::sync_object::word64;

Queue::Queue(Group::State& group, std::uint32_t index, const QueueArgs& args, Ring ring,
             ProfileSlots profiles, InterfaceBlock sync_object, GpuVa sync_va)
    : group_(group),
      index_(index),
      priority_(args.priority),
      ring_(std::move(ring)),
      sync_object_(sync_object),
      sync_va_(sync_va),
      timer_(group.scheduler.config.executor, *this),
      profiles_(std::move(profiles)),
      jobs_(group.scheduler.config.executor, group.scheduler.config.cleanup, Lane::kBind,
            Ring::credits(args.ring_size)) {}

Queue::~Queue() {
  MutexLock lock(mutex_);
  PANTRY_CHECK(first_ == nullptr);
}

void Queue::append(GroupJob& job) noexcept {
  const FirmwareInterface& interface = group_.scheduler.config.firmware.interface();
  const Profiling profiling = job.stream_.profiling;
  MutexLock lock(mutex_);
  if (profiling != Profiling::kOff) job.profile_ = profiles_.take();
  const JobStream stream(
      {.stream = job.stream_.start,
       .bytes = job.stream_.bytes,
       .flush_id = job.stream_.flush_id,
       .sync_object = sync_va_,
       .registers = interface.stream_registers(),
       .scoreboards = interface.scoreboards(),
       .profiling = profiling,
       .profile = profiling == Profiling::kOff ? GpuVa{} : profiles_.va(job.profile_)});
  // In flight before the device can see it, and so finish it.
  job.acquire();
  job.seqno_ = ++last_seqno_;
  (last_ ? last_->next_ : first_) = &job;
  if (first_ == &job) timer_.start();
  last_ = &job;
  last_fence_ = job.hardware_;
  job.place_ = ring_.append(stream.words());
}

bool Queue::has_jobs_in_flight() const {
  MutexLock lock(mutex_);
  return first_ != nullptr;
}

// Jobs finish, and the next one's time begins, under this lock.
bool Queue::has_timed_out() const {
  MutexLock lock(mutex_);
  return first_ != nullptr && timer_.expired();
}

Ref<Fence> Queue::last_fence() const {
  MutexLock lock(mutex_);
  return last_fence_;
}

void Queue::set_error_at_extract(Errno error) noexcept {
  const std::uint64_t extract = ring_.extract();
  MutexLock lock(mutex_);
  for (GroupJob* job = first_; job; job = job->next_)
    if (job->place_.start <= extract && extract < job->place_.end)
      job->error_ = static_cast<int>(error);
}

Queue::Finished Queue::take_finished() {
  GroupJob* const job = first_;
  if (!job) return {};
  Finished finished;
  if (job->seqno_ <= (end_ ? end_->done : sync_object_.load64(object::kValue))) {
    finished.error = job->error_;
    if (job->stream_.profiling != Profiling::kOff) finished.usage = profiles_.read(job->profile_);
  } else if (end_) {
    finished.error = static_cast<int>(end_->error);
  } else {
    return {};
  }
  first_ = job->next_;
  if (!first_) last_ = nullptr;
  job->next_ = nullptr;
  if (first_)
    timer_.start();
  else
    timer_.stop();
  finished.job = Ref<GroupJob>::adopt(job);
  return finished;
}

void Queue::finish() noexcept {
  {
    MutexLock lock(mutex_);
    if (finishing_) return;
    finishing_ = true;
  }
  for (;;) {
    Finished finished;
    {
      MutexLock lock(mutex_);
      finished = take_finished();
      if (!finished.job) {
        finishing_ = false;
        return;
      }
    }
    if (const Ref<EngineUsage>& usage = group_.args.usage) usage->add(finished.usage);
    group_.scheduler.in_flight.fetch_sub(1);
    finished.job->hardware_->signal(current_time(), finished.error);
  }
}

void Queue::finish_done() noexcept { finish(); }

void Queue::finish_all(Errno error) noexcept {
  {
    MutexLock lock(mutex_);
    if (end_) return;
    end_ = End{error, sync_object_.load64(object::kValue)};
    // By hand, so that streams that wait for it go on.
    sync_object_.store(object::kStatus, ~std::uint32_t{0});
    sync_object_.store64(object::kValue, last_seqno_);
  }
  finish();
}

void Queue::on_job_timeout() noexcept { group_.scheduler.job_timed_out(*this); }

}  // namespace pantry::driver
