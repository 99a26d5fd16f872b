// SPDX-License-Identifier: MIT

#include "igt_tests/lib/waits.h"

#include "igt_tests/harness/igt.h"

namespace gpu {

Waits& Waits::add(const Syncobj& object, uint64_t point) {
  points_.push_back(point);
  handles_.push_back(object.handle());
  return *this;
}

Waits& Waits::add_handle(uint32_t handle) {
  points_.push_back(0);
  handles_.push_back(handle);
  return *this;
}

int Waits::run_until(uint32_t flags, int64_t absolute) {
  drm_syncobj_wait request{};
  request.handles = reinterpret_cast<uint64_t>(handles_.data());
  request.count_handles = static_cast<uint32_t>(handles_.size());
  request.flags = flags;
  request.timeout_nsec = absolute;
  request.first_signaled = kUntouched;
  const int number = igt::ioctl_errno(fd_, DRM_IOCTL_SYNCOBJ_WAIT, &request);
  first_ = request.first_signaled;
  return number;
}

int Waits::run(uint32_t flags, int64_t timeout) { return run_until(flags, deadline_in(timeout)); }

int Waits::run_timeline(uint32_t flags, int64_t timeout) {
  drm_syncobj_timeline_wait request{};
  request.handles = reinterpret_cast<uint64_t>(handles_.data());
  request.points = reinterpret_cast<uint64_t>(points_.data());
  request.count_handles = static_cast<uint32_t>(handles_.size());
  request.flags = flags;
  request.timeout_nsec = deadline_in(timeout);
  request.first_signaled = kUntouched;
  const int number = igt::ioctl_errno(fd_, DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, &request);
  first_ = request.first_signaled;
  return number;
}

}  // namespace gpu
