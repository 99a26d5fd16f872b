// SPDX-License-Identifier: MIT
//
// The tick: asks how the groups on the slots stand, decides who is to sit there (tick_plan.h),
// takes the others off and puts the new ones on. Each step is one round of requests, in the order
// of errata B.1.
#include <algorithm>
#include <array>

#include "driver/csf/scheduler_state.h"

namespace pantry::driver {

using datasheet::csg::Request;
using datasheet::csg::State;

bool Scheduler::State::has_waiting_work() const {
  for (std::uint32_t priority = 0; priority < kGroupPriorities; ++priority)
    if (waiting.busy(static_cast<GroupPriority>(priority)).first()) return true;
  return false;
}

// Between ticks, which share the lane with resets, only a suspended device leaves its groups
// suspended.
void Scheduler::State::wake_device() {
  {
    MutexLock lock(mutex);
    if (!suspended || failed || !has_waiting_work()) return;
  }
  config.power->wake();
}

void Scheduler::State::tick() {
  if (config.power) wake_device();
  Aftermath after;
  {
    SignallingSection section(config.cleanup);
    {
      MutexLock lock(mutex);
      next_tick = TimePoint::never();
      // A reset takes everything off the slots and ends with a tick.
      if (!suspended && !failed && !config.reset_pending.load()) run_tick(after);
    }
    end_dying(after);
    after.signal();
  }
  after.log();
}

void Scheduler::State::run_tick(Aftermath& after) {
  ticks.fetch_add(1);
  const TimePoint now = clock().now();
  const auto kind =
      now - last_full_tick >= kTickPeriod ? TickPlan::Tick::kFull : TickPlan::Tick::kBetween;
  flag_faulted_vms(after);
  if (!update_status(after)) return;

  std::array<Schedulable*, kMaxSlots> sitting{};
  std::array<std::uint8_t, kMaxSlots> priorities{};
  std::uint32_t count = 0;
  for (const Slot& slot : slots) {
    if (!slot.group || !slot.group->state_->can_run()) continue;
    std::uint32_t place = count++;
    for (; place != 0 && priorities[place - 1] < slot.priority; --place) {
      sitting[place] = sitting[place - 1];
      priorities[place] = priorities[place - 1];
    }
    sitting[place] = slot.group->state_.get();
    priorities[place] = slot.priority;
  }
  const TickPlan plan({slot_count(), config.spaces.user_slots()}, kind,
                      std::span(sitting).first(count), waiting);
  if (!make_room(plan, after) || !fill_slots(plan, after)) return;

  look_at_blocked(after);
  // From its end: where the firmware takes longer to answer than a period, ticks would follow each
  // other without a pause, and this lane would hold the lock for ever.
  if (kind == TickPlan::Tick::kFull) last_full_tick = clock().now();
  const bool busy = std::any_of(plan.chosen().begin(), plan.chosen().end(), [](const auto* group) {
    return group->activity == Schedulable::Activity::kBusy;
  });
  config.firmware.set_load(busy ? Firmware::Load::kBusy : Firmware::Load::kIdle);
  if (config.power) busy ? config.power->busy() : config.power->idle();
  if (plan.must_tick_again()) request_tick(last_full_tick + kTickPeriod);
}

// A fault of a VM is the fault of the groups that run in it now: of the queue that the firmware
// names, else of all.
void Scheduler::State::flag_faulted_vms(Aftermath& after) {
  for (std::uint32_t slot = 0; slot < slot_count(); ++slot) {
    if (!slots[slot].group) continue;
    Group::State& group = *slots[slot].group->state_;
    if (!group.vm->faulted()) continue;
    handle_slot_events(slot, after);
    if (group.fatal_queues.load() == 0) group.fatal_queues = group.all_queues();
  }
}

bool Scheduler::State::update_status(Aftermath& after) {
  SlotUpdate update(config.firmware);
  for (std::uint32_t slot = 0; slot < slot_count(); ++slot)
    if (slots[slot].group) update.ask(slot, Request::StatusUpdate::kMask);
  if (apply(update, after) == 0) return true;
  config.reset.request_reset("a group slot did not update its status");
  return false;
}

bool Scheduler::State::make_room(const TickPlan& plan, Aftermath& after) {
  SlotUpdate update(config.firmware);
  std::uint32_t leaving = 0;
  for (std::uint32_t slot = 0; slot < slot_count(); ++slot) {
    if (!slots[slot].group) continue;
    Group::State& group = *slots[slot].group->state_;
    const auto chosen = plan.chosen();
    const auto place = std::find(chosen.begin(), chosen.end(), &group);
    if (place == chosen.end()) {
      leaving |= 1u << slot;
      update.set_state(slot, group.can_run() ? datasheet::csg::State::kSuspend
                                             : datasheet::csg::State::kTerminate);
      continue;
    }
    const auto priority = static_cast<std::uint8_t>(kHighestPriority - (place - chosen.begin()));
    if (slots[slot].priority == priority) continue;
    set_priority(slot, priority);
    update.ask(slot, Request::EndpointConfig::kMask);
  }
  if (apply(update, after) != 0) {
    config.reset.request_reset("a group slot did not let go of its group");
    return false;
  }
  for (std::uint32_t slot = 0; slot < slot_count(); ++slot) {
    if ((leaving >> slot & 1) == 0) continue;
    // What is pending there must not be taken for events of the next group.
    handle_slot_events(slot, after);
    unbind(slot);
  }
  return true;
}

bool Scheduler::State::fill_slots(const TickPlan& plan, Aftermath& after) {
  SlotUpdate update(config.firmware);
  std::uint32_t slot = 0;
  std::uint8_t priority = kHighestPriority + 1;
  for (Schedulable* chosen : plan.chosen()) {
    auto& group = static_cast<Group::State&>(*chosen);
    --priority;
    if (group.slot) continue;
    while (slots[slot].group) ++slot;
    const bool resumes = group.context == Group::State::Context::kSuspended;
    if (!bind(group, slot, priority)) {
      config.reset.request_reset("a VM does not get an address space");
      break;
    }
    if (!group.slot) continue;  // nobody holds it any more
    update.set_state(slot,
                     resumes ? datasheet::csg::State::kResume : datasheet::csg::State::kStart);
    update.ask(slot, Request::EndpointConfig::kMask);
  }
  if (apply(update, after) == 0) return true;
  config.reset.request_reset("a group slot did not start its group");
  return false;
}

}  // namespace pantry::driver
