// SPDX-License-Identifier: MIT

#include "igt_tests/lib/tenant.h"

#include <cerrno>

#include "igt_tests/harness/igt.h"

namespace gpu {

Tenant::Tenant(const Device& landlord, const Pulse& pulse)
    : fd_(drm_reopen_driver(landlord.fd())), stream_(pulse.stream()) {
  const UniqueFd memory = pulse.memory().export_fd();
  drm_prime_handle import{};
  import.fd = memory.get();
  do_ioctl(fd(), DRM_IOCTL_PRIME_FD_TO_HANDLE, &import);

  drm_panthor_vm_create vm{};
  do_ioctl(fd(), DRM_IOCTL_PANTHOR_VM_CREATE, &vm);
  vm_id_ = vm.id;
  map(import.handle, 0, stream_.va, kPage, kReadOnly);
  map(import.handle, kPage, stream_.va + kPage, kPage, kNoExec | kUncached);

  drm_panthor_queue_create queue{};
  queue.ringbuf_size = 4096;
  drm_panthor_group_create group = group_request(landlord, vm_id_, &queue, 1);
  do_ioctl(fd(), DRM_IOCTL_PANTHOR_GROUP_CREATE, &group);
  group_ = group.group_handle;

  drm_syncobj_create done{};
  do_ioctl(fd(), DRM_IOCTL_SYNCOBJ_CREATE, &done);
  done_ = done.handle;
}

void Tenant::map(uint32_t handle, uint64_t bo_offset, uint64_t va, uint64_t size,
                 uint32_t flags) const {
  drm_panthor_vm_bind_op op{};
  op.flags = kMap | flags;
  op.bo_handle = handle;
  op.bo_offset = bo_offset;
  op.va = va;
  op.size = size;
  drm_panthor_vm_bind request{};
  request.vm_id = vm_id_;
  request.ops = {sizeof(op), 1, reinterpret_cast<uint64_t>(&op)};
  do_ioctl(fd(), DRM_IOCTL_PANTHOR_VM_BIND, &request);
}

void Tenant::start() {
  drm_panthor_sync_op sync{static_cast<uint32_t>(DRM_PANTHOR_SYNC_OP_SIGNAL), done_, 0};
  drm_panthor_queue_submit submit{};
  submit.stream_addr = stream_.va;
  submit.stream_size = stream_.size;
  submit.syncs = {sizeof(sync), 1, reinterpret_cast<uint64_t>(&sync)};
  drm_panthor_group_submit request{};
  request.group_handle = group_;
  request.queue_submits = {sizeof(submit), 1, reinterpret_cast<uint64_t>(&submit)};
  do_ioctl(fd(), DRM_IOCTL_PANTHOR_GROUP_SUBMIT, &request);
}

UniqueFd Tenant::fence() const {
  drm_syncobj_handle request{};
  request.handle = done_;
  request.flags = DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE;
  request.fd = -1;
  do_ioctl(fd(), DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &request);
  igt_assert_fd(request.fd);
  return UniqueFd(request.fd);
}

void expect_ended(int status) {
  igt_assert_f(status == -ECANCELED || status == -EINVAL, "the fence says %d\n", status);
}

void expect_in_order(const Device& device) {
  constexpr uint32_t kAnything = 0x0C;
  Bench bench(device);
  bench.store32(bench.result_va(0), kAnything);
  igt_assert_eq(bench.result(0), kAnything);
  bench.expect_load_fault(kPlay);
}

}  // namespace gpu
