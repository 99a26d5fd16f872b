// SPDX-License-Identifier: MIT
//
// Steps of syncobjs, and what steps wait for and signal.
#include "campaigns/clients/history.h"

#include <unistd.h>

#include <cerrno>
#include <vector>

#include "igt_tests/lib/clock.h"
#include "igt_tests/lib/syncobj.h"

using namespace gpu;

namespace {

// Beyond the limit that the driver gives a job, so that what hangs is told by the driver.
constexpr int64_t kLimit = 30 * kSecond;

}  // namespace

// Waits for what may be there or not, and signals.
drm_panthor_sync_op History::random_sync(Dice& dice, uint32_t number) {
  drm_panthor_sync_op sync{};
  const bool is_timeline = dice.one_in(2);
  if (is_timeline) sync.flags |= DRM_PANTHOR_SYNC_OP_HANDLE_TYPE_TIMELINE_SYNCOBJ;
  if (dice.one_in(2)) sync.flags |= static_cast<uint32_t>(DRM_PANTHOR_SYNC_OP_SIGNAL);
  sync.handle = syncobj_handle(dice);
  if (is_timeline) sync.timeline_value = (sync.flags >> 31) != 0 ? number : dice.roll(number + 1);
  if (dice.one_in(40)) sync.timeline_value ^= 1;
  if (dice.one_in(60)) sync.flags |= 1u << dice.roll(31);
  // The real driver follows a null pointer when a signal names no syncobj.
  const bool is_signal = (sync.flags >> 31) != 0;
  if (is_signal)
    for (const uint32_t known : syncobjs_)
      if (sync.handle == known && known != 0) return sync;
  sync.flags &= ~static_cast<uint32_t>(DRM_PANTHOR_SYNC_OP_SIGNAL);
  return sync;
}

// A syncobj that the step waits for and destroys.
drm_panthor_sync_op History::signal_of_its_own() {
  drm_syncobj_create create{};
  drmIoctl(device_.fd(), DRM_IOCTL_SYNCOBJ_CREATE, &create);
  return {static_cast<uint32_t>(DRM_PANTHOR_SYNC_OP_SIGNAL), create.handle, 0};
}

int History::finish(uint32_t syncobj) {
  uint32_t handle = syncobj;
  int fd = -1;
  if (drmSyncobjWait(device_.fd(), &handle, 1, now_ns() + kLimit, 0, nullptr) != 0) {
    tell("wait=%d", errno);
  } else if (drmSyncobjExportSyncFile(device_.fd(), syncobj, &fd) != 0) {
    tell("export=%d", errno);
  } else {
    const int status = sync_file_status(fd);
    close(fd);
    return status;
  }
  return 0;
}

void History::syncobj_step(Dice& dice, uint32_t number) {
  uint32_t& syncobj = number < 4 ? syncobjs_[0] : syncobjs_[dice.roll(syncobjs_.size())];
  if (syncobj == 0) {
    drm_syncobj_create request{};
    request.flags = dice.one_in(12) ? 2 : static_cast<uint32_t>(dice.roll(2));
    tell("flags=%u", request.flags);
    if (call("SYNCOBJ_CREATE", DRM_IOCTL_SYNCOBJ_CREATE, &request) != 0) return;
    tell("handle=%u", request.handle);
    syncobj = request.handle;
    return;
  }
  switch (dice.roll(4)) {
    case 0: {
      drm_syncobj_destroy request{dice.one_in(6) ? static_cast<uint32_t>(dice.roll(9)) : syncobj,
                                  0};
      tell("handle=%u", request.handle);
      if (call("SYNCOBJ_DESTROY", DRM_IOCTL_SYNCOBJ_DESTROY, &request) != 0) return;
      for (uint32_t& other : syncobjs_)
        if (other == request.handle) other = 0;
      return;
    }
    case 1:
    case 2: {
      drm_syncobj_array request{reinterpret_cast<uint64_t>(&syncobj), 1, 0};
      tell("handle=%u", syncobj);
      if (dice.one_in(2)) {
        call("SYNCOBJ_RESET", DRM_IOCTL_SYNCOBJ_RESET, &request);
      } else {
        call("SYNCOBJ_SIGNAL", DRM_IOCTL_SYNCOBJ_SIGNAL, &request);
      }
      return;
    }
    default: {
      drm_syncobj_wait request{};
      const uint32_t flags[] = {0, DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT,
                                DRM_SYNCOBJ_WAIT_FLAGS_WAIT_ALL, 1u << 4};
      request.handles = reinterpret_cast<uint64_t>(&syncobj);
      request.count_handles = 1;
      request.flags = dice.pick(flags);
      tell("handle=%u flags=%u", syncobj, request.flags);
      call("SYNCOBJ_WAIT", DRM_IOCTL_SYNCOBJ_WAIT, &request);
    }
  }
}

void History::timeline_step(Dice& dice, uint32_t number) {
  uint32_t handle = syncobj_handle(dice);
  uint64_t point = dice.one_in(3) ? dice.roll(number + 1) : number;
  tell("handle=%u point=%llu", handle, static_cast<unsigned long long>(point));
  switch (dice.roll(4)) {
    case 0: {
      drm_syncobj_timeline_array request{reinterpret_cast<uint64_t>(&handle),
                                         reinterpret_cast<uint64_t>(&point), 1, 0};
      call("SYNCOBJ_TIMELINE_SIGNAL", DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, &request);
      return;
    }
    case 1: {
      const uint32_t flags[] = {0, DRM_SYNCOBJ_QUERY_FLAGS_LAST_SUBMITTED, 2};
      drm_syncobj_timeline_array request{reinterpret_cast<uint64_t>(&handle),
                                         reinterpret_cast<uint64_t>(&point), 1, dice.pick(flags)};
      tell("flags=%u", request.flags);
      call("SYNCOBJ_QUERY", DRM_IOCTL_SYNCOBJ_QUERY, &request);
      tell("point=%llu", static_cast<unsigned long long>(point));
      return;
    }
    case 2: {
      drm_syncobj_transfer request{};
      request.src_handle = handle;
      request.src_point = dice.one_in(2) ? 0 : point;
      request.dst_handle = syncobj_handle(dice);
      request.dst_point = dice.one_in(2) ? 0 : number;
      tell("%u:%llu -> %u:%llu", request.src_handle,
           static_cast<unsigned long long>(request.src_point), request.dst_handle,
           static_cast<unsigned long long>(request.dst_point));
      call("SYNCOBJ_TRANSFER", DRM_IOCTL_SYNCOBJ_TRANSFER, &request);
      return;
    }
    default: {
      drm_syncobj_timeline_wait request{};
      request.handles = reinterpret_cast<uint64_t>(&handle);
      request.points = reinterpret_cast<uint64_t>(&point);
      request.count_handles = 1;
      request.flags = dice.one_in(2) ? DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE : 0;
      tell("flags=%u", request.flags);
      call("SYNCOBJ_TIMELINE_WAIT", DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, &request);
    }
  }
}

void History::tell_syncs(const std::vector<drm_panthor_sync_op>& syncs) {
  for (const auto& sync : syncs)
    tell("(%#x %u %llu)", sync.flags, sync.handle,
         static_cast<unsigned long long>(sync.timeline_value));
}
