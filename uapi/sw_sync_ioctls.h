// SPDX-License-Identifier: MIT
//
// The ioctls of an open sw_sync file: CREATE_FENCE and INC. The kernel has no header for them.
#pragma once

#include <linux/ioctl.h>

#include "driver/sync/sw_timeline.h"
#include "uapi/session.h"

namespace pantry::uapi {

struct SwSyncCreateFence {
  std::uint32_t value;
  char name[32];  // ignored
  std::int32_t fence;
};
inline constexpr std::uint32_t kSwSyncCreateFence = _IOWR('W', 0, SwSyncCreateFence);
inline constexpr std::uint32_t kSwSyncInc = _IOW('W', 1, std::uint32_t);

// EFAULT, ENOMEM; ENOTTY for any other command.
IoctlReply sw_sync_ioctl(driver::Device& device, driver::SwTimeline& timeline,
                         std::uint32_t command, UserAddr argument, UserMemory& memory);

}  // namespace pantry::uapi
