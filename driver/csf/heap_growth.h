// SPDX-License-Identifier: MIT
//
// Lets the tiler heaps of a group's streams grow: TILER_OOM of the firmware comes in on the
// scheduler's lane, where nothing may be allocated, so the chunk is allocated on the clean-up lane
// and the answer sent from there. Meanwhile the stream waits, and only that stream.
//
// Rules: panthor-uapi.md F. A heap that must not grow, or for which there is no memory, is answered
// with no chunk: the firmware then waits for fragment work or calls the client's handler. What else
// goes wrong is fatal for the queue. If the group has left its slot meanwhile, the chunk goes back,
// and the firmware will ask again.
//
// One per group, part of its state. Queueing allocates nothing.
#pragma once

#include <cstdint>

#include "driver/csf/group.h"
#include "driver/kernel/work.h"

namespace pantry::driver {

class HeapGrowth final : private Work {
 public:
  explicit HeapGrowth(Group::State& group) : group_(group) {}

  // Streams of these queues have asked. Under the scheduler's lock; the group is on a slot.
  void ask(std::uint32_t queues) noexcept;
  // They no longer wait. Under the scheduler's lock.
  void forget() noexcept { asking_ = 0; }

 private:
  void run() override PANTRY_MAY_ALLOCATE;
  void grow(std::uint32_t queue) PANTRY_MAY_ALLOCATE;

  Group::State& group_;
  // Guarded by the scheduler's lock. Queued work holds a reference on the group.
  std::uint32_t asking_ = 0;  // bit per queue
  enum class Lane : std::uint8_t { kNotQueued, kQueued } on_lane_ = Lane::kNotQueued;
};

}  // namespace pantry::driver
