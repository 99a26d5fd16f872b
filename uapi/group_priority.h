// SPDX-License-Identifier: MIT
//
// Who may create groups of which priority: asked by GROUP_CREATE and answered by
// GROUP_PRIORITIES_INFO.
#pragma once

#include <drm/panthor_drm.h>

#include "uapi/ioctl_call.h"

namespace pantry::uapi {

// More than MEDIUM is for CAP_SYS_NICE and the current DRM master.
inline bool may_use_priority(const Call& call, std::uint32_t priority) {
  return priority <= PANTHOR_GROUP_PRIORITY_MEDIUM || call.file.is_master() ||
         call.credentials().sys_nice;
}

}  // namespace pantry::uapi
