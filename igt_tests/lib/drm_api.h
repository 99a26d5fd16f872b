// SPDX-License-Identifier: MIT
//
// The kernel interface that tests speak: libdrm, the Panthor uAPI, and the few definitions of newer
// kernels that Debian 12's headers lack. Nothing else of a driver is known here.
#pragma once

#include <drm.h>
#include <drm/panthor_drm.h>
#include <xf86drm.h>

#ifndef DRM_IOCTL_SYNCOBJ_EVENTFD
struct drm_syncobj_eventfd {
  __u32 handle;
  __u32 flags;
  __u64 point;
  __s32 fd;
  __u32 pad;
};
#define DRM_IOCTL_SYNCOBJ_EVENTFD DRM_IOWR(0xCF, struct drm_syncobj_eventfd)
#endif

#ifndef DRM_SYNCOBJ_WAIT_FLAGS_WAIT_DEADLINE
#define DRM_SYNCOBJ_WAIT_FLAGS_WAIT_DEADLINE (1 << 3)
#endif
