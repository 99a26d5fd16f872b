// SPDX-License-Identifier: MIT
//
// A scheduling group: a VM, up to cs_slot_count queues with ring buffers, and the memory that the
// firmware needs to run, suspend and resume it. Seen from the front door it is created
// (Scheduler::create_group), given jobs, asked for its state and destroyed; where and when it runs
// is the scheduler's business (scheduler.h). A job keeps its group alive, and the group its VM.
//
// Rules: panthor-uapi.md A.6 to A.8, E; errata B.1 to B.5.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "driver/csf/engine_usage.h"
#include "driver/sched/job_queue.h"
#include "driver/vm/vm.h"

namespace pantry::driver {

class Scheduler;

enum class GroupPriority : std::uint8_t { kLow, kMedium, kHigh, kRealtime };
inline constexpr std::uint32_t kGroupPriorities = 4;

struct QueueArgs {
  std::uint8_t priority = 0;    // 0..15
  std::uint32_t ring_size = 0;  // bytes, a power of two, 4 KiB to 64 KiB
};

// Validated by the caller as far as the order of errnos asks (masks, counts); ring sizes and queue
// priorities are checked while the queues are created, as Linux does.
struct GroupArgs {
  GroupPriority priority = GroupPriority::kMedium;
  std::uint8_t max_compute_cores = 0;
  std::uint8_t max_fragment_cores = 0;
  std::uint8_t max_tiler_cores = 0;
  std::uint64_t compute_core_mask = 0;
  std::uint64_t fragment_core_mask = 0;
  std::uint64_t tiler_core_mask = 0;
  std::vector<QueueArgs> queues;
  Ref<EngineUsage> usage;  // what profiled jobs have taken is added there; null: nobody asks
};

// GROUP_GET_STATE.
struct GroupState {
  bool timed_out = false;
  bool innocent = false;  // lost its context in a reset without being at fault
  std::uint32_t fatal_queues = 0;
};

class Group final : public RefCounted {
 public:
  struct State;

  // Any thread, no lock: what they say may change at once.
  std::uint32_t queue_count() const;
  // Not destroyed, terminated, timed out, and no queue fatal.
  bool can_run() const;
  GroupState state() const;
  Vm& vm() const;

  // GROUP_SUBMIT, the fallible half: a job for `queue` that holds a reference on the group.
  // `stream_size` 0: no ring space; it completes with the queue's most recent job
  // (panthor-uapi.md E.3). ENOMEM. Dependencies are added by the caller.
  Result<Ref<Job>> prepare_job(std::uint32_t queue, GpuVa stream, std::uint32_t stream_size,
                               std::uint32_t latest_flush) PANTRY_MAY_ALLOCATE;
  // Cannot fail. Jobs of a group that can no longer run end with ECANCELED.
  void push(std::uint32_t queue, Ref<Job> job) noexcept;

  // GROUP_DESTROY: returns at once; jobs end with ECANCELED.
  void destroy() noexcept;

 private:
  friend class Scheduler;
  explicit Group(std::unique_ptr<State> state);
  ~Group() override PANTRY_MAY_ALLOCATE;
  std::unique_ptr<State> state_;
};

}  // namespace pantry::driver
