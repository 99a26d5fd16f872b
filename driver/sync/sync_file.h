// SPDX-License-Identifier: MIT
//
// What a sync_file descriptor stands for: one fence, under a name. Immutable. The descriptor
// itself, poll and the ioctls' structs are the transport's and the front door's; a poll registers
// on fence().
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "driver/sync/fence.h"

namespace pantry::driver {

class SyncFile final : public RefCounted {
 public:
  // ENOMEM.
  static Result<Ref<SyncFile>> create(Ref<Fence> fence) PANTRY_MAY_ALLOCATE;
  // SYNC_IOC_MERGE: everything that is still pending in both, under a name of the client's, of
  // which 31 bytes count. ENOMEM.
  static Result<Ref<SyncFile>> merge(std::string_view name, const SyncFile& a,
                                     const SyncFile& b) PANTRY_MAY_ALLOCATE;

  const Ref<Fence>& fence() const { return fence_; }
  // The client's, or "driver-timelineCONTEXT-SEQNO"; at most 31 bytes. Throws bad_alloc.
  std::string name() const PANTRY_MAY_ALLOCATE;

  // SYNC_IOC_FILE_INFO with num_fences 0: the status of fence() itself: 1 done, 0 pending, a
  // negated errno. That of a timeline point is 1 even if a job behind it failed.
  int status() const noexcept { return fence_->status(); }

  // SYNC_IOC_FILE_INFO with an array: the fences inside, and a status that shows the first failed
  // or pending one. ENOMEM.
  struct FenceInfo {
    const char* driver_name;    // static storage
    const char* timeline_name;  // "obj_name" of the ioctl
    int status;
    TimePoint timestamp;  // 0 while pending
  };
  struct Info {
    int status = 1;
    std::vector<FenceInfo> fences;
  };
  Result<Info> info() const PANTRY_MAY_ALLOCATE;

 private:
  SyncFile(Ref<Fence> fence, std::string_view name) : fence_(std::move(fence)), name_(name) {}
  ~SyncFile() override = default;

  const Ref<Fence> fence_;
  const std::string name_;  // empty: made from the fence
};

}  // namespace pantry::driver
