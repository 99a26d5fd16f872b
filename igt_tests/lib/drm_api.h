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

#ifndef DRM_IOCTL_SET_CLIENT_NAME
struct drm_set_client_name {
  __u64 name_len;
  __u64 name;
};
#define DRM_IOCTL_SET_CLIENT_NAME DRM_IOWR(0xD1, struct drm_set_client_name)
#define DRM_CLIENT_NAME_MAX_LEN 64
#endif

#ifndef DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_TIMELINE
// struct drm_syncobj_handle as it is since these flags.
struct drm_syncobj_handle_with_point {
  __u32 handle;
  __u32 flags;
  __s32 fd;
  __u32 pad;
  __u64 point;
};
#define DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_TIMELINE (1 << 1)
#define DRM_SYNCOBJ_FD_TO_HANDLE_FLAGS_TIMELINE (1 << 1)
#else
#define drm_syncobj_handle_with_point drm_syncobj_handle
#endif

#ifndef DRM_SYNCOBJ_WAIT_FLAGS_WAIT_DEADLINE
#define DRM_SYNCOBJ_WAIT_FLAGS_WAIT_DEADLINE (1 << 3)
#endif
