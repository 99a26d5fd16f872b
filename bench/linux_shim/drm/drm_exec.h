/* SPDX-License-Identifier: MIT */
/*
 * Locking of many reservations, which no benchmark does.
 */
#pragma once

#include <linux/kernel.h>

struct drm_gem_object;
struct drm_exec {
  int unused;
};

#define drm_exec_until_all_locked(exec) for (bool shim_once = true; shim_once; shim_once = false)
#define drm_exec_retry_on_contention(exec) ((void)(exec))
#define drm_exec_for_each_locked_object(exec, object) for ((void)(exec), (object) = NULL; (object);)

static inline void drm_exec_init(struct drm_exec* exec, u32 flags, unsigned int objects) {
  (void)exec, (void)flags, (void)objects;
  LINUX_SHIM_UNREACHED();
}
static inline void drm_exec_fini(struct drm_exec* exec) {
  (void)exec;
  LINUX_SHIM_UNREACHED();
}
static inline int drm_exec_lock_obj(struct drm_exec* exec, struct drm_gem_object* object) {
  (void)exec, (void)object;
  LINUX_SHIM_UNREACHED();
}
static inline int drm_exec_prepare_obj(struct drm_exec* exec, struct drm_gem_object* object,
                                       unsigned int fences) {
  (void)exec, (void)object, (void)fences;
  LINUX_SHIM_UNREACHED();
}
static inline int drm_exec_prepare_array(struct drm_exec* exec, struct drm_gem_object** objects,
                                         unsigned int count, unsigned int fences) {
  (void)exec, (void)objects, (void)count, (void)fences;
  LINUX_SHIM_UNREACHED();
}
