// SPDX-License-Identifier: MIT

#include "igt_tests/lib/vm.h"

#include "igt_tests/harness/igt.h"

namespace gpu {

Binds& Binds::add(drm_panthor_vm_bind_op op, Syncs syncs) {
  if (!syncs.ops().empty()) {
    syncs_.push_back(std::move(syncs));
    op.syncs = syncs_.back().array();
  }
  ops_.push_back(op);
  return *this;
}

Binds& Binds::map(const Bo& bo, uint64_t bo_offset, uint64_t va, uint64_t size, uint32_t flags,
                  Syncs syncs) {
  drm_panthor_vm_bind_op op{};
  op.flags = kMap | flags;
  op.bo_handle = bo.handle();
  op.bo_offset = bo_offset;
  op.va = va;
  op.size = size;
  return add(op, std::move(syncs));
}

Binds& Binds::unmap(uint64_t va, uint64_t size, Syncs syncs) {
  drm_panthor_vm_bind_op op{};
  op.flags = kUnmap;
  op.va = va;
  op.size = size;
  return add(op, std::move(syncs));
}

Binds& Binds::sync_only(Syncs syncs) {
  drm_panthor_vm_bind_op op{};
  op.flags = kSyncOnly;
  return add(op, std::move(syncs));
}

Binds& Binds::raw(drm_panthor_vm_bind_op op) { return add(op, {}); }

Vm Vm::create(const Device& device) { return create_with_range(device, 0); }

Vm Vm::create_with_range(const Device& device, uint64_t user_va_range) {
  drm_panthor_vm_create request{};
  request.user_va_range = user_va_range;
  do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_VM_CREATE, &request);
  igt_assert_neq(request.id, 0);
  return Vm(device, request.id, request.user_va_range);
}

Vm::Vm(Vm&& other) noexcept
    : device_(other.device_),
      id_(std::exchange(other.id_, 0)),
      user_va_range_(other.user_va_range_) {}

Vm& Vm::operator=(Vm&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(id_, other.id_);
  std::swap(user_va_range_, other.user_va_range_);
  return *this;
}

void Vm::destroy() {
  if (id_ == 0) return;
  drm_panthor_vm_destroy request{};
  request.id = std::exchange(id_, 0);
  drmIoctl(device_->fd(), DRM_IOCTL_PANTHOR_VM_DESTROY, &request);
}

int Vm::bind_sync(Binds& binds, uint32_t& failed_at) {
  drm_panthor_vm_bind request{};
  request.vm_id = id_;
  request.ops = {sizeof(drm_panthor_vm_bind_op), static_cast<uint32_t>(binds.ops().size()),
                 reinterpret_cast<uint64_t>(binds.ops().data())};
  const int number = igt::ioctl_errno(device_->fd(), DRM_IOCTL_PANTHOR_VM_BIND, &request);
  failed_at = request.ops.count;
  return number;
}

int Vm::bind_async(Binds& binds) {
  drm_panthor_vm_bind request{};
  request.vm_id = id_;
  request.flags = DRM_PANTHOR_VM_BIND_ASYNC;
  request.ops = {sizeof(drm_panthor_vm_bind_op), static_cast<uint32_t>(binds.ops().size()),
                 reinterpret_cast<uint64_t>(binds.ops().data())};
  return igt::ioctl_errno(device_->fd(), DRM_IOCTL_PANTHOR_VM_BIND, &request);
}

void Vm::map(const Bo& bo, uint64_t va) { map_part(bo, 0, va, bo.size(), 0); }

void Vm::map_part(const Bo& bo, uint64_t bo_offset, uint64_t va, uint64_t size, uint32_t flags) {
  Binds binds;
  binds.map(bo, bo_offset, va, size, flags, {});
  uint32_t failed_at = 0;
  igt_assert_eq(bind_sync(binds, failed_at), 0);
}

void Vm::unmap(uint64_t va, uint64_t size) {
  Binds binds;
  binds.unmap(va, size, {});
  uint32_t failed_at = 0;
  igt_assert_eq(bind_sync(binds, failed_at), 0);
}

drm_panthor_vm_state Vm::state() const {
  drm_panthor_vm_get_state request{};
  request.vm_id = id_;
  request.state = ~0U;
  do_ioctl(device_->fd(), DRM_IOCTL_PANTHOR_VM_GET_STATE, &request);
  return static_cast<drm_panthor_vm_state>(request.state);
}

}  // namespace gpu
