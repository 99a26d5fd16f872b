// SPDX-License-Identifier: MIT
//
// Sync objects, the list of sync-ops that a job or bind is given, and the status of fences.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "igt_tests/lib/clock.h"
#include "igt_tests/lib/device.h"

namespace gpu {

class Syncobj {
 public:
  static Syncobj create(const Device& device);
  static Syncobj create_signalled(const Device& device);
  static Syncobj adopt(const Device& device, uint32_t handle);
  ~Syncobj();
  Syncobj(Syncobj&& other) noexcept : fd_(other.fd_), handle_(std::exchange(other.handle_, 0)) {}
  Syncobj& operator=(Syncobj&& other) noexcept;

  uint32_t handle() const { return handle_; }

  // Each returns 0 or the errno: ETIME when the time is up, EINVAL when there is no fence yet.
  // Times are relative.
  int wait(int64_t timeout) const;
  int wait_point(uint64_t point, int64_t timeout) const;
  // Also waits for the fence to come into being.
  int wait_for_submit(int64_t timeout) const;
  bool is_signalled() const { return wait(0) == 0; }
  bool is_point_signalled(uint64_t point) const { return wait_point(point, 0) == 0; }

  void signal() const;
  void signal_point(uint64_t point) const;
  void reset() const;
  // The highest point signalled, and the highest submitted.
  uint64_t query() const;
  uint64_t query_last_submitted() const;

  UniqueFd export_syncobj() const;
  UniqueFd export_sync_file() const;
  void import_sync_file(int sync_file) const;

  // What became of the binary fence, after waiting for it: 1 without error, a negative errno with
  // one. Fails the test when it takes longer than `timeout`.
  int finish(int64_t timeout) const;

 private:
  Syncobj(int fd, uint32_t handle) : fd_(fd), handle_(handle) {}

  int fd_ = -1;
  uint32_t handle_ = 0;
};

// 1 done, 0 pending, negative errno done with an error.
int sync_file_status(int sync_file);
// Waits until it has signalled, then the same; fails the test when it takes longer than `timeout`.
int finish_sync_file(int sync_file, int64_t timeout);

// The fence behind `from_point` of `from` becomes `to_point` of `to`; a point of 0 means the binary
// fence. 0 or the errno.
int transfer(const Device& device, const Syncobj& to, uint64_t to_point, const Syncobj& from,
             uint64_t from_point);

// The sync-ops of one job or one bind operation.
class Syncs {
 public:
  Syncs& wait(const Syncobj& object) { return add(0, object, 0); }
  Syncs& signal(const Syncobj& object) { return add(kSignal, object, 0); }
  Syncs& wait(const Syncobj& object, uint64_t point) { return add(kTimeline, object, point); }
  Syncs& signal(const Syncobj& object, uint64_t point) {
    return add(kTimeline | kSignal, object, point);
  }

  const std::vector<drm_panthor_sync_op>& ops() const { return ops_; }
  drm_panthor_obj_array array() const {
    return {sizeof(drm_panthor_sync_op), static_cast<uint32_t>(ops_.size()),
            reinterpret_cast<uint64_t>(ops_.data())};
  }

 private:
  static constexpr uint32_t kSignal = static_cast<uint32_t>(DRM_PANTHOR_SYNC_OP_SIGNAL);
  static constexpr uint32_t kTimeline = DRM_PANTHOR_SYNC_OP_HANDLE_TYPE_TIMELINE_SYNCOBJ;

  Syncs& add(uint32_t flags, const Syncobj& object, uint64_t point) {
    ops_.push_back({flags, object.handle(), point});
    return *this;
  }

  std::vector<drm_panthor_sync_op> ops_;
};

}  // namespace gpu
