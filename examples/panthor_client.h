// SPDX-License-Identifier: MIT
//
// The few calls of libdrm and the Panthor uAPI that the example makes, with what it expects of
// each: whatever fails ends the program with a message. Nothing waits for longer than kPatience.
// Objects belong to the open file and go with it.
#pragma once

#include <drm/panthor_drm.h>
#include <fcntl.h>
#include <linux/sync_file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <xf86drm.h>

#include <bit>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "examples/command_stream.h"

namespace example {

constexpr int64_t kPatience = 20'000'000'000;

inline int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * int64_t{1'000'000'000} + now.tv_nsec;
}

[[noreturn, gnu::format(printf, 1, 2)]] inline void fail(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "main_job: ");
  vfprintf(stderr, format, arguments);
  fprintf(stderr, "\n");
  va_end(arguments);
  exit(2);
}

struct Buffer {
  uint32_t handle = 0;
  uint64_t size = 0;
  uint8_t* bytes = nullptr;
};

// A place on a timeline; value 0 is none.
struct Point {
  uint32_t timeline = 0;
  uint64_t value = 0;
};

// What a bind or a job waits for, and what it signals.
struct Order {
  Point after;
  Point signals;
};

class Client {
 public:
  // Takes over an open node; see open_device().
  explicit Client(int fd) : fd_(fd) {
    drm_panthor_dev_query query{DRM_PANTHOR_DEV_QUERY_GPU_INFO, sizeof(info_), pointer(&info_)};
    call(DRM_IOCTL_PANTHOR_DEV_QUERY, &query, "DEV_QUERY");
    binary_ = create_timeline();
  }
  ~Client() { close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  const drm_panthor_gpu_info& info() const { return info_; }

  // A sync object is a timeline or a binary one by the way it is used.
  uint32_t create_timeline() {
    drm_syncobj_create request{};
    call(DRM_IOCTL_SYNCOBJ_CREATE, &request, "SYNCOBJ_CREATE");
    return request.handle;
  }

  uint32_t create_vm() {
    drm_panthor_vm_create request{};
    call(DRM_IOCTL_PANTHOR_VM_CREATE, &request, "VM_CREATE");
    return request.id;
  }

  Buffer create_buffer(uint64_t size) {
    drm_panthor_bo_create request{};
    request.size = size;
    call(DRM_IOCTL_PANTHOR_BO_CREATE, &request, "BO_CREATE");
    drm_panthor_bo_mmap_offset offset{};
    offset.handle = request.handle;
    call(DRM_IOCTL_PANTHOR_BO_MMAP_OFFSET, &offset, "BO_MMAP_OFFSET");
    void* mapped = mmap(nullptr, request.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_,
                        static_cast<off_t>(offset.offset));
    if (mapped == MAP_FAILED) fail("mmap: %s", strerror(errno));
    return {request.handle, request.size, static_cast<uint8_t*>(mapped)};
  }

  uint32_t create_group(uint32_t vm) {
    drm_panthor_queue_create queue{};
    queue.ringbuf_size = 4096;
    drm_panthor_group_create request{};
    request.queues = {sizeof(queue), 1, pointer(&queue)};
    request.max_compute_cores = static_cast<uint8_t>(std::popcount(info_.shader_present));
    request.max_fragment_cores = request.max_compute_cores;
    request.max_tiler_cores = static_cast<uint8_t>(std::popcount(info_.tiler_present));
    request.priority = PANTHOR_GROUP_PRIORITY_MEDIUM;
    request.compute_core_mask = request.fragment_core_mask = info_.shader_present;
    request.tiler_core_mask = info_.tiler_present;
    request.vm_id = vm;
    call(DRM_IOCTL_PANTHOR_GROUP_CREATE, &request, "GROUP_CREATE");
    return request.group_handle;
  }

  // Asynchronous; the whole or a part of a buffer.
  void map(uint32_t vm, const Buffer& buffer, uint64_t offset, uint64_t va, uint64_t size,
           uint32_t flags, const Order& order) {
    drm_panthor_vm_bind_op op{};
    op.flags = DRM_PANTHOR_VM_BIND_OP_TYPE_MAP | flags;
    op.bo_handle = buffer.handle;
    op.bo_offset = offset;
    op.va = va;
    op.size = size;
    bind(vm, op, order);
  }
  void unmap(uint32_t vm, uint64_t va, uint64_t size, const Order& order) {
    drm_panthor_vm_bind_op op{};
    op.flags = DRM_PANTHOR_VM_BIND_OP_TYPE_UNMAP;
    op.va = va;
    op.size = size;
    bind(vm, op, order);
  }

  void submit(uint32_t group, uint64_t stream_va, size_t stream_size, const Order& order) {
    submit(group, stream_va, stream_size, sync_ops(order));
  }

  void wait(Point point) {
    drm_syncobj_timeline_wait request{};
    request.handles = pointer(&point.timeline);
    request.points = pointer(&point.value);
    request.timeout_nsec = now_ns() + kPatience;
    request.count_handles = 1;
    call(DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, &request, "SYNCOBJ_TIMELINE_WAIT");
  }
  // The highest point that has signalled.
  uint64_t reached(uint32_t timeline) {
    uint64_t value = 0;
    drm_syncobj_timeline_array request{};
    request.handles = pointer(&timeline);
    request.points = pointer(&value);
    request.count_handles = 1;
    call(DRM_IOCTL_SYNCOBJ_QUERY, &request, "SYNCOBJ_QUERY");
    return value;
  }

  // Runs a stream to its end and returns what its fence says: 1, or a negative errno. (Points of a
  // timeline do not tell; a binary fence does.)
  int run_to_status(uint32_t group, uint64_t stream_va, size_t stream_size) {
    submit(group, stream_va, stream_size,
           {{static_cast<uint32_t>(DRM_PANTHOR_SYNC_OP_SIGNAL), binary_, 0}});
    drm_syncobj_wait wait{};
    wait.handles = pointer(&binary_);
    wait.count_handles = 1;
    wait.timeout_nsec = now_ns() + kPatience;
    call(DRM_IOCTL_SYNCOBJ_WAIT, &wait, "SYNCOBJ_WAIT");
    drm_syncobj_handle file{};
    file.handle = binary_;
    file.flags = DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE;
    call(DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &file, "SYNCOBJ_HANDLE_TO_FD");
    sync_file_info info{};
    if (ioctl(file.fd, SYNC_IOC_FILE_INFO, &info) != 0) fail("FILE_INFO: %s", strerror(errno));
    close(file.fd);
    return info.status;
  }

  drm_panthor_group_get_state group_state(uint32_t group) {
    drm_panthor_group_get_state request{};
    request.group_handle = group;
    call(DRM_IOCTL_PANTHOR_GROUP_GET_STATE, &request, "GROUP_GET_STATE");
    return request;
  }
  void destroy_group(uint32_t group) {
    drm_panthor_group_destroy request{group, 0};
    call(DRM_IOCTL_PANTHOR_GROUP_DESTROY, &request, "GROUP_DESTROY");
  }
  bool is_usable(uint32_t vm) {
    drm_panthor_vm_get_state request{vm, 0};
    call(DRM_IOCTL_PANTHOR_VM_GET_STATE, &request, "VM_GET_STATE");
    return request.state == DRM_PANTHOR_VM_STATE_USABLE;
  }

 private:
  static uint64_t pointer(const void* object) { return reinterpret_cast<uint64_t>(object); }
  static drm_panthor_obj_array array(const std::vector<drm_panthor_sync_op>& syncs) {
    return {sizeof(drm_panthor_sync_op), static_cast<uint32_t>(syncs.size()),
            pointer(syncs.data())};
  }

  static std::vector<drm_panthor_sync_op> sync_ops(const Order& order) {
    constexpr uint32_t kTimeline = DRM_PANTHOR_SYNC_OP_HANDLE_TYPE_TIMELINE_SYNCOBJ;
    constexpr auto kSignal = static_cast<uint32_t>(DRM_PANTHOR_SYNC_OP_SIGNAL);
    std::vector<drm_panthor_sync_op> syncs;
    const Point& after = order.after;
    const Point& signals = order.signals;
    if (after.value != 0) syncs.push_back({kTimeline, after.timeline, after.value});
    if (signals.value != 0) syncs.push_back({kTimeline | kSignal, signals.timeline, signals.value});
    return syncs;
  }

  void submit(uint32_t group, uint64_t stream_va, size_t stream_size,
              const std::vector<drm_panthor_sync_op>& syncs) {
    drm_panthor_queue_submit job{};
    job.stream_addr = stream_va;
    job.stream_size = static_cast<uint32_t>(stream_size);
    job.syncs = array(syncs);
    drm_panthor_group_submit request{};
    request.group_handle = group;
    request.queue_submits = {sizeof(job), 1, pointer(&job)};
    call(DRM_IOCTL_PANTHOR_GROUP_SUBMIT, &request, "GROUP_SUBMIT");
  }

  void bind(uint32_t vm, drm_panthor_vm_bind_op op, const Order& order) {
    const std::vector<drm_panthor_sync_op> syncs = sync_ops(order);
    op.syncs = array(syncs);
    drm_panthor_vm_bind request{};
    request.vm_id = vm;
    request.flags = DRM_PANTHOR_VM_BIND_ASYNC;
    request.ops = {sizeof(op), 1, pointer(&op)};
    call(DRM_IOCTL_PANTHOR_VM_BIND, &request, "VM_BIND");
  }

  void call(unsigned long request, void* argument, const char* name) const {
    if (drmIoctl(fd_, request, argument) != 0) fail("%s: %s", name, strerror(errno));
  }

  int fd_;
  drm_panthor_gpu_info info_{};
  uint32_t binary_ = 0;
};

// The first render node whose driver is panthor, or -1.
inline int open_device() {
  for (int i = 128; i < 144; ++i) {
    const std::string path = "/dev/dri/renderD" + std::to_string(i);
    const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0) continue;
    drmVersion* version = drmGetVersion(fd);
    const bool is_panthor = version != nullptr && strcmp(version->name, "panthor") == 0;
    if (is_panthor) {
      printf("%s: driver %s %d.%d\n", path.c_str(), version->name, version->version_major,
             version->version_minor);
    }
    drmFreeVersion(version);
    if (is_panthor) return fd;
    close(fd);
  }
  return -1;
}

}  // namespace example
