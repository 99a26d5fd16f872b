// SPDX-License-Identifier: MIT
//
// What the front door sees of the scheduler, and when ticks happen.
#include "driver/csf/scheduler.h"

#include <new>

#include "base/check.h"
#include "base/log.h"
#include "driver/csf/group_job.h"
#include "driver/csf/scheduler_state.h"
#include "gpu_emu/datasheet/sync_object.h"

namespace pantry::driver {
namespace {

constexpr std::uint8_t kMaxQueuePriority = 15;
constexpr std::uint64_t kSyncObjectBytes = datasheet::sync_object::word64::kBytes;

Result<> check_queue(const QueueArgs& queue) PANTRY_MAY_ALLOCATE {
  if (!Ring::is_valid_size(queue.ring_size)) {
    log_client("driver/csf", "a ring of {:#x} bytes: no power of two from 4 KiB to 64 KiB",
               queue.ring_size);
    return Error(Errno::kInval);
  }
  if (queue.priority > kMaxQueuePriority) {
    log_client("driver/csf", "queue priority {}; the highest is {}", queue.priority,
               kMaxQueuePriority);
    return Error(Errno::kInval);
  }
  return {};
}

}  // namespace

Scheduler::State::State(const Config& with)
    : config(with), lane(with.executor.lane(Lane::kScheduler)) {}

Scheduler::State::~State() {
  lane.cancel(events_work);
  lane.cancel(tick_work);
  MutexLock lock(mutex);
  PANTRY_CHECK(all.empty());
}

Scheduler::Scheduler(const Config& config) : state_(std::make_unique<State>(config)) {}
Scheduler::~Scheduler() = default;

void Scheduler::set_profiling(Profiling profiling) noexcept { state_->profiling.store(profiling); }
Profiling Scheduler::profiling() const noexcept { return state_->profiling.load(); }

Result<Ref<Group>> Scheduler::create_group(Ref<Vm> vm, const GroupArgs& args) {
  try {
    PANTRY_TRY_ASSIGN(auto state, state_->build_group(std::move(vm), args));
    return state_->adopt(std::move(state));
  } catch (const std::bad_alloc&) {
    return Error(Errno::kNoMem);
  }
}

Result<std::unique_ptr<Group::State>> Scheduler::State::build_group(Ref<Vm> vm,
                                                                    const GroupArgs& args) {
  if (config.faults.should_fail()) return Error(Errno::kNoMem);
  auto group = std::make_unique<Group::State>(*this, std::move(vm), args);
  Firmware& firmware = config.firmware;
  PANTRY_TRY_ASSIGN(group->suspend_buffer,
                    firmware.allocate(interface().suspend_bytes(), Prot::kNoExec));
  PANTRY_TRY_ASSIGN(group->protected_suspend_buffer,
                    firmware.allocate(interface().protected_suspend_bytes(), Prot::kNoExec));
  PANTRY_TRY_ASSIGN(group->sync_objects,
                    group->vm->map_kernel(args.queues.size() * kSyncObjectBytes,
                                          Prot::kNoExec | Prot::kUncached));
  auto* const sync_memory = static_cast<std::byte*>(group->sync_objects.cpu());
  group->queues.reserve(args.queues.size());
  for (std::uint32_t i = 0; i < args.queues.size(); ++i) {
    PANTRY_TRY(check_queue(args.queues[i]));
    PANTRY_TRY_ASSIGN(Ring ring, Ring::create(firmware, *group->vm, args.queues[i].ring_size));
    PANTRY_TRY_ASSIGN(ProfileSlots profiles,
                      ProfileSlots::create(*group->vm, args.queues[i].ring_size));
    if (config.faults.should_fail()) return Error(Errno::kNoMem);
    group->queues.push_back(
        std::make_unique<Queue>(*group, i, args.queues[i], std::move(ring), std::move(profiles),
                                InterfaceBlock(sync_memory + i * kSyncObjectBytes),
                                group->sync_objects.va() + i * kSyncObjectBytes));
  }
  group->idle_queues = group->all_queues();
  return group;
}

Result<Ref<Group>> Scheduler::State::adopt(std::unique_ptr<Group::State> state) {
  Group::State& parts = *state;
  Ref<Group> group = Ref<Group>::adopt(new Group(std::move(state)));
  MutexLock lock(mutex);
  all.push_back(parts);
  ++group_count;
  // Too late for a device that is gone; the group ends like those that were there before.
  if (failed)
    parts.terminated = true;
  else
    put_waiting(parts);
  return group;
}

// The last reference is gone, so it is on no slot and has nothing in flight.
void Scheduler::State::forget(Group::State& group) {
  MutexLock lock(mutex);
  PANTRY_CHECK(!group.slot);
  waiting.remove(group);
  all.remove(group);
  --group_count;
}

Job::Started Scheduler::State::submit(GroupJob& job, Queue& queue) noexcept {
  Group::State& group = queue.group();
  const std::uint32_t bit = 1u << queue.index();
  MutexLock lock(mutex);
  if (!group.can_run()) return {nullptr, static_cast<int>(Errno::kCanceled)};
  in_flight.fetch_add(1);
  jobs.fetch_add(1);
  queue.append(job);
  const bool was_busy = group.activity == Schedulable::Activity::kBusy;
  group.idle_queues &= ~bit;
  judge_activity(group);
  if (group.slot) {
    config.firmware.ring_queues(*group.slot);
    // It competes again with others of its priority.
    if (!was_busy && group.activity == Schedulable::Activity::kBusy)
      request_tick(last_full_tick + kTickPeriod);
  } else if ((group.blocked_queues & bit) == 0) {
    put_waiting(group);
    request_tick_for(group);
  }
  return {job.hardware(), 0};
}

void Scheduler::State::judge_activity(Group::State& group) {
  using Activity = Schedulable::Activity;
  if ((group.idle_queues | group.blocked_queues) != group.all_queues())
    group.activity = Activity::kBusy;
  else
    group.activity = group.blocked_queues != 0 ? Activity::kBlocked : Activity::kIdle;
}

void Scheduler::State::put_waiting(Group::State& group) {
  PANTRY_CHECK(!group.slot);
  waiting.put(group);
}

void Scheduler::State::destroy(Group::State& group) noexcept {
  Aftermath after;
  {
    SignallingSection section(config.cleanup);
    {
      MutexLock lock(mutex);
      group.destroyed = true;
      kill(group);
    }
    end_dying(after);
    after.signal();
  }
  after.log();
}

void Scheduler::State::job_timed_out(Queue& queue) noexcept {
  Aftermath after;
  {
    SignallingSection section(config.cleanup);
    {
      MutexLock lock(mutex);
      Group::State& group = queue.group();
      // The job may have finished while this waited for the lock.
      if (queue.has_timed_out() && group.can_run()) {
        after.note({"a job did not finish within 5 s", group.slot.value_or(~0u), queue.index(), 0,
                    queue.ring().extract()});
        group.timed_out = true;
        kill(group);
      }
    }
    end_dying(after);
    after.signal();
  }
  after.log();
}

void Scheduler::State::kill(Group::State& group) {
  PANTRY_CHECK(!group.can_run());
  if (group.slot) return request_tick(clock().now());
  waiting.remove(group);
  // A group without references has no jobs.
  if (!group.dying_link.in_list() && group.self->try_acquire()) dying.push_back(group);
}

void Scheduler::State::end_dying(Aftermath& after) noexcept {
  bool ended = false;
  for (;;) {
    Ref<Group> group;
    {
      MutexLock lock(mutex);
      Group::State* const first = dying.pop_front();
      if (!first) break;
      group = Ref<Group>::adopt(first->self);
    }
    for (const auto& queue : group->state_->queues)
      queue->finish_all(group->state_->end_of(*queue));
    ended = true;
  }
  if (!ended) return;
  // Other groups may have waited for the sync objects of those that ended.
  MutexLock lock(mutex);
  look_at_blocked(after);
}

void Scheduler::State::finish_jobs(Group& group) noexcept {
  for (const auto& queue : group.state_->queues) queue->finish_done();
}

void Scheduler::State::request_tick(TimePoint at) {
  if (at >= next_tick) return;
  next_tick = at;
  if (at <= clock().now())
    lane.queue(tick_work);
  else
    lane.queue_at(tick_work, at);
}

void Scheduler::State::request_tick_for(const Group::State& group) {
  bool now = group.priority == GroupPriority::kRealtime;
  for (std::uint32_t slot = 0; slot < slot_count(); ++slot) {
    const Group* const there = slots[slot].group.get();
    now |= !there || there->state_->activity != Schedulable::Activity::kBusy;
  }
  request_tick(now ? clock().now() : last_full_tick + kTickPeriod);
}

void Scheduler::settle(Vm& vm) {
  check_may_wait("Scheduler::settle");
  {
    MutexLock lock(state_->mutex);
    bool resident = false;
    for (const State::Slot& slot : state_->slots)
      resident |= slot.group && slot.group->state_->vm.get() == &vm;
    if (!resident) return;
  }
  state_->lane.flush(state_->tick_work);
}

bool Scheduler::is_idle() const {
  MutexLock lock(state_->mutex);
  if (state_->has_waiting_work()) return false;
  for (const State::Slot& slot : state_->slots)
    if (slot.group && slot.group->state_->activity == Schedulable::Activity::kBusy) return false;
  return true;
}

Scheduler::Totals Scheduler::totals() const {
  MutexLock lock(state_->mutex);
  Totals totals;
  totals.groups = state_->group_count;
  for (const State::Slot& slot : state_->slots) totals.resident += slot.group ? 1 : 0;
  totals.in_flight = state_->in_flight.load();
  totals.ticks = state_->ticks.load();
  totals.jobs = state_->jobs.load();
  return totals;
}

}  // namespace pantry::driver
