/* SPDX-License-Identifier: MIT */
#pragma once

#include <drm/drm_device.h>
#include <linux/mm.h>

#define drm_WARN(device, condition, ...) ((void)(device), WARN_ON(condition))
#define drm_WARN_ON(device, condition) ((void)(device), WARN_ON(condition))

static inline void linux_shim_drm_dev_release(struct kref* ref) {
  (void)ref;
  LINUX_SHIM_UNREACHED();
}
static inline void drm_dev_get(struct drm_device* device) { kref_get(&device->ref); }
static inline void drm_dev_put(struct drm_device* device) {
  kref_put(&device->ref, linux_shim_drm_dev_release);
}
static inline void* ERR_PTR(long error) { return (void*)error; }
static inline bool IS_ERR(const void* pointer) { return (unsigned long)pointer >= -4095UL; }
static inline long PTR_ERR(const void* pointer) { return (long)pointer; }
