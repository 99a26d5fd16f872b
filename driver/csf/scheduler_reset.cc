// SPDX-License-Identifier: MIT
//
// Taking everything off the slots before a reset, and up again after it.
#include "driver/csf/scheduler_state.h"

namespace pantry::driver {

namespace csg = datasheet::csg;

void Scheduler::suspend_all() noexcept { state_->suspend(); }
void Scheduler::resume_all(After after) noexcept { state_->resume(after); }

void Scheduler::State::suspend() noexcept {
  Aftermath after;
  {
    SignallingSection section(config.cleanup);
    {
      MutexLock lock(mutex);
      suspended = true;
      const std::uint32_t saved = empty_slots(after);
      // What the firmware wrote when it suspended must be in memory before the reset.
      const bool flushed =
          saved == 0 || config.caches.flush_all_caches() == CacheFlusher::Outcome::kDone;
      for (std::uint32_t slot = 0; slot < slot_count(); ++slot) {
        if (!slots[slot].group) continue;
        Group& group = *slots[slot].group;
        if ((saved >> slot & 1) != 0 && !flushed) group.state_->terminated = true;
        after.finish(group);
        handle_slot_events(slot, after);
        unbind(slot);
      }
      look_at_blocked(after);
      config.firmware.set_load(Firmware::Load::kIdle);
    }
    after.signal();
    end_dying(after);
  }
  after.log();
}

// Suspends or terminates every group. The slots that answered the first time.
std::uint32_t Scheduler::State::empty_slots(Aftermath& after) {
  SlotUpdate update(config.firmware);
  for (std::uint32_t slot = 0; slot < slot_count(); ++slot)
    if (slots[slot].group)
      update.set_state(slot, slots[slot].group->state_->can_run() ? csg::State::kSuspend
                                                                  : csg::State::kTerminate);
  const std::uint32_t missing = apply(update, after);

  SlotUpdate last_try(config.firmware);
  for (std::uint32_t slot = 0; slot < slot_count(); ++slot) {
    if ((missing >> slot & 1) == 0) continue;
    Group::State& group = *slots[slot].group->state_;
    if (group.can_run()) group.innocent = true;
    group.timed_out = true;
    last_try.set_state(slot, csg::State::kTerminate);
  }
  const std::uint32_t hung = apply(last_try, after);
  // The reset ends these.
  for (std::uint32_t slot = 0; slot < slot_count(); ++slot)
    if ((hung >> slot & 1) != 0) slots[slot].group->state_->terminated = true;
  return update.slots() & ~missing;
}

void Scheduler::State::resume(After how) noexcept {
  Aftermath after;
  {
    SignallingSection section(config.cleanup);
    {
      MutexLock lock(mutex);
      suspended = false;
      if (how == After::kResetFailed) {
        failed = true;
        for (Group::State* group = all.first(); group; group = all.next(*group)) {
          group->terminated = true;
          kill(*group);
        }
      } else {
        look_at_blocked(after);
        request_tick(clock().now());
      }
    }
    end_dying(after);
    after.signal();
  }
  after.log();
}

}  // namespace pantry::driver
