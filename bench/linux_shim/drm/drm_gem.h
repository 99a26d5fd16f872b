/* SPDX-License-Identifier: MIT */
#pragma once

#include <drm/drm_device.h>
#include <linux/dma-resv.h>
#include <linux/list.h>

struct drm_gem_object;
struct drm_gem_object_funcs {
  void (*free)(struct drm_gem_object* object);
};
struct drm_gem_object {
  struct kref refcount;
  struct dma_resv* resv;
  struct dma_resv own_resv;
  struct {
    struct list_head list;
  } gpuva;
  const struct drm_gem_object_funcs* funcs;
};

static inline void drm_gem_private_object_init(struct drm_device* device,
                                               struct drm_gem_object* object, size_t size) {
  (void)device, (void)size;
  kref_init(&object->refcount);
  object->resv = &object->own_resv;
  INIT_LIST_HEAD(&object->gpuva.list);
}
static inline void drm_gem_object_release(struct drm_gem_object* object) { (void)object; }
static inline void linux_shim_gem_free(struct kref* ref) {
  struct drm_gem_object* const object = container_of(ref, struct drm_gem_object, refcount);
  object->funcs->free(object);
}
static inline void drm_gem_object_get(struct drm_gem_object* object) {
  kref_get(&object->refcount);
}
static inline void drm_gem_object_put(struct drm_gem_object* object) {
  kref_put(&object->refcount, linux_shim_gem_free);
}

#define drm_gem_gpuva_assert_lock_held(object) ((void)(object))
#define drm_gem_for_each_gpuvm_bo(vm_bo, object) \
  list_for_each_entry(vm_bo, &(object)->gpuva.list, list.entry.gem)
