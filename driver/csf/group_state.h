// SPDX-License-Identifier: MIT
//
// What a group is made of, for the files of this room. Everything the scheduler decides by is
// guarded by the scheduler's lock; the atomics are written under it and read anywhere.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "driver/csf/heap_growth.h"
#include "driver/csf/queue.h"
#include "driver/csf/scheduler.h"
#include "driver/csf/tick_plan.h"

namespace pantry::driver {

struct Group::State final : Schedulable {
  State(Scheduler::State& owner, Ref<Vm> in, const GroupArgs& with)
      : scheduler(owner), vm(std::move(in)), args(with) {
    priority = with.priority;
    space = vm.get();
  }

  bool can_run() const {
    return !destroyed.load() && !terminated.load() && !timed_out.load() && fatal_queues.load() == 0;
  }
  Errno end_of(const Queue& queue) const {
    if ((fatal_queues.load() >> queue.index() & 1) != 0) return Errno::kInval;
    return timed_out.load() ? Errno::kTimedOut : Errno::kCanceled;
  }
  std::uint32_t all_queues() const {
    return static_cast<std::uint32_t>((std::uint64_t{1} << queues.size()) - 1);
  }

  Scheduler::State& scheduler;
  Group* self = nullptr;
  const Ref<Vm> vm;
  const GroupArgs args;
  KernelMapping suspend_buffer;
  KernelMapping protected_suspend_buffer;
  KernelMapping sync_objects;
  std::vector<std::unique_ptr<Queue>> queues;

  std::atomic<bool> destroyed{false};
  std::atomic<bool> terminated{false};
  std::atomic<bool> timed_out{false};
  std::atomic<bool> innocent{false};
  std::atomic<std::uint32_t> fatal_queues{0};

  // Where its context is.
  enum class Context : std::uint8_t {
    kNone,  // never ran: START
    kOnSlot,
    kSuspended,  // in the suspend buffer: RESUME
  } context = Context::kNone;
  std::optional<std::uint32_t> slot;
  // By queue, as of the last status of the firmware's and the jobs since.
  std::uint32_t idle_queues = 0;
  std::uint32_t blocked_queues = 0;
  // How often it has been put on a slot; tells whether it has left one meanwhile.
  std::uint64_t residency = 0;
  HeapGrowth heap_growth{*this};
  ListLink<State> all_link;
  ListLink<State> dying_link;  // its jobs are to be ended
};

}  // namespace pantry::driver
