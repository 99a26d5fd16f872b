// SPDX-License-Identifier: MIT
//
// Parts of the DRM core's ABI that are younger than the drm.h of Debian 12, under names of our own
// so that a newer drm.h does not clash. Layouts: panthor-uapi.md B.2, B.4.
#pragma once

#include <cstdint>

namespace pantry::uapi {

// SYNCOBJ_EVENTFD, number 0xCF.
struct DrmSyncobjEventfd {
  std::uint32_t handle;
  std::uint32_t flags;
  std::uint64_t point;
  std::int32_t fd;
  std::uint32_t pad;
};
static_assert(sizeof(DrmSyncobjEventfd) == 24);

// SYNCOBJ_WAIT and SYNCOBJ_TIMELINE_WAIT with the deadline at the end (40 and 48 bytes). Callers
// built against an older header pass 32 and 40; the rest reads as zero.
struct DrmSyncobjWait {
  std::uint64_t handles;
  std::int64_t timeout_nsec;
  std::uint32_t count_handles;
  std::uint32_t flags;
  std::uint32_t first_signaled;
  std::uint32_t pad;
  std::uint64_t deadline_nsec;
};
static_assert(sizeof(DrmSyncobjWait) == 40);

struct DrmSyncobjTimelineWait {
  std::uint64_t handles;
  std::uint64_t points;
  std::int64_t timeout_nsec;
  std::uint32_t count_handles;
  std::uint32_t flags;
  std::uint32_t first_signaled;
  std::uint32_t pad;
  std::uint64_t deadline_nsec;
};
static_assert(sizeof(DrmSyncobjTimelineWait) == 48);

// SYNCOBJ_HANDLE_TO_FD and SYNCOBJ_FD_TO_HANDLE with the point at the end, and the flag that says
// that it counts.
struct DrmSyncobjHandle {
  std::uint32_t handle;
  std::uint32_t flags;
  std::int32_t fd;
  std::uint32_t pad;
  std::uint64_t point;
};
static_assert(sizeof(DrmSyncobjHandle) == 24);
inline constexpr std::uint32_t kSyncobjFdAsSyncFile = 1;
inline constexpr std::uint32_t kSyncobjFdOfPoint = 2;

// SET_CLIENT_NAME, number 0xD1.
struct DrmSetClientName {
  std::uint64_t name_len;
  std::uint64_t name;
};
static_assert(sizeof(DrmSetClientName) == 16);
inline constexpr std::uint64_t kLongestClientName = 64;

inline constexpr std::uint32_t kWaitAll = 1;
inline constexpr std::uint32_t kWaitForSubmit = 2;
inline constexpr std::uint32_t kWaitAvailable = 4;
inline constexpr std::uint32_t kWaitDeadline = 8;

}  // namespace pantry::uapi
