// SPDX-License-Identifier: MIT
#include "uapi/sync_ops.h"

#include <new>

#include "uapi/reject.h"

namespace pantry::uapi {

namespace {

constexpr std::uint32_t kSignalFlag = 1u << 31;

Result<> check(const drm_panthor_sync_op& op) {
  constexpr std::uint32_t kType = DRM_PANTHOR_SYNC_OP_HANDLE_TYPE_MASK;
  const std::uint32_t type = op.flags & kType;
  if ((op.flags & ~(kType | kSignalFlag)) != 0 ||
      type > DRM_PANTHOR_SYNC_OP_HANDLE_TYPE_TIMELINE_SYNCOBJ)
    return reject(Errno::kInval, "sync-op flags {:#x} are unknown", op.flags);
  if (type == DRM_PANTHOR_SYNC_OP_HANDLE_TYPE_SYNCOBJ && op.timeline_value != 0)
    return reject(Errno::kInval, "sync-op on a binary syncobj has timeline value {}",
                  op.timeline_value);
  return {};
}

bool is_signal(const drm_panthor_sync_op& op) { return (op.flags & kSignalFlag) != 0; }

}  // namespace

Result<> SyncBatch::add(Ref<driver::Job> job, std::span<const drm_panthor_sync_op> ops) {
  try {
    members_.push_back({std::move(job), {ops.begin(), ops.end()}});
  } catch (const std::bad_alloc&) {
    return Error(Errno::kNoMem);
  }
  return {};
}

SyncBatch::Signal* SyncBatch::find_signal(std::uint32_t handle, std::uint64_t point) {
  if (signals_.size() >= kIndexedFrom) {
    const auto at = index_.find({handle, point});
    return at == index_.end() ? nullptr : &signals_[at->second];
  }
  for (Signal& signal : signals_)
    if (signal.handle == handle && signal.point == point) return &signal;
  return nullptr;
}

void SyncBatch::add_signal(Signal signal) {
  signals_.push_back(std::move(signal));
  if (signals_.size() < kIndexedFrom) return;
  for (std::size_t i = index_.size(); i < signals_.size(); ++i)
    index_.emplace(std::pair(signals_[i].handle, signals_[i].point), i);
}

Result<> SyncBatch::collect_signal(const drm_panthor_sync_op& op) {
  PANTRY_TRY(check(op));
  if (find_signal(op.handle, op.timeline_value)) return {};
  Ref<driver::Syncobj> syncobj = file_.syncobj(op.handle);
  if (!syncobj)
    return reject(Errno::kInval, "SIGNAL sync-op names syncobj {}, which is unknown", op.handle);
  Signal signal{op.handle, op.timeline_value, syncobj, nullptr, nullptr};
  if (op.timeline_value != 0) {
    PANTRY_TRY_ASSIGN(signal.node, driver::FenceChain::create(file_.account()));
  }
  if (auto before = syncobj->find(op.timeline_value)) signal.current = *std::move(before);
  add_signal(std::move(signal));
  return {};
}

Result<> SyncBatch::resolve_wait(driver::Job& job, const drm_panthor_sync_op& op) {
  PANTRY_TRY(check(op));
  if (const Signal* signal = find_signal(op.handle, op.timeline_value)) {
    if (!signal->current)
      return reject(Errno::kInval,
                    "WAIT on syncobj {} point {}, which only this or a later job signals",
                    op.handle, op.timeline_value);
    return job.add_dependency(signal->current);
  }
  const Ref<driver::Syncobj> syncobj = file_.syncobj(op.handle);
  if (!syncobj)
    return reject(Errno::kNoEnt, "WAIT sync-op names syncobj {}, which is unknown", op.handle);
  auto fence = syncobj->find(op.timeline_value);
  if (!fence)
    return reject(fence.error(), "WAIT on syncobj {} point {}, which nobody has submitted",
                  op.handle, op.timeline_value);
  return job.add_dependency(*std::move(fence));
}

Result<> SyncBatch::prepare() {
  try {
    for (const Member& member : members_)
      for (const drm_panthor_sync_op& op : member.ops)
        if (is_signal(op)) PANTRY_TRY(collect_signal(op));
    for (const Member& member : members_) {
      for (const drm_panthor_sync_op& op : member.ops)
        if (!is_signal(op)) PANTRY_TRY(resolve_wait(*member.job, op));
      for (const drm_panthor_sync_op& op : member.ops)
        if (is_signal(op)) find_signal(op.handle, op.timeline_value)->current = member.job->done();
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
