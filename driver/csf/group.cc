// SPDX-License-Identifier: MIT
#include "driver/csf/group.h"

#include <new>

#include "base/check.h"
#include "driver/csf/group_job.h"
#include "driver/csf/job_stream.h"
#include "driver/csf/scheduler_state.h"

namespace pantry::driver {

GroupJob::GroupJob(Ref<Group> group, Queue& queue, const Stream& stream)
    : Job("panthor-queue", job_instructions(stream.profiling)),
      group_(std::move(group)),
      queue_(queue),
      stream_(stream),
      hardware_(make_ref<HardwareFence>()) {}

Job::Started GroupJob::start() noexcept {
  if (stream_.bytes == 0) return {queue_.last_fence(), 0};
  return queue_.group().scheduler.submit(*this, queue_);
}

Group::Group(std::unique_ptr<State> state) : state_(std::move(state)) { state_->self = this; }

Group::~Group() { state_->scheduler.forget(*state_); }

std::uint32_t Group::queue_count() const {
  return static_cast<std::uint32_t>(state_->queues.size());
}

bool Group::can_run() const { return state_->can_run(); }

GroupState Group::state() const {
  return {state_->timed_out.load(), state_->innocent.load(), state_->fatal_queues.load()};
}

Vm& Group::vm() const { return *state_->vm; }

Result<Ref<Job>> Group::prepare_job(std::uint32_t queue, GpuVa stream, std::uint32_t stream_size,
                                    std::uint32_t latest_flush) {
  PANTRY_CHECK(queue < state_->queues.size());
  if (state_->scheduler.config.faults.should_fail()) return Error(Errno::kNoMem);
  try {
    return Ref<Job>(make_ref<GroupJob>(
        Ref<Group>::share(*this), *state_->queues[queue],
        GroupJob::Stream{stream, stream_size, latest_flush, state_->scheduler.profiling.load()}));
  } catch (const std::bad_alloc&) {
    return Error(Errno::kNoMem);
  }
}

void Group::push(std::uint32_t queue, Ref<Job> job) noexcept {
  state_->queues[queue]->jobs().push(std::move(job));
}

void Group::destroy() noexcept { state_->scheduler.destroy(*state_); }

}  // namespace pantry::driver
