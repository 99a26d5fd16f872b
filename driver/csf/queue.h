// SPDX-License-Identifier: MIT
//
// One queue of a group: the software queue in which jobs wait for their dependencies and for room,
// the ring into which they go in that order, and the sync object by which the device says how far
// it has come. Job n of the ring is finished when the sync object is at least n.
//
// Locks: what the scheduler knows about the queue is guarded by the scheduler's lock; the jobs in
// flight by a leaf lock, so that the interrupt lane can finish them at any time. Allocates while it
// is created.
#pragma once

#include <cstdint>
#include <optional>

#include "driver/csf/group.h"
#include "driver/csf/job_timer.h"
#include "driver/csf/profiling.h"
#include "driver/csf/ring.h"

namespace pantry::driver {

class GroupJob;

// What a queue waits for, as the firmware stated it.
struct SyncWait {
  GpuVa object;
  std::uint64_t reference = 0;
  enum class Width : std::uint8_t { k32, k64 } width = Width::k64;
  // Released when the object's value is greater than, or not greater than, the reference.
  enum class Release : std::uint8_t { kGreater, kNotGreater } release = Release::kGreater;

  bool is_released_by(std::uint64_t value) const {
    return (value > reference) == (release == Release::kGreater);
  }
};

class Queue final : private JobTimer::Listener {
 public:
  // `sync_object`: a datasheet::sync_object::word64 at `sync_va` in the group's VM.
  Queue(Group::State& group, std::uint32_t index, const QueueArgs& args, Ring ring,
        ProfileSlots profiles, InterfaceBlock sync_object, GpuVa sync_va);
  // Nothing is in flight or queued (CHECK).
  ~Queue();

  Group::State& group() { return group_; }
  std::uint32_t index() const { return index_; }
  std::uint8_t priority() const { return priority_; }
  GpuVa sync_va() const { return sync_va_; }
  JobQueue& jobs() { return jobs_; }
  JobTimer& timer() { return timer_; }

  // Under the scheduler's lock.
  Ring& ring() { return ring_; }
  SyncWait& sync_wait() { return sync_wait_; }
  // Puts the job into the ring.
  void append(GroupJob& job) noexcept;

  // Any context.
  bool has_jobs_in_flight() const;
  // The first job in flight has used up its time; a job that finished in time, or one that has
  // started since, has not.
  bool has_timed_out() const;
  // The fence of the job that was last put into the ring; null when there was none.
  Ref<Fence> last_fence() const;
  // The job that the device is at gets `error` when it finishes.
  void set_error_at_extract(Errno error) noexcept;

  // Signals, in order, the fences of the jobs that the device has finished. Any context, inside a
  // SignallingSection; no lock held.
  void finish_done() noexcept;
  // The group is dead: whatever is still in flight ends with `error`, and streams that wait for
  // this queue's sync object are released. The same rules.
  void finish_all(Errno error) noexcept;

 private:
  void on_job_timeout() noexcept override;
  void finish() noexcept;
  struct Finished {
    Ref<GroupJob> job;
    int error = 0;
    EngineUsage::Totals usage;
  };
  Finished take_finished() PANTRY_REQUIRES(mutex_);

  Group::State& group_;
  const std::uint32_t index_;
  const std::uint8_t priority_;
  Ring ring_;
  InterfaceBlock sync_object_;
  const GpuVa sync_va_;
  SyncWait sync_wait_;
  JobTimer timer_;

  // Leaf lock, but for the timer's.
  mutable Mutex mutex_;
  ProfileSlots profiles_ PANTRY_GUARDED_BY(mutex_);
  GroupJob* first_ PANTRY_GUARDED_BY(mutex_) = nullptr;  // in flight, one reference each
  GroupJob* last_ PANTRY_GUARDED_BY(mutex_) = nullptr;
  std::uint64_t last_seqno_ PANTRY_GUARDED_BY(mutex_) = 0;
  Ref<Fence> last_fence_ PANTRY_GUARDED_BY(mutex_);
  // Set by finish_all: jobs up to `done` were finished before.
  struct End {
    Errno error;
    std::uint64_t done;
  };
  std::optional<End> end_ PANTRY_GUARDED_BY(mutex_);
  // A thread is signalling, in order; it also takes what others find finished meanwhile.
  bool finishing_ PANTRY_GUARDED_BY(mutex_) = false;

  // Last, so that it goes first.
  JobQueue jobs_;
};

}  // namespace pantry::driver
