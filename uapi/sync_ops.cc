// SPDX-License-Identifier: MIT
#include "uapi/sync_ops.h"

#include <drm/panthor_drm.h>

#include <new>

#include "uapi/reject.h"

namespace pantry::uapi {

Result<> SyncBatch::add(Ref<driver::Job> job, std::span<const drm_panthor_sync_op> ops) {
  constexpr std::uint32_t kType = DRM_PANTHOR_SYNC_OP_HANDLE_TYPE_MASK;
  constexpr std::uint32_t kSignal = 1u << 31;
  try {
    Member member{std::move(job), {}};
    member.ops.reserve(ops.size());
    for (const drm_panthor_sync_op& op : ops) {
      const std::uint32_t type = op.flags & kType;
      if ((op.flags & ~(kType | kSignal)) != 0 || type > DRM_PANTHOR_SYNC_OP_HANDLE_TYPE_TIMELINE_SYNCOBJ)
        return reject(Errno::kInval, "sync-op flags {:#x} are unknown", op.flags);
      if (type == DRM_PANTHOR_SYNC_OP_HANDLE_TYPE_SYNCOBJ && op.timeline_value != 0)
        return reject(Errno::kInval, "sync-op on a binary syncobj has timeline value {}", op.timeline_value);
      member.ops.push_back(
          {op.handle, op.timeline_value, (op.flags & kSignal) != 0 ? Op::Kind::kSignal : Op::Kind::kWait});
    }
    members_.push_back(std::move(member));
  } catch (const std::bad_alloc&) {
    return Error(Errno::kNoMem);
  }
  return {};
}

SyncBatch::Signal* SyncBatch::find_signal(std::uint32_t handle, std::uint64_t point) {
  for (Signal& signal : signals_)
    if (signal.handle == handle && signal.point == point) return &signal;
  return nullptr;
}

Result<> SyncBatch::collect_signal(const Op& op) {
  if (find_signal(op.handle, op.point)) return {};
  Ref<driver::Syncobj> syncobj = file_.syncobj(op.handle);
  if (!syncobj) return reject(Errno::kInval, "SIGNAL sync-op names syncobj {}, which is unknown", op.handle);
  Signal signal{op.handle, op.point, syncobj, nullptr, nullptr};
  if (op.point != 0) signal.node = driver::FenceChain::create();
  if (auto before = syncobj->find(op.point)) signal.current = *std::move(before);
  signals_.push_back(std::move(signal));
  return {};
}

Result<> SyncBatch::resolve_wait(driver::Job& job, const Op& op) {
  if (const Signal* signal = find_signal(op.handle, op.point)) {
    if (!signal->current)
      return reject(Errno::kInval, "WAIT on syncobj {} point {}, which only this or a later job signals", op.handle,
                    op.point);
    return job.add_dependency(signal->current);
  }
  const Ref<driver::Syncobj> syncobj = file_.syncobj(op.handle);
  if (!syncobj) return reject(Errno::kNoEnt, "WAIT sync-op names syncobj {}, which is unknown", op.handle);
  auto fence = syncobj->find(op.point);
  if (!fence)
    return reject(fence.error(), "WAIT on syncobj {} point {}, which nobody has submitted", op.handle, op.point);
  return job.add_dependency(*std::move(fence));
}

Result<> SyncBatch::prepare() {
  try {
    for (const Member& member : members_)
      for (const Op& op : member.ops)
        if (op.kind == Op::Kind::kSignal) PANTRY_TRY(collect_signal(op));
    for (const Member& member : members_) {
      for (const Op& op : member.ops)
        if (op.kind == Op::Kind::kWait) PANTRY_TRY(resolve_wait(*member.job, op));
      for (const Op& op : member.ops)
        if (op.kind == Op::Kind::kSignal) find_signal(op.handle, op.point)->current = member.job->done();
    }
  } catch (const std::bad_alloc&) {
    return Error(Errno::kNoMem);
  }
  return {};
}

void SyncBatch::publish() noexcept {
  for (Signal& signal : signals_) {
    if (signal.point != 0)
      signal.syncobj->add_point(std::move(signal.node), signal.current, signal.point);
    else
      signal.syncobj->replace(signal.current);
  }
}

}  // namespace pantry::uapi
