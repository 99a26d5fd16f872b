// SPDX-License-Identifier: MIT

#include "igt_tests/lib/group.h"

#include <bit>

#include "igt_tests/harness/igt.h"

namespace gpu {

Jobs& Jobs::add(uint32_t queue, Stream stream, Syncs syncs) {
  drm_panthor_queue_submit submit{};
  submit.queue_index = queue;
  submit.stream_addr = stream.va;
  submit.stream_size = stream.size;
  if (!syncs.ops().empty()) {
    syncs_.push_back(std::move(syncs));
    submit.syncs = syncs_.back().array();
  }
  submits_.push_back(submit);
  return *this;
}

drm_panthor_group_create group_request(const Device& device, uint32_t vm_id,
                                       const drm_panthor_queue_create* queues, uint32_t count) {
  const drm_panthor_gpu_info& info = device.info();
  drm_panthor_group_create request{};
  request.queues = {sizeof(*queues), count, reinterpret_cast<uint64_t>(queues)};
  request.max_compute_cores = static_cast<uint8_t>(std::popcount(info.shader_present));
  request.max_fragment_cores = request.max_compute_cores;
  request.max_tiler_cores = static_cast<uint8_t>(std::popcount(info.tiler_present));
  request.priority = PANTHOR_GROUP_PRIORITY_MEDIUM;
  request.compute_core_mask = info.shader_present;
  request.fragment_core_mask = info.shader_present;
  request.tiler_core_mask = info.tiler_present;
  request.vm_id = vm_id;
  return request;
}

Group Group::create(const Vm& vm, GroupShape shape) {
  drm_panthor_queue_create queue{};
  queue.ringbuf_size = shape.ring_size;
  const std::vector<drm_panthor_queue_create> queues(shape.queues, queue);
  drm_panthor_group_create request =
      group_request(vm.device(), vm.id(), queues.data(), shape.queues);
  request.priority = shape.priority;
  do_ioctl(vm.device().fd(), DRM_IOCTL_PANTHOR_GROUP_CREATE, &request);
  igt_assert_neq(request.group_handle, 0);
  return Group(vm.device().fd(), request.group_handle);
}

Group& Group::operator=(Group&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(handle_, other.handle_);
  return *this;
}

void Group::destroy() {
  if (handle_ == 0) return;
  drm_panthor_group_destroy request{};
  request.group_handle = std::exchange(handle_, 0);
  drmIoctl(fd_, DRM_IOCTL_PANTHOR_GROUP_DESTROY, &request);
}

int Group::try_submit(Jobs& jobs) const {
  drm_panthor_group_submit request{};
  request.group_handle = handle_;
  request.queue_submits = {sizeof(drm_panthor_queue_submit),
                           static_cast<uint32_t>(jobs.submits().size()),
                           reinterpret_cast<uint64_t>(jobs.submits().data())};
  return igt::ioctl_errno(fd_, DRM_IOCTL_PANTHOR_GROUP_SUBMIT, &request);
}

void Group::submit(uint32_t queue, Stream stream, Syncs syncs) const {
  Jobs jobs;
  jobs.add(queue, stream, std::move(syncs));
  igt_assert_eq(try_submit(jobs), 0);
}

GroupState Group::state() const {
  drm_panthor_group_get_state request{};
  request.group_handle = handle_;
  do_ioctl(fd_, DRM_IOCTL_PANTHOR_GROUP_GET_STATE, &request);
  igt_assert_eq(request.group_handle, 0);
  return {request.state, request.fatal_queues};
}

}  // namespace gpu
