// SPDX-License-Identifier: MIT
//
// For tests: a client in the same process with the verbs that tests need, each checked by effect.
// Everything goes through ioctls; buffers are read and written through their frames, as a client's
// mapping would.
#pragma once

#include <drm/panthor_drm.h>
#include <gtest/gtest.h>

#include <vector>

#include "gpu_emu/datasheet/builder.h"
#include "uapi/machine/local_client.h"

namespace pantry::uapi {

struct TestBuffer {
  std::uint32_t handle = 0;
  Ref<driver::Buffer> memory;
  std::uint32_t word(std::uint64_t offset) const {
    std::uint32_t value = 0;
    EXPECT_TRUE(memory->read(offset, &value, sizeof value));
    return value;
  }
};

class TestClient {
 public:
  explicit TestClient(Machine& machine) : client_(machine, driver::NodeType::kRender, {.pid = 1}) {}

  LocalClient& raw() { return client_; }

  std::uint32_t create_vm() {
    drm_panthor_vm_create args{};
    EXPECT_EQ(client_.call(DRM_IOCTL_PANTHOR_VM_CREATE, args), 0);
    return args.id;
  }
  int destroy_vm(std::uint32_t id) {
    drm_panthor_vm_destroy args{id, 0};
    return client_.call(DRM_IOCTL_PANTHOR_VM_DESTROY, args);
  }

  TestBuffer create_buffer(std::uint64_t size) {
    drm_panthor_bo_create args{};
    args.size = size;
    EXPECT_EQ(client_.call(DRM_IOCTL_PANTHOR_BO_CREATE, args), 0);
    drm_panthor_bo_mmap_offset offset{args.handle, 0, 0};
    EXPECT_EQ(client_.call(DRM_IOCTL_PANTHOR_BO_MMAP_OFFSET, offset), 0);
    auto target = client_.mmap(offset.offset, args.size, 3);
    EXPECT_TRUE(target.has_value());
    return {args.handle, target ? target->buffer : nullptr};
  }
  int close_buffer(std::uint32_t handle) {
    drm_gem_close args{handle, 0};
    return client_.call(DRM_IOCTL_GEM_CLOSE, args);
  }

  int bind(std::uint32_t vm, drm_panthor_vm_bind_op op) { return bind(vm, 0, {op}); }
  int bind(std::uint32_t vm, std::uint32_t flags, std::vector<drm_panthor_vm_bind_op> ops) {
    drm_panthor_vm_bind args{};
    args.vm_id = vm;
    args.flags = flags;
    args.ops = {sizeof ops[0], static_cast<std::uint32_t>(ops.size()),
                reinterpret_cast<std::uint64_t>(ops.data())};
    return client_.call(DRM_IOCTL_PANTHOR_VM_BIND, args);
  }
  static drm_panthor_vm_bind_op map(std::uint32_t handle, std::uint64_t va, std::uint64_t size) {
    drm_panthor_vm_bind_op op{};
    op.bo_handle = handle;
    op.va = va;
    op.size = size;
    return op;
  }
  static drm_panthor_vm_bind_op unmap(std::uint64_t va, std::uint64_t size) {
    drm_panthor_vm_bind_op op{};
    op.flags = DRM_PANTHOR_VM_BIND_OP_TYPE_UNMAP;
    op.va = va;
    op.size = size;
    return op;
  }
  static void sync_with(drm_panthor_vm_bind_op& op, std::vector<drm_panthor_sync_op>& syncs) {
    op.syncs = {sizeof syncs[0], static_cast<std::uint32_t>(syncs.size()),
                reinterpret_cast<std::uint64_t>(syncs.data())};
  }

