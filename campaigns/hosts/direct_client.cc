// SPDX-License-Identifier: MIT
#include "campaigns/hosts/direct_client.h"

#include <drm.h>
#include <fmt/core.h>

#include <cstdlib>

namespace pantry::campaigns {
namespace {

// Longer than anything takes on a busy machine.
constexpr Duration kPatience = seconds(60);

}  // namespace

void DirectClient::must(std::uint32_t command, void* argument) {
  if (const int result = client_.ioctl(command, argument); result != 0) {
    fmt::print(stderr, "the campaign's own ioctl {:#x} fails: {}\n", command, result);
    std::abort();
  }
}

std::uint32_t DirectClient::create_vm() {
  drm_panthor_vm_create args{};
  must(DRM_IOCTL_PANTHOR_VM_CREATE, &args);
  return args.id;
}

std::uint32_t DirectClient::create_buffer(std::uint64_t size, std::uint32_t exclusive_vm) {
  drm_panthor_bo_create args{};
  args.size = size;
  args.exclusive_vm_id = exclusive_vm;
  must(DRM_IOCTL_PANTHOR_BO_CREATE, &args);
  return args.handle;
}

std::uint32_t DirectClient::create_group(std::uint32_t vm) {
  drm_panthor_queue_create queue{0, {}, 4096};
  drm_panthor_group_create args{};
  args.queues = {sizeof queue, 1, reinterpret_cast<std::uint64_t>(&queue)};
  args.max_compute_cores = 1;
  args.max_fragment_cores = 1;
  args.max_tiler_cores = 1;
  args.priority = PANTHOR_GROUP_PRIORITY_MEDIUM;
  args.compute_core_mask = 1;
  args.fragment_core_mask = 1;
  args.tiler_core_mask = 1;
  args.vm_id = vm;
  must(DRM_IOCTL_PANTHOR_GROUP_CREATE, &args);
  return args.group_handle;
}

std::uint32_t DirectClient::create_syncobj() {
  drm_syncobj_create args{};
  must(DRM_IOCTL_SYNCOBJ_CREATE, &args);
  return args.handle;
}

void DirectClient::close_buffer(std::uint32_t handle) {
  drm_gem_close args{handle, 0};
  must(DRM_IOCTL_GEM_CLOSE, &args);
}

void DirectClient::destroy_vm(std::uint32_t vm) {
  drm_panthor_vm_destroy args{vm, 0};
  must(DRM_IOCTL_PANTHOR_VM_DESTROY, &args);
}

void DirectClient::destroy_group(std::uint32_t group) {
  drm_panthor_group_destroy args{group, 0};
  must(DRM_IOCTL_PANTHOR_GROUP_DESTROY, &args);
}

void DirectClient::destroy_syncobj(std::uint32_t syncobj) {
  drm_syncobj_destroy args{syncobj, 0};
  must(DRM_IOCTL_SYNCOBJ_DESTROY, &args);
}

int DirectClient::bind(std::uint32_t vm, std::uint32_t flags,
                       std::vector<drm_panthor_vm_bind_op>& ops) {
  drm_panthor_vm_bind args{};
  args.vm_id = vm;
  args.flags = flags;
  args.ops = {sizeof ops[0], static_cast<std::uint32_t>(ops.size()),
              reinterpret_cast<std::uint64_t>(ops.data())};
  return client_.call(DRM_IOCTL_PANTHOR_VM_BIND, args);
}

int DirectClient::submit(std::uint32_t group, std::uint64_t va, std::uint32_t bytes,
                         std::uint32_t done) {
  drm_panthor_sync_op sync{static_cast<std::uint32_t>(DRM_PANTHOR_SYNC_OP_SIGNAL), done, 0};
  drm_panthor_queue_submit job{};
  job.stream_addr = va;
  job.stream_size = bytes;
  job.syncs = {sizeof sync, 1, reinterpret_cast<std::uint64_t>(&sync)};
  drm_panthor_group_submit args{};
  args.group_handle = group;
  args.queue_submits = {sizeof job, 1, reinterpret_cast<std::uint64_t>(&job)};
  return client_.call(DRM_IOCTL_PANTHOR_GROUP_SUBMIT, args);
}

int DirectClient::run(std::uint32_t group, std::uint64_t va, std::uint32_t bytes) {
  const std::uint32_t done = create_syncobj();
  if (const int result = submit(group, va, bytes, done); result != 0) {
    fmt::print(stderr, "the campaign's own job is refused: {}\n", result);
    std::abort();
  }
  const int status = finish(done);
  destroy_syncobj(done);
  return status;
}

int DirectClient::finish(std::uint32_t syncobj) {
  drm_syncobj_wait args{};
  args.handles = reinterpret_cast<std::uint64_t>(&syncobj);
  args.count_handles = 1;
  args.timeout_nsec = (file().device().executor().clock().now() + kPatience).ns;
  must(DRM_IOCTL_SYNCOBJ_WAIT, &args);
  return file().syncobj(syncobj)->fence()->status();
}

void DirectClient::write(std::uint32_t buffer, std::uint64_t offset, const void* from,
                         std::uint64_t bytes) {
  if (!file().buffer(buffer)->write(offset, from, bytes)) std::abort();
}

std::uint32_t DirectClient::word(std::uint32_t buffer, std::uint64_t offset) {
  std::uint32_t value = 0;
  if (!file().buffer(buffer)->read(offset, &value, sizeof value)) std::abort();
  return value;
}

drm_panthor_vm_bind_op DirectClient::map(std::uint32_t buffer, std::uint64_t offset,
                                         std::uint64_t va, std::uint64_t size) {
  drm_panthor_vm_bind_op op{};
  op.flags = DRM_PANTHOR_VM_BIND_OP_TYPE_MAP;
  op.bo_handle = buffer;
  op.bo_offset = offset;
  op.va = va;
  op.size = size;
  return op;
}

drm_panthor_vm_bind_op DirectClient::unmap(std::uint64_t va, std::uint64_t size) {
  drm_panthor_vm_bind_op op{};
  op.flags = DRM_PANTHOR_VM_BIND_OP_TYPE_UNMAP;
  op.va = va;
  op.size = size;
  return op;
}

}  // namespace pantry::campaigns
