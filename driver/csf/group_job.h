// SPDX-License-Identifier: MIT
//
// A job of a group's queue. Starting it puts the call of the client's stream into the ring; it has
// finished when the device has counted the queue's sync object up. A job without a stream has
// nothing to put there: it finishes with the job that was last put into the ring before it.
//
// Holds its group. Allocates while it is prepared.
#pragma once

#include <cstdint>

#include "driver/csf/queue.h"

namespace pantry::driver {

// Signals when the device has finished the job; never shown to clients, who get Job::done.
class HardwareFence final : public Fence {
 public:
  HardwareFence() : Fence(next_context(), 1) {}
  const char* driver_name() const noexcept override { return "panthor"; }
  const char* timeline_name() const noexcept override { return "queue-fence"; }
};

class GroupJob final : public Job {
 public:
  struct Stream {
    GpuVa start;
    std::uint32_t bytes = 0;
    std::uint32_t flush_id = 0;
    Profiling profiling = Profiling::kOff;
  };
  GroupJob(Ref<Group> group, Queue& queue, const Stream& stream);

  const Ref<HardwareFence>& hardware() const { return hardware_; }
  Started start() noexcept override;

 private:
  friend class Queue;
  ~GroupJob() override = default;

  const Ref<Group> group_;
  Queue& queue_;
  const Stream stream_;
  const Ref<HardwareFence> hardware_;
  // Once in flight, guarded by the queue.
  GroupJob* next_ = nullptr;
  std::uint64_t seqno_ = 0;
  Ring::Span place_;
  std::uint32_t profile_ = 0;  // its slot, when it is profiled
  int error_ = 0;
};

}  // namespace pantry::driver
