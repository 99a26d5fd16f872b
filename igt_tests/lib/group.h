// SPDX-License-Identifier: MIT
//
// A group of queues, and lists of jobs for it. The group goes with the object, whatever it is doing
// then.
#pragma once

#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "igt_tests/lib/device.h"
#include "igt_tests/lib/syncobj.h"
#include "igt_tests/lib/vm.h"

namespace gpu {

// A stream as the GPU sees it.
struct Stream {
  uint64_t va = 0;
  uint32_t size = 0;  // bytes
};

struct GroupShape {
  uint32_t queues = 1;
  uint32_t ring_size = 4096;
  uint8_t priority = PANTHOR_GROUP_PRIORITY_MEDIUM;
};

struct GroupState {
  uint32_t state = 0;
  uint32_t fatal_queues = 0;
};

// Several jobs for one ioctl. Keeps the sync-ops that they point to.
class Jobs {
 public:
  Jobs& add(uint32_t queue, Stream stream, Syncs syncs);
  // No stream: only waits and signals.
  Jobs& add_empty(uint32_t queue, Syncs syncs) { return add(queue, {}, std::move(syncs)); }

  std::vector<drm_panthor_queue_submit>& submits() { return submits_; }

 private:
  std::vector<drm_panthor_queue_submit> submits_;
  std::deque<Syncs> syncs_;
};

// A GROUP_CREATE request with everything valid: all cores, one queue at `queue`.
drm_panthor_group_create group_request(const Device& device, uint32_t vm_id,
                                       const drm_panthor_queue_create* queues, uint32_t count);

class Group {
 public:
  static Group create(const Vm& vm, GroupShape shape);
  static Group create_simple(const Vm& vm) { return create(vm, {}); }
  ~Group() { destroy(); }
  Group(Group&& other) noexcept : fd_(other.fd_), handle_(std::exchange(other.handle_, 0)) {}
  Group& operator=(Group&& other) noexcept;

  uint32_t handle() const { return handle_; }

  // 0 or the errno.
  int try_submit(Jobs& jobs) const;
  // One job, which must be accepted.
  void submit(uint32_t queue, Stream stream, Syncs syncs) const;

  GroupState state() const;
  void destroy();

 private:
  Group(int fd, uint32_t handle) : fd_(fd), handle_(handle) {}

  int fd_ = -1;
  uint32_t handle_ = 0;
};

}  // namespace gpu