  std::uint32_t create_group(std::uint32_t vm, std::uint32_t queues) {
    std::vector<drm_panthor_queue_create> queue(queues, drm_panthor_queue_create{0, {}, 4096});
    drm_panthor_group_create args{};
    args.queues = {sizeof queue[0], queues, reinterpret_cast<std::uint64_t>(queue.data())};
    args.max_compute_cores = 1;
    args.max_fragment_cores = 1;
    args.max_tiler_cores = 1;
    args.priority = PANTHOR_GROUP_PRIORITY_MEDIUM;
    args.compute_core_mask = 1;
    args.fragment_core_mask = 1;
    args.tiler_core_mask = 1;
    args.vm_id = vm;
    EXPECT_EQ(client_.call(DRM_IOCTL_PANTHOR_GROUP_CREATE, args), 0);
    return args.group_handle;
  }
  int destroy_group(std::uint32_t group) {
    drm_panthor_group_destroy args{group, 0};
    return client_.call(DRM_IOCTL_PANTHOR_GROUP_DESTROY, args);
  }
  drm_panthor_group_get_state group_state(std::uint32_t group) {
    drm_panthor_group_get_state args{};
    args.group_handle = group;
    EXPECT_EQ(client_.call(DRM_IOCTL_PANTHOR_GROUP_GET_STATE, args), 0);
    return args;
  }
  int submit(std::uint32_t group, std::uint32_t queue, std::uint64_t stream, std::uint32_t bytes,
             std::vector<drm_panthor_sync_op> syncs) {
    drm_panthor_queue_submit job{};
    job.queue_index = queue;
    job.stream_addr = stream;
    job.stream_size = bytes;
    if (!syncs.empty())
      job.syncs = {sizeof syncs[0], static_cast<std::uint32_t>(syncs.size()),
                   reinterpret_cast<std::uint64_t>(syncs.data())};
    drm_panthor_group_submit args{};
    args.group_handle = group;
    args.queue_submits = {sizeof job, 1, reinterpret_cast<std::uint64_t>(&job)};
    return client_.call(DRM_IOCTL_PANTHOR_GROUP_SUBMIT, args);
  }

  std::uint32_t create_syncobj() {
    drm_syncobj_create args{};
    EXPECT_EQ(client_.call(DRM_IOCTL_SYNCOBJ_CREATE, args), 0);
    return args.handle;
  }
  // Signals a binary syncobj, or a point of a timeline, from the host.
  int signal(std::uint32_t syncobj) {
    drm_syncobj_array args{reinterpret_cast<std::uint64_t>(&syncobj), 1, 0};
    return client_.call(DRM_IOCTL_SYNCOBJ_SIGNAL, args);
  }
  // Waits for a binary syncobj until `deadline`, a time of the machine's clock.
  int wait(std::uint32_t syncobj, TimePoint deadline) {
    drm_syncobj_wait args{};
    args.handles = reinterpret_cast<std::uint64_t>(&syncobj);
    args.count_handles = 1;
    args.timeout_nsec = deadline.ns;
    return client_.call(DRM_IOCTL_SYNCOBJ_WAIT, args);
  }
  static drm_panthor_sync_op signals(std::uint32_t syncobj) { return {1u << 31, syncobj, 0}; }
  static drm_panthor_sync_op waits(std::uint32_t syncobj) { return {0, syncobj, 0}; }

 private:
  LocalClient client_;
};

// A stream that stores `value` at `va`, written to `buffer` at `offset`; returns its length in
// bytes.
inline std::uint32_t write_store_stream(const TestBuffer& buffer, std::uint64_t offset,
                                        std::uint64_t va, std::uint32_t value) {
  std::uint64_t words[8] = {};
  datasheet::CsBuilder stream(words);
  stream.add_word(0x0144'0000'0000'0000 | va);     // MOVE48 r68:69, va
  stream.add_word(0x0246'0000'0000'0000 | value);  // MOVE32 r70, value
  stream.add_word(0x1546'4400'0001'0000);          // STORE_MULTIPLE r70 -> [r68:69]
  stream.add_word(0x0300'0000'00ff'0000);          // WAIT all
  EXPECT_TRUE(buffer.memory->write(offset, words, stream.bytes()));
  return static_cast<std::uint32_t>(stream.bytes());
}

}  // namespace pantry::uapi
