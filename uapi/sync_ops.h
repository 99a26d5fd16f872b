// SPDX-License-Identifier: MIT
//
// The sync-ops of VM_BIND and GROUP_SUBMIT (panthor-uapi.md A.9): all-or-nothing over a batch of
// jobs.
//
//   SyncBatch batch(file);
//   batch.add(job, ops) for each job in order     copies the ops
//   batch.prepare()                               checks and looks up, first every SIGNAL;
//                                                 the last thing that can fail
//   push every job
//   batch.publish()                               cannot fail, allocates nothing
//
// A job may wait on what an earlier job of the batch signals; a wait on a signal that only the same
// or a later job makes uses the fence from before the ioctl (EINVAL when there is none).
#pragma once

#include <drm/panthor_drm.h>

#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "driver/device/file.h"
#include "driver/sched/job_queue.h"

namespace pantry::uapi {

class SyncBatch {
 public:
  explicit SyncBatch(driver::File& file) : file_(file) {}

  // ENOMEM.
  Result<> add(Ref<driver::Job> job, std::span<const drm_panthor_sync_op> ops) PANTRY_MAY_ALLOCATE;
  // EINVAL: a malformed op, SIGNAL of an unknown syncobj, WAIT on a point without a fence. ENOENT:
  // WAIT on an unknown syncobj. ENOMEM.
  Result<> prepare() PANTRY_MAY_ALLOCATE;
  void publish() noexcept;

 private:
  struct Member {
    Ref<driver::Job> job;
    std::vector<drm_panthor_sync_op> ops;
  };
  // One (handle, point) that somebody in the batch signals.
  struct Signal {
    std::uint32_t handle;
    std::uint64_t point;  // 0: binary
    Ref<driver::Syncobj> syncobj;
    Ref<driver::FenceChain> node;  // point != 0
    Ref<driver::Fence> current;    // null: none before the ioctl, none so far in the batch
  };
  // O(log) in the number of signals.
  Signal* find_signal(std::uint32_t handle, std::uint64_t point);
  void add_signal(Signal signal) PANTRY_MAY_ALLOCATE;
  Result<> collect_signal(const drm_panthor_sync_op& op);
  Result<> resolve_wait(driver::Job& job, const drm_panthor_sync_op& op);

  driver::File& file_;
  std::vector<Member> members_;
  std::vector<Signal> signals_;
  // Where a signal stands in signals_, from so many on: a few are found faster by looking.
  static constexpr std::size_t kIndexedFrom = 16;
  std::map<std::pair<std::uint32_t, std::uint64_t>, std::size_t> index_;
};

}  // namespace pantry::uapi
