// SPDX-License-Identifier: MIT
//
// The SYNCOBJ ioctls that do not wait: panthor-uapi.md B.4, errata B.5, B.6. Those that do:
// syncobj_wait_ioctls.cc.
#include <drm/panthor_drm.h>

#include <cstddef>

#include "driver/sync/fence_merge.h"
#include "uapi/drm_abi.h"
#include "uapi/ioctl_handlers.h"
#include "uapi/reject.h"
#include "uapi/syncobj_lookup.h"

namespace pantry::uapi {
namespace {

constexpr Duration kTransferWaitsForSubmit = seconds(5);

// RESET and SIGNAL share their argument and its rules.
Result<std::vector<Ref<driver::Syncobj>>> syncobjs_of_array(Call& call, const char* name) {
  const auto& args = call.arg<drm_syncobj_array>();
  if (args.pad != 0) return reject(Errno::kInval, "{}: pad is {:#x}", name, args.pad);
  if (args.count_handles == 0) return reject(Errno::kInval, "{}: no handles", name);
  return find_syncobjs(call, {args.handles}, args.count_handles);
}

// Until the calls knew points, what follows the pad was not looked at.
Result<> check_descriptor_args(Call& call, const char* name) {
  const auto& args = call.arg<DrmSyncobjHandle>();
  const std::uint32_t known =
      kSyncobjFdAsSyncFile | (call.features.syncobj_fd_points ? kSyncobjFdOfPoint : 0);
  if (args.pad != 0) return reject(Errno::kInval, "{}: pad is {:#x}", name, args.pad);
  if ((args.flags & ~known) != 0)
    return reject(Errno::kInval, "{}: flags {:#x} are unknown", name, args.flags);
  if (call.features.syncobj_fd_points && (args.flags & kSyncobjFdAsSyncFile) == 0 &&
      args.point != 0)
    return reject(Errno::kInval, "{}: point {} of what is no sync_file", name, args.point);
  return {};
}

std::uint64_t point_of(const DrmSyncobjHandle& args) {
  return (args.flags & kSyncobjFdOfPoint) != 0 ? args.point : 0;
}

// What is pending inside the fence, as a fence that may become a point of a timeline.
Result<Ref<driver::Fence>> flattened(Ref<driver::Fence> fence) {
  const Ref<driver::Fence> source[] = {std::move(fence)};
  return driver::merge(source);
}

Result<> transfer_fence(Call& call, Ref<driver::Fence> fence, driver::Syncobj& to) {
  const auto& args = call.arg<drm_syncobj_transfer>();
  if (args.dst_point == 0) {
    to.replace(std::move(fence));
    return {};
  }
  // A timeline takes what is pending inside the fence, so what has failed by now leaves no trace
  // (errata B.5).
  PANTRY_TRY_ASSIGN(Ref<driver::Fence> flat, flattened(std::move(fence)));
  PANTRY_TRY_ASSIGN(Ref<driver::FenceChain> node, driver::FenceChain::create(call.file.account()));
  to.add_point(std::move(node), std::move(flat), args.dst_point);
  return {};
}

}  // namespace

Result<> syncobj_create(Call& call) {
  auto& args = call.arg<drm_syncobj_create>();
  if ((args.flags & ~static_cast<std::uint32_t>(DRM_SYNCOBJ_CREATE_SIGNALED)) != 0)
    return reject(Errno::kInval, "SYNCOBJ_CREATE: flags {:#x} are unknown", args.flags);
  Ref<driver::Syncobj> syncobj = driver::Syncobj::create();
  if ((args.flags & DRM_SYNCOBJ_CREATE_SIGNALED) != 0) syncobj->replace(driver::stub_fence());
  PANTRY_TRY_ASSIGN(args.handle, call.file.add_syncobj(std::move(syncobj)));
  return {};
}

Result<> syncobj_destroy(Call& call) {
  const auto& args = call.arg<drm_syncobj_destroy>();
  if (args.pad != 0) return reject(Errno::kInval, "SYNCOBJ_DESTROY: pad is {:#x}", args.pad);
  return call.file.destroy_syncobj(args.handle);
}

Result<> syncobj_handle_to_fd(Call& call) {
  auto& args = call.arg<DrmSyncobjHandle>();
  PANTRY_TRY(check_descriptor_args(call, "SYNCOBJ_HANDLE_TO_FD"));
  Ref<driver::Syncobj> syncobj = call.file.syncobj(args.handle);
  const UserAddr number_at = call.user_argument + offsetof(DrmSyncobjHandle, fd);
  if ((args.flags & kSyncobjFdAsSyncFile) == 0) {
    if (!syncobj)
      return reject(Errno::kInval, "SYNCOBJ_HANDLE_TO_FD: syncobj {} is unknown", args.handle);
    args.fd = -1;
    call.new_fd = NewFd{std::move(syncobj), number_at, NewFd::OnExec::kClose};
    return {};
  }
  if (!syncobj)
    return reject(Errno::kNoEnt, "SYNCOBJ_HANDLE_TO_FD: syncobj {} is unknown", args.handle);
  const std::uint64_t point = point_of(args);
  auto fence = syncobj->find(point);
  if (!fence)
    return reject(Errno::kInval, "SYNCOBJ_HANDLE_TO_FD: syncobj {} has no fence for point {}",
                  args.handle, point);
  PANTRY_TRY_ASSIGN(Ref<driver::SyncFile> file, driver::SyncFile::create(*std::move(fence)));
  args.fd = -1;
  call.new_fd = NewFd{std::move(file), number_at, NewFd::OnExec::kClose};
  return {};
}

Result<> syncobj_fd_to_handle(Call& call) {
  auto& args = call.arg<DrmSyncobjHandle>();
  PANTRY_TRY(check_descriptor_args(call, "SYNCOBJ_FD_TO_HANDLE"));
  if ((args.flags & kSyncobjFdAsSyncFile) == 0) {
    const auto* syncobj = std::get_if<Ref<driver::Syncobj>>(&call.fd);
    if (!syncobj)
      return reject(Errno::kInval, "SYNCOBJ_FD_TO_HANDLE: descriptor {} is not a syncobj", args.fd);
    PANTRY_TRY_ASSIGN(args.handle, call.file.add_syncobj(*syncobj));
    return {};
  }
  const auto* file = std::get_if<Ref<driver::SyncFile>>(&call.fd);
  if (!file)
    return reject(Errno::kInval, "SYNCOBJ_FD_TO_HANDLE: descriptor {} is not a sync_file", args.fd);
  const Ref<driver::Syncobj> syncobj = call.file.syncobj(args.handle);
  if (!syncobj)
    return reject(Errno::kNoEnt, "SYNCOBJ_FD_TO_HANDLE: syncobj {} is unknown", args.handle);
  Ref<driver::Fence> fence = (*file)->fence();
  if (const std::uint64_t point = point_of(args); point != 0) {
    if (driver::FenceChain::of(fence.get())) {
      PANTRY_TRY_ASSIGN(fence, flattened(std::move(fence)));
    }
    PANTRY_TRY_ASSIGN(Ref<driver::FenceChain> node,
                      driver::FenceChain::create(call.file.account()));
    syncobj->add_point(std::move(node), std::move(fence), point);
    return {};
  }
  syncobj->replace(std::move(fence));
  return {};
}

Result<> syncobj_reset(Call& call) {
  PANTRY_TRY_ASSIGN(const auto syncobjs, syncobjs_of_array(call, "SYNCOBJ_RESET"));
  for (const Ref<driver::Syncobj>& syncobj : syncobjs) syncobj->replace(nullptr);
  return {};
}

Result<> syncobj_signal(Call& call) {
  PANTRY_TRY_ASSIGN(const auto syncobjs, syncobjs_of_array(call, "SYNCOBJ_SIGNAL"));
  for (const Ref<driver::Syncobj>& syncobj : syncobjs) syncobj->replace(driver::stub_fence());
  return {};
}

Result<> syncobj_timeline_signal(Call& call) {
  const auto& args = call.arg<drm_syncobj_timeline_array>();
  if (args.flags != 0)
    return reject(Errno::kInval, "SYNCOBJ_TIMELINE_SIGNAL: flags are {:#x}", args.flags);
  if (args.count_handles == 0) return reject(Errno::kInval, "SYNCOBJ_TIMELINE_SIGNAL: no handles");
  PANTRY_TRY_ASSIGN(const auto syncobjs, find_syncobjs(call, {args.handles}, args.count_handles));
  PANTRY_TRY_ASSIGN(const auto points,
                    read_points(call, {args.points}, args.count_handles, NullPoints::kAreZero));
  // All that can fail comes before the first effect.
  std::vector<Ref<driver::FenceChain>> nodes(syncobjs.size());
  for (Ref<driver::FenceChain>& node : nodes) {
    PANTRY_TRY_ASSIGN(node, driver::FenceChain::create(call.file.account()));
  }
  for (std::size_t i = 0; i < syncobjs.size(); ++i)
    syncobjs[i]->add_point(std::move(nodes[i]), driver::stub_fence(), points[i]);
  return {};
}

Result<> syncobj_query(Call& call) {
  const auto& args = call.arg<drm_syncobj_timeline_array>();
  if ((args.flags & ~static_cast<std::uint32_t>(DRM_SYNCOBJ_QUERY_FLAGS_LAST_SUBMITTED)) != 0)
    return reject(Errno::kInval, "SYNCOBJ_QUERY: flags {:#x} are unknown", args.flags);
  if (args.count_handles == 0) return reject(Errno::kInval, "SYNCOBJ_QUERY: no handles");
  PANTRY_TRY_ASSIGN(const auto syncobjs, find_syncobjs(call, {args.handles}, args.count_handles));
  const auto which = args.flags != 0 ? driver::Syncobj::Query::kLastSubmitted
                                     : driver::Syncobj::Query::kLastSignalled;
  // All of them at once: each write into a client costs a system call.
  std::vector<std::uint64_t> points;
  points.reserve(syncobjs.size());
  for (const Ref<driver::Syncobj>& syncobj : syncobjs) points.push_back(syncobj->query(which));
  return call.memory.write({args.points}, points.data(), points.size() * sizeof points[0]);
}

Result<> syncobj_transfer(Call& call) {
  const auto& args = call.arg<drm_syncobj_transfer>();
  constexpr std::uint32_t kForSubmit = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT;
  if (args.pad != 0) return reject(Errno::kInval, "SYNCOBJ_TRANSFER: pad is {:#x}", args.pad);
  const Ref<driver::Syncobj> to = call.file.syncobj(args.dst_handle);
  if (!to)
    return reject(Errno::kNoEnt, "SYNCOBJ_TRANSFER: destination {} is unknown", args.dst_handle);
  const Ref<driver::Syncobj> from = call.file.syncobj(args.src_handle);
  if (!from)
    return reject(Errno::kNoEnt, "SYNCOBJ_TRANSFER: source {} is unknown", args.src_handle);
  if ((args.flags & ~kForSubmit) != 0)
    return reject(Errno::kInval, "SYNCOBJ_TRANSFER: flags {:#x} are unknown", args.flags);
  if (auto fence = from->find(args.src_point)) return transfer_fence(call, *std::move(fence), *to);
  if ((args.flags & kForSubmit) == 0)
    return reject(Errno::kInval, "SYNCOBJ_TRANSFER: syncobj {} has no fence for point {}",
                  args.src_handle, args.src_point);

  PendingWait wait;
  wait.args.syncobjs = {from};
  wait.args.points = {args.src_point};
  wait.args.deadline = call.file.device().executor().clock().now() + kTransferWaitsForSubmit;
  wait.args.unsubmitted = driver::SyncobjWaitArgs::Unsubmitted::kEnough;
  // The fence that the wait saw, and the destination of the call: the source may hold another by
  // then, or none, and the handles may name others.
  wait.finish = [to](Call& done, Result<std::uint32_t> result,
                     const driver::SyncobjWait& waited) -> Result<> {
    if (!result) return Error(result.error());
    return transfer_fence(done, waited.fence(*result), *to);
  };
  call.wait = std::move(wait);
  return {};
}

}  // namespace pantry::uapi
