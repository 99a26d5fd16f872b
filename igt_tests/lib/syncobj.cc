// SPDX-License-Identifier: MIT

#include "igt_tests/lib/syncobj.h"

#include <linux/sync_file.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <cerrno>

#include "igt_tests/harness/igt.h"

namespace gpu {
namespace {

int wait_with(int fd, uint32_t handle, uint32_t flags, int64_t timeout) {
  drm_syncobj_wait request{};
  request.handles = reinterpret_cast<uint64_t>(&handle);
  request.count_handles = 1;
  request.flags = flags;
  request.timeout_nsec = deadline_in(timeout);
  return igt::ioctl_errno(fd, DRM_IOCTL_SYNCOBJ_WAIT, &request);
}

uint32_t create_with(const Device& device, uint32_t flags) {
  drm_syncobj_create request{};
  request.flags = flags;
  do_ioctl(device.fd(), DRM_IOCTL_SYNCOBJ_CREATE, &request);
  igt_assert_neq(request.handle, 0);
  return request.handle;
}

uint64_t query_with(int fd, uint32_t handle, uint32_t flags) {
  uint64_t point = 0;
  drm_syncobj_timeline_array request{};
  request.handles = reinterpret_cast<uint64_t>(&handle);
  request.points = reinterpret_cast<uint64_t>(&point);
  request.count_handles = 1;
  request.flags = flags;
  do_ioctl(fd, DRM_IOCTL_SYNCOBJ_QUERY, &request);
  return point;
}

UniqueFd export_with(int fd, uint32_t handle, uint32_t flags) {
  drm_syncobj_handle request{};
  request.handle = handle;
  request.flags = flags;
  request.fd = -1;
  do_ioctl(fd, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &request);
  igt_assert_fd(request.fd);
  return UniqueFd(request.fd);
}

}  // namespace

Syncobj Syncobj::create(const Device& device) { return {device.fd(), create_with(device, 0)}; }

Syncobj Syncobj::create_signalled(const Device& device) {
  return {device.fd(), create_with(device, DRM_SYNCOBJ_CREATE_SIGNALED)};
}

Syncobj Syncobj::adopt(const Device& device, uint32_t handle) { return {device.fd(), handle}; }

Syncobj::~Syncobj() {
  if (handle_ == 0) return;
  drm_syncobj_destroy request{};
  request.handle = handle_;
  drmIoctl(fd_, DRM_IOCTL_SYNCOBJ_DESTROY, &request);
}

Syncobj& Syncobj::operator=(Syncobj&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(handle_, other.handle_);
  return *this;
}

int Syncobj::wait(int64_t timeout) const { return wait_with(fd_, handle_, 0, timeout); }

int Syncobj::wait_for_submit(int64_t timeout) const {
  return wait_with(fd_, handle_, DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT, timeout);
}

int Syncobj::wait_point(uint64_t point, int64_t timeout) const {
  drm_syncobj_timeline_wait request{};
  request.handles = reinterpret_cast<uint64_t>(&handle_);
  request.points = reinterpret_cast<uint64_t>(&point);
  request.count_handles = 1;
  request.timeout_nsec = deadline_in(timeout);
  return igt::ioctl_errno(fd_, DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, &request);
}

void Syncobj::signal() const {
  drm_syncobj_array request{};
  request.handles = reinterpret_cast<uint64_t>(&handle_);
  request.count_handles = 1;
  do_ioctl(fd_, DRM_IOCTL_SYNCOBJ_SIGNAL, &request);
}

void Syncobj::signal_point(uint64_t point) const {
  drm_syncobj_timeline_array request{};
  request.handles = reinterpret_cast<uint64_t>(&handle_);
  request.points = reinterpret_cast<uint64_t>(&point);
  request.count_handles = 1;
  do_ioctl(fd_, DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, &request);
}

void Syncobj::reset() const {
  drm_syncobj_array request{};
  request.handles = reinterpret_cast<uint64_t>(&handle_);
  request.count_handles = 1;
  do_ioctl(fd_, DRM_IOCTL_SYNCOBJ_RESET, &request);
}

uint64_t Syncobj::query() const { return query_with(fd_, handle_, 0); }

uint64_t Syncobj::query_last_submitted() const {
  return query_with(fd_, handle_, DRM_SYNCOBJ_QUERY_FLAGS_LAST_SUBMITTED);
}

UniqueFd Syncobj::export_syncobj() const { return export_with(fd_, handle_, 0); }

UniqueFd Syncobj::export_sync_file() const {
  return export_with(fd_, handle_, DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE);
}

void Syncobj::import_sync_file(int sync_file) const {
  drm_syncobj_handle request{};
  request.handle = handle_;
  request.flags = DRM_SYNCOBJ_FD_TO_HANDLE_FLAGS_IMPORT_SYNC_FILE;
  request.fd = sync_file;
  do_ioctl(fd_, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &request);
}

int Syncobj::finish(int64_t timeout) const {
  const int number = wait(timeout);
  igt_assert_f(number == 0, "the fence did not signal: errno %d\n", number);
  const UniqueFd file = export_sync_file();
  return sync_file_status(file.get());
}

int sync_file_status(int sync_file) {
  sync_file_info info{};
  int result;
  do {
    result = ioctl(sync_file, SYNC_IOC_FILE_INFO, &info);
  } while (result != 0 && errno == EINTR);
  igt_assert_eq(result, 0);
  return info.status;
}

int finish_sync_file(int sync_file, int64_t timeout) {
  const int64_t end = now_ns() + timeout;
  pollfd entry{sync_file, POLLIN, 0};
  int ready;
  do {
    const int64_t left = end - now_ns();
    ready = poll(&entry, 1, left > 0 ? static_cast<int>(left / kMillisecond) : 0);
  } while (ready < 0 && errno == EINTR);
  igt_assert_f(ready == 1 && (entry.revents & POLLIN) != 0, "poll() says %d, events %#x\n", ready,
               static_cast<unsigned>(entry.revents));
  return sync_file_status(sync_file);
}

int transfer(const Device& device, const Syncobj& to, uint64_t to_point, const Syncobj& from,
             uint64_t from_point) {
  drm_syncobj_transfer request{};
  request.src_handle = from.handle();
  request.src_point = from_point;
  request.dst_handle = to.handle();
  request.dst_point = to_point;
  return igt::ioctl_errno(device.fd(), DRM_IOCTL_SYNCOBJ_TRANSFER, &request);
}

}  // namespace gpu
