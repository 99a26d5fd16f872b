// SPDX-License-Identifier: MIT
//
// Handles and ids of another client: the attacker guesses a number that the victim has. As a
// control the victim names it.
#include <sys/eventfd.h>

#include "campaigns/attempts/attempt.h"
#include "uapi/drm_abi.h"

namespace pantry::redteam {
namespace {

using Effect = Attempt::Effect;

template <class T>
int call(Scene& scene, Side side, std::uint32_t command, T args) {
  return scene.who(side).call(command, args);
}

drm_syncobj_array one(const std::uint32_t& handle) {
  return {reinterpret_cast<std::uint64_t>(&handle), 1, 0};
}

drm_syncobj_timeline_array one_point(const std::uint32_t& handle, const std::uint64_t& point) {
  return {reinterpret_cast<std::uint64_t>(&handle), reinterpret_cast<std::uint64_t>(&point), 1, 0};
}

// An unmap that waits for or signals a syncobj.
int bind_with(Scene& scene, Side side, std::uint32_t syncobj, std::uint32_t flags) {
  drm_panthor_sync_op sync{flags, syncobj, 0};
  drm_panthor_vm_bind_op op{};
  op.flags = DRM_PANTHOR_VM_BIND_OP_TYPE_UNMAP;
  op.va = kVa;
  op.size = kPageSize;
  op.syncs = {sizeof sync, 1, reinterpret_cast<std::uint64_t>(&sync)};
  const int result = bind(scene.who(side), 1, op, DRM_PANTHOR_VM_BIND_ASYNC);
  scene.machine().device().settle();
  return result;
}

constexpr Attempt kAttempts[] = {
    {"close a foreign buffer", EINVAL, Effect::kChanges,
     [](Scene& s, Side side) { return close_buffer(s.who(side), 3); }},
    {"learn the mmap offset of a foreign buffer", ENOENT, Effect::kReads,
     [](Scene& s, Side side) {
       return call(s, side, DRM_IOCTL_PANTHOR_BO_MMAP_OFFSET, drm_panthor_bo_mmap_offset{3, 0, 0});
     }},
    {"label a foreign buffer", ENOENT, Effect::kChanges,
     [](Scene& s, Side side) {
       drm_panthor_bo_set_label args{};
       args.handle = 3;
       args.label = reinterpret_cast<std::uint64_t>("mine");
       return call(s, side, DRM_IOCTL_PANTHOR_BO_SET_LABEL, args);
     }},
    {"query a foreign buffer", ENOENT, Effect::kReads,
     [](Scene& s, Side side) {
       drm_panthor_bo_query_info args{};
       args.handle = 3;
       return call(s, side, DRM_IOCTL_PANTHOR_BO_QUERY_INFO, args);
     }},
    {"flush a foreign buffer", ENOENT, Effect::kReads,
     [](Scene& s, Side side) {
       drm_panthor_bo_sync_op op{};
       op.handle = 3;
       op.size = kPageSize;
       drm_panthor_bo_sync args{};
       args.ops = {sizeof op, 1, reinterpret_cast<std::uint64_t>(&op)};
       return call(s, side, DRM_IOCTL_PANTHOR_BO_SYNC, args);
     }},
    {"export a foreign buffer", ENOENT, Effect::kReads,
     [](Scene& s, Side side) {
       return call(s, side, DRM_IOCTL_PRIME_HANDLE_TO_FD, drm_prime_handle{3, 0, -1});
     }},
    {"map a foreign buffer into the own VM", EINVAL, Effect::kChanges,
     [](Scene& s, Side side) { return bind(s.who(side), 1, map_op(3, 0, 2 * kVa, kPageSize)); }},
    {"map into a foreign VM", EINVAL, Effect::kChanges,
     [](Scene& s, Side side) { return bind(s.who(side), 2, map_op(1, 0, 2 * kVa, kPageSize)); }},
    {"destroy a foreign VM", EINVAL, Effect::kChanges,
     [](Scene& s, Side side) {
       return call(s, side, DRM_IOCTL_PANTHOR_VM_DESTROY, drm_panthor_vm_destroy{2, 0});
     }},
    {"ask for the state of a foreign VM", EINVAL, Effect::kReads,
     [](Scene& s, Side side) {
       return call(s, side, DRM_IOCTL_PANTHOR_VM_GET_STATE, drm_panthor_vm_get_state{2, 0});
     }},
    {"create a buffer that is private to a foreign VM", EINVAL, Effect::kChanges,
     [](Scene& s, Side side) {
       std::uint32_t handle = 0;
       return create_buffer(s.who(side), kPageSize, 0, 2, handle);
     }},
    {"create a group in a foreign VM", EINVAL, Effect::kChanges,
     [](Scene& s, Side side) { return create_group(s.who(side), 2); }},
    {"destroy a foreign group", EINVAL, Effect::kChanges,
     [](Scene& s, Side side) {
       return call(s, side, DRM_IOCTL_PANTHOR_GROUP_DESTROY, drm_panthor_group_destroy{2, 0});
     }},
    {"ask for the state of a foreign group", EINVAL, Effect::kReads,
     [](Scene& s, Side side) {
       drm_panthor_group_get_state args{};
       args.group_handle = 2;
       return call(s, side, DRM_IOCTL_PANTHOR_GROUP_GET_STATE, args);
     }},
    {"submit to a foreign group", EINVAL, Effect::kChanges,
     [](Scene& s, Side side) { return submit(s.who(side), 2, 1); }},
    {"submit to a foreign group by the high half of its handle", EINVAL, Effect::kChanges,
     [](Scene& s, Side side) {
       return submit(s.who(side), side == Side::kAttack ? 2u << 16 | 2 : 2, 1);
     }},
    {"destroy a foreign syncobj", EINVAL, Effect::kChanges,
     [](Scene& s, Side side) {
       return call(s, side, DRM_IOCTL_SYNCOBJ_DESTROY, drm_syncobj_destroy{3, 0});
     }},
    {"signal a foreign syncobj", ENOENT, Effect::kChanges,
     [](Scene& s, Side side) {
       const std::uint32_t handle = 3;
       return call(s, side, DRM_IOCTL_SYNCOBJ_SIGNAL, one(handle));
     }},
    {"reset a foreign syncobj", ENOENT, Effect::kChanges,
     [](Scene& s, Side side) {
       const std::uint32_t handle = 2;
       return call(s, side, DRM_IOCTL_SYNCOBJ_RESET, one(handle));
     }},
    {"signal a point of a foreign syncobj", ENOENT, Effect::kChanges,
     [](Scene& s, Side side) {
       const std::uint32_t handle = 3;
       const std::uint64_t point = 7;
       return call(s, side, DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, one_point(handle, point));
     }},
    {"query a foreign syncobj", ENOENT, Effect::kReads,
     [](Scene& s, Side side) {
       const std::uint32_t handle = 2;
       std::uint64_t point = 0;
       return call(s, side, DRM_IOCTL_SYNCOBJ_QUERY, one_point(handle, point));
     }},
    {"wait for a foreign syncobj", ENOENT, Effect::kReads,
     [](Scene& s, Side side) {
       const std::uint32_t handle = 2;
       drm_syncobj_wait args{};
       args.handles = reinterpret_cast<std::uint64_t>(&handle);
       args.count_handles = 1;
       return call(s, side, DRM_IOCTL_SYNCOBJ_WAIT, args);
     }},
    {"copy the fence of a foreign syncobj", ENOENT, Effect::kChanges,
     [](Scene& s, Side side) {
       drm_syncobj_transfer args{};
       args.src_handle = 2;
       args.dst_handle = 1;
       return call(s, side, DRM_IOCTL_SYNCOBJ_TRANSFER, args);
     }},
    {"export a foreign syncobj", EINVAL, Effect::kReads,
     [](Scene& s, Side side) {
       uapi::DrmSyncobjHandle args{};
       args.handle = 2;
       return call(s, side, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, args);
     }},
    {"export the fence of a foreign syncobj", ENOENT, Effect::kReads,
     [](Scene& s, Side side) {
       uapi::DrmSyncobjHandle args{};
       args.handle = 2;
       args.flags = uapi::kSyncobjFdAsSyncFile;
       return call(s, side, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, args);
     }},
    {"be told by an eventfd of a foreign syncobj", ENOENT, Effect::kReads,
     [](Scene& s, Side side) {
       const driver::OwnedFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
       uapi::DrmSyncobjEventfd args{};
       args.handle = 2;
       args.fd = event.get();
       return call(s, side, DRM_IOWR(0xCF, uapi::DrmSyncobjEventfd), args);
     }},
    {"make a bind wait for a foreign syncobj", ENOENT, Effect::kChanges,
     [](Scene& s, Side side) { return bind_with(s, side, 2, 0); }},
    {"make a bind signal a foreign syncobj", EINVAL, Effect::kChanges,
     [](Scene& s, Side side) {
       return bind_with(s, side, 3, static_cast<std::uint32_t>(DRM_PANTHOR_SYNC_OP_SIGNAL));
     }},
};

}  // namespace

std::span<const Attempt> foreign_handle_attempts() { return kAttempts; }

}  // namespace pantry::redteam
