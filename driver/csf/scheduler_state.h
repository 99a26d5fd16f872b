// SPDX-License-Identifier: MIT
//
// What the scheduler is made of, for the files that implement it: scheduler.cc (what the front door
// sees), scheduler_tick.cc (who gets a slot), scheduler_slots.cc (one slot), scheduler_events.cc
// (what the firmware reports), scheduler_reset.cc.
//
// Order of locks: `mutex`, then those of a VM, of AddressSpaces, of Firmware, of a queue, of a
// lane, and `residents_mutex`.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "base/mutex.h"
#include "driver/csf/aftermath.h"
#include "driver/csf/group_state.h"
#include "driver/csf/scheduler.h"
#include "driver/csf/slot_update.h"
#include "driver/csf/tick_plan.h"

namespace pantry::driver {

struct Scheduler::State {
  static constexpr Duration kTickPeriod = milliseconds(10);
  static constexpr std::uint32_t kMaxSlots = Firmware::kMaxGroups;
  static constexpr std::uint8_t kHighestPriority = 15;  // of the firmware's

  explicit State(const Config& with);
  ~State() PANTRY_MAY_WAIT;

  Clock& clock() { return config.executor.clock(); }
  FirmwareInterface& interface() { return config.firmware.interface(); }
  std::uint32_t slot_count() { return config.firmware.interface().group_slots(); }

  // scheduler.cc
  Result<std::unique_ptr<Group::State>> build_group(Ref<Vm> vm,
                                                    const GroupArgs& args) PANTRY_MAY_ALLOCATE;
  Result<Ref<Group>> adopt(std::unique_ptr<Group::State> state) PANTRY_MAY_ALLOCATE;
  void forget(Group::State& group);
  // The job that `queue` starts next: into the ring, unless the group can no longer run.
  Job::Started submit(GroupJob& job, Queue& queue) noexcept;
  void destroy(Group::State& group) noexcept;
  void job_timed_out(Queue& queue) noexcept;
  // Looks at the group's queues as a whole, after one of them has changed.
  static void judge_activity(Group::State& group);
  // What a stream that has asked for heap memory gets: a chunk word, or 0 for none. The firmware is
  // told; the group is on a slot.
  void answer_heap(Group::State& group, std::uint32_t queue, std::uint64_t chunk_word)
      PANTRY_REQUIRES(mutex);
  void put_waiting(Group::State& group) PANTRY_REQUIRES(mutex);
  // It no longer can run: if it has no slot, end_dying() ends its jobs. Otherwise a tick does.
  void kill(Group::State& group) PANTRY_REQUIRES(mutex);
  void request_tick(TimePoint at) PANTRY_REQUIRES(mutex);
  // A tick at the right time for a group that wants a slot.
  void request_tick_for(const Group::State& group) PANTRY_REQUIRES(mutex);
  // Inside a SignallingSection, no lock held.
  void end_dying(Aftermath& after) noexcept;
  static void finish_jobs(Group& group) noexcept;

  // scheduler_tick.cc
  void tick() PANTRY_MAY_ALLOCATE;
  bool has_waiting_work() const PANTRY_REQUIRES(mutex);
  void wake_device() PANTRY_MAY_ALLOCATE;
  void run_tick(Aftermath& after) PANTRY_REQUIRES(mutex);
  void flag_faulted_vms(Aftermath& after) PANTRY_REQUIRES(mutex);
  bool update_status(Aftermath& after) PANTRY_REQUIRES(mutex);
  bool make_room(const TickPlan& plan, Aftermath& after) PANTRY_REQUIRES(mutex);
  bool fill_slots(const TickPlan& plan, Aftermath& after) PANTRY_REQUIRES(mutex);

  // scheduler_slots.cc
  bool bind(Group::State& group, std::uint32_t slot, std::uint8_t priority) PANTRY_REQUIRES(mutex);
  // `group` no longer runs there.
  void unbind(std::uint32_t slot) PANTRY_REQUIRES(mutex);
  void program(Group::State& group, std::uint32_t as, std::uint8_t priority) PANTRY_REQUIRES(mutex);
  void set_priority(std::uint32_t slot, std::uint8_t priority) PANTRY_REQUIRES(mutex);
  // Sends the requests and takes over what was answered. The slots that did not answer.
  std::uint32_t apply(SlotUpdate& update, Aftermath& after) PANTRY_REQUIRES(mutex);
  void take_over_state(std::uint32_t slot, Aftermath& after) PANTRY_REQUIRES(mutex);
  void take_over_queues(std::uint32_t slot) PANTRY_REQUIRES(mutex);
  void leave_slot(Group::State& group) PANTRY_REQUIRES(mutex);

  // scheduler_events.cc
  void handle_events();
  void handle_slot_events(std::uint32_t slot, Aftermath& after) PANTRY_REQUIRES(mutex);
  bool handle_stream_events(std::uint32_t slot, std::uint32_t stream, Aftermath& after)
      PANTRY_REQUIRES(mutex);
  // Groups without a slot that wait for a sync object: is it there?
  void look_at_blocked(Aftermath& after) PANTRY_REQUIRES(mutex);
  bool is_released(Queue& queue, Aftermath& after);

  // scheduler_reset.cc
  void suspend() noexcept;
  std::uint32_t empty_slots(Aftermath& after) PANTRY_REQUIRES(mutex);
  void resume(After how) noexcept;

  const Config config;
  WorkLane& lane;
  std::atomic<std::uint32_t> in_flight{0};
  std::atomic<std::uint64_t> jobs{0};
  std::atomic<std::uint64_t> ticks{0};
  std::atomic<Profiling> profiling{Profiling::kOff};
  // JOB_INT bits that handle_events has yet to see.
  std::atomic<std::uint32_t> pending_events{0};
  mutable Mutex mutex;
  struct Slot {
    Ref<Group> group;
    std::uint8_t priority = 0;
  };
  std::array<Slot, kMaxSlots> slots PANTRY_GUARDED_BY(mutex);
  LinkedList<Group::State, &Group::State::all_link> all PANTRY_GUARDED_BY(mutex);
  std::uint32_t group_count PANTRY_GUARDED_BY(mutex) = 0;
  WaitingGroups waiting PANTRY_GUARDED_BY(mutex);
  LinkedList<Group::State, &Group::State::dying_link> dying PANTRY_GUARDED_BY(mutex);  // referenced
  bool suspended PANTRY_GUARDED_BY(mutex) = false;
  bool failed PANTRY_GUARDED_BY(mutex) = false;  // a reset has, so nothing can run any more
  TimePoint last_full_tick PANTRY_GUARDED_BY(mutex){INT64_MIN / 2};
  TimePoint next_tick PANTRY_GUARDED_BY(mutex) = TimePoint::never();  // what tick_work waits for

  // The groups of `slots` once more, for the interrupt lane, which may not take `mutex`.
  Mutex residents_mutex;
  std::array<Group*, kMaxSlots> residents PANTRY_GUARDED_BY(residents_mutex){};

  MemberWork<State, &State::tick> tick_work{*this};
  MemberWork<State, &State::handle_events> events_work{*this};
};

}  // namespace pantry::driver
