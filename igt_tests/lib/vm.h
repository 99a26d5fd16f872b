// SPDX-License-Identifier: MIT
//
// A GPU address space, and lists of bind operations for it. The space goes with the object; what is
// mapped in it stays alive until then.
#pragma once

#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "igt_tests/lib/bo.h"
#include "igt_tests/lib/device.h"
#include "igt_tests/lib/syncobj.h"

namespace gpu {

inline constexpr uint32_t kMap = DRM_PANTHOR_VM_BIND_OP_TYPE_MAP;
inline constexpr uint32_t kUnmap = DRM_PANTHOR_VM_BIND_OP_TYPE_UNMAP;
inline constexpr uint32_t kSyncOnly = DRM_PANTHOR_VM_BIND_OP_TYPE_SYNC_ONLY;
inline constexpr uint32_t kReadOnly = DRM_PANTHOR_VM_BIND_OP_MAP_READONLY;
inline constexpr uint32_t kNoExec = DRM_PANTHOR_VM_BIND_OP_MAP_NOEXEC;
inline constexpr uint32_t kUncached = DRM_PANTHOR_VM_BIND_OP_MAP_UNCACHED;

// Several operations for one ioctl. Keeps the sync-ops that they point to.
class Binds {
 public:
  Binds& map(const Bo& bo, uint64_t bo_offset, uint64_t va, uint64_t size, uint32_t flags,
             Syncs syncs);
  Binds& unmap(uint64_t va, uint64_t size, Syncs syncs);
  Binds& sync_only(Syncs syncs);
  // An operation as it is, for what a correct client would not do.
  Binds& raw(drm_panthor_vm_bind_op op);

  std::vector<drm_panthor_vm_bind_op>& ops() { return ops_; }

 private:
  Binds& add(drm_panthor_vm_bind_op op, Syncs syncs);

  std::vector<drm_panthor_vm_bind_op> ops_;
  std::deque<Syncs> syncs_;  // a deque: the operations point into its elements
};

class Vm {
 public:
  static Vm create(const Device& device);
  static Vm create_with_range(const Device& device, uint64_t user_va_range);
  ~Vm() { destroy(); }
  Vm(Vm&& other) noexcept;
  Vm& operator=(Vm&& other) noexcept;

  uint32_t id() const { return id_; }
  uint64_t user_va_range() const { return user_va_range_; }
  const Device& device() const { return *device_; }

  // Synchronous; each must succeed.
  void map(const Bo& bo, uint64_t va);
  void map_part(const Bo& bo, uint64_t bo_offset, uint64_t va, uint64_t size, uint32_t flags);
  void unmap(uint64_t va, uint64_t size);

  // 0 or the errno. A synchronous call that fails leaves the index of the failing operation in
  // `failed_at`.
  int bind_sync(Binds& binds, uint32_t& failed_at);
  int bind_async(Binds& binds);

  drm_panthor_vm_state state() const;
  void destroy();

 private:
  Vm(const Device& device, uint32_t id, uint64_t range)
      : device_(&device), id_(id), user_va_range_(range) {}

  const Device* device_ = nullptr;
  uint32_t id_ = 0;
  uint64_t user_va_range_ = 0;
};

}  // namespace gpu
