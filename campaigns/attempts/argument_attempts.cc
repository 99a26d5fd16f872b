// SPDX-License-Identifier: MIT
//
// Arguments that lie: pointers into nowhere, strides and counts that overflow, giant arrays, sizes
// that wrap around, bits that mean nothing.
#include <sys/mman.h>

#include <array>

#include "base/check.h"
#include "campaigns/attempts/attempt.h"
#include "uapi/drm_abi.h"

namespace pantry::redteam {
namespace {

using Effect = Attempt::Effect;

constexpr std::uint64_t kKernel = 0xffff'8000'0000'0000;

// One unmap of the attacker's, in an array as it says.
int bind_array(Scene& scene, std::uint32_t stride, std::uint32_t count, std::uint64_t address) {
  drm_panthor_vm_bind args{};
  args.vm_id = 1;
  args.ops = {stride, count, address};
  return scene.attacker().call(DRM_IOCTL_PANTHOR_VM_BIND, args);
}

// The operation that a control does, with room behind it.
struct LargeOp {
  drm_panthor_vm_bind_op op{};
  std::array<std::uint64_t, 4> tail{};
  LargeOp() {
    op.flags = DRM_PANTHOR_VM_BIND_OP_TYPE_UNMAP;
    op.va = kVa;
    op.size = kPageSize;
  }
  std::uint64_t at() const { return reinterpret_cast<std::uint64_t>(this); }
};
constexpr std::uint32_t kOp = sizeof(drm_panthor_vm_bind_op);

int buffer_of(Scene& scene, std::uint64_t size, std::uint32_t flags = 0) {
  std::uint32_t handle = 0;
  return create_buffer(scene.attacker(), size, flags, 0, handle);
}

int group_with(Scene& scene, drm_panthor_queue_create queue, std::uint32_t count,
               std::uint8_t priority) {
  std::array<drm_panthor_queue_create, 64> queues;
  queues.fill(queue);
  drm_panthor_group_create args{};
  args.queues = {sizeof queue, count, reinterpret_cast<std::uint64_t>(queues.data())};
  args.priority = priority;
  args.vm_id = 1;
  return scene.attacker().call(DRM_IOCTL_PANTHOR_GROUP_CREATE, args);
}

constexpr Attempt kAttempts[] = {
    {"call what does not exist", EINVAL, Effect::kReads,
     [](Scene& s, Side side) {
       drm_version version{};
       return s.attacker().ioctl(
           side == Side::kAttack ? DRM_IOWR(0x5f, drm_version) : DRM_IOCTL_VERSION, &version);
     }},
    {"an argument at no address", EFAULT, Effect::kChanges,
     [](Scene& s, Side side) {
       drm_panthor_vm_create args{};
       return s.attacker().ioctl(DRM_IOCTL_PANTHOR_VM_CREATE,
                                 side == Side::kAttack ? nullptr : &args);
     }},
    {"an argument in read-only memory", EFAULT, Effect::kReads,
     [](Scene& s, Side side) {
       // Read, and then not written: what the call did has happened, as in Linux. So one that only
       // reads.
       void* const page =
           ::mmap(nullptr, kPageSize, side == Side::kAttack ? PROT_READ : PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
       PANTRY_CHECK(page != MAP_FAILED);
       const int result = s.attacker().ioctl(DRM_IOCTL_VERSION, page);
       ::munmap(page, kPageSize);
       return result;
     }},
    {"an array at a kernel address", EFAULT, Effect::kChanges,
     [](Scene& s, Side side) {
       const LargeOp op;
       return bind_array(s, kOp, 1, side == Side::kAttack ? kKernel : op.at());
     }},
    {"an array that wraps around the address space", EFAULT, Effect::kChanges,
     [](Scene& s, Side side) {
       const LargeOp op;
       return side == Side::kAttack ? bind_array(s, kOp, 2, UINT64_MAX - kOp + 1)
                                    : bind_array(s, kOp, 1, op.at());
     }},
    {"a stride below the smallest struct", EINVAL, Effect::kChanges,
     [](Scene& s, Side side) {
       const LargeOp op;
       return bind_array(s, side == Side::kAttack ? kOp - 1 : kOp, 1, op.at());
     }},
    {"a larger struct with something in what nobody knows", E2BIG, Effect::kChanges,
     [](Scene& s, Side side) {
       LargeOp op;
       op.tail[3] = side == Side::kAttack ? 1 : 0;
       return bind_array(s, sizeof op, 1, op.at());
     }},
    {"an array of 2^32 - 1 elements", ENOMEM, Effect::kChanges,
     [](Scene& s, Side side) {
       const LargeOp op;
       return bind_array(s, kOp, side == Side::kAttack ? UINT32_MAX : 1, op.at());
     }},
    {"2^32 - 1 elements of 2^32 - 1 bytes", ENOMEM, Effect::kChanges,
     [](Scene& s, Side side) {
       const LargeOp op;
       return side == Side::kAttack ? bind_array(s, UINT32_MAX, UINT32_MAX, op.at())
                                    : bind_array(s, kOp, 1, op.at());
     }},
    {"a wait for 2^32 - 1 syncobjs", ENOMEM, Effect::kReads,
     [](Scene& s, Side side) {
       const std::uint32_t handle = 2;
       drm_syncobj_wait args{};
       args.handles = reinterpret_cast<std::uint64_t>(&handle);
       args.count_handles = side == Side::kAttack ? UINT32_MAX : 1;
       return s.victim().call(DRM_IOCTL_SYNCOBJ_WAIT, args);
     }},
    {"a buffer of 0 bytes", EINVAL, Effect::kChanges,
     [](Scene& s, Side side) { return buffer_of(s, side == Side::kAttack ? 0 : 1); }},
    {"a buffer of 2^64 - 1 bytes", ENOSPC, Effect::kChanges,
     [](Scene& s, Side side) { return buffer_of(s, side == Side::kAttack ? UINT64_MAX : 1); }},
    {"a buffer of 2^63 bytes", EINVAL, Effect::kChanges,
     [](Scene& s, Side side) {
       return buffer_of(s, side == Side::kAttack ? std::uint64_t{1} << 63 : 1);
     }},
    {"a buffer with unknown flags", EINVAL, Effect::kChanges,
     [](Scene& s, Side side) {
       return buffer_of(s, kPageSize, side == Side::kAttack ? 1u << 31 : 0);
     }},
    {"a VM with unknown flags", EINVAL, Effect::kChanges,
     [](Scene& s, Side side) {
       drm_panthor_vm_create args{};
       args.flags = side == Side::kAttack ? 1 : 0;
       return s.attacker().call(DRM_IOCTL_PANTHOR_VM_CREATE, args);
     }},
    {"a ring of 3 pages", EINVAL, Effect::kChanges,
     [](Scene& s, Side side) {
       return group_with(s, {0, {}, side == Side::kAttack ? 12288u : 4096u}, 1, 0);
     }},
    {"a ring of 2 GiB", EINVAL, Effect::kChanges,
     [](Scene& s, Side side) {
       return group_with(s, {0, {}, side == Side::kAttack ? 1u << 31 : 4096u}, 1, 0);
     }},
    {"a group of 33 queues", EINVAL, Effect::kChanges,
     [](Scene& s, Side side) {
       return group_with(s, {0, {}, 4096}, side == Side::kAttack ? 33 : 1, 0);
     }},
    {"a real-time group without the right to it", EACCES, Effect::kChanges,
     [](Scene& s, Side side) {
       return group_with(
           s, {0, {}, 4096}, 1,
           side == Side::kAttack ? PANTHOR_GROUP_PRIORITY_REALTIME : PANTHOR_GROUP_PRIORITY_MEDIUM);
     }},
    {"a label without an end", E2BIG, Effect::kChanges,
     [](Scene& s, Side side) {
       const std::string label(side == Side::kAttack ? 65536 : 16, 'x');
       drm_panthor_bo_set_label args{};
       args.handle = 1;
       args.label = reinterpret_cast<std::uint64_t>(label.c_str());
       return s.attacker().call(DRM_IOCTL_PANTHOR_BO_SET_LABEL, args);
     }},
    {"flush a range that wraps around", EINVAL, Effect::kReads,
     [](Scene& s, Side side) {
       drm_panthor_bo_sync_op op{};
       op.handle = 1;
       op.offset = side == Side::kAttack ? -kPageSize : 0;
       op.size = side == Side::kAttack ? 2 * kPageSize : kPageSize;
       drm_panthor_bo_sync args{};
       args.ops = {sizeof op, 1, reinterpret_cast<std::uint64_t>(&op)};
       return s.attacker().call(DRM_IOCTL_PANTHOR_BO_SYNC, args);
     }},
    {"a stream that is not aligned", EINVAL, Effect::kReads,
     [](Scene& s, Side side) {
       drm_panthor_queue_submit job{};
       if (side == Side::kAttack) job.stream_addr = kVa + 4, job.stream_size = 8;
       drm_panthor_group_submit args{};
       args.group_handle = 1;
       args.queue_submits = {sizeof job, 1, reinterpret_cast<std::uint64_t>(&job)};
       return s.victim().call(DRM_IOCTL_PANTHOR_GROUP_SUBMIT, args);
     }},
    {"become DRM master on a render node", EACCES, Effect::kReads,
     [](Scene& s, Side side) {
       uapi::LocalClient first(s.machine(), driver::NodeType::kPrimary, {});
       uapi::LocalClient& who = side == Side::kAttack ? s.attacker() : first;
       return who.ioctl(DRM_IOCTL_SET_MASTER, nullptr);
     }},
};

}  // namespace

std::span<const Attempt> argument_attempts() { return kAttempts; }

}  // namespace pantry::redteam
