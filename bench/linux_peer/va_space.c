/* SPDX-License-Identifier: MIT */
#include <drm/drm_drv.h>
#include <drm/drm_gpuvm.h>

#include "bench/linux_peer/linux_peer.h"

/* A stack of free nodes, the last one freed on top, linked through the nodes' list entries. */
struct linux_va_space {
  struct drm_gpuvm vm;
  struct drm_device device;
  struct drm_gem_object objects[LINUX_VA_OBJECTS];
  struct list_head free;
  struct drm_gpuva* nodes;
};

static struct drm_gpuva* take_node(struct linux_va_space* space) {
  struct drm_gpuva* const node = list_first_entry_or_null(&space->free, struct drm_gpuva, rb.entry);
  WARN_ON(!node);
  list_del(&node->rb.entry);
  return node;
}

static int step_map(struct drm_gpuva_op* op, void* context) {
  struct linux_va_space* const space = context;
  drm_gpuva_map(&space->vm, take_node(space), &op->map);
  return 0;
}

static int step_remap(struct drm_gpuva_op* op, void* context) {
  struct linux_va_space* const space = context;
  struct drm_gpuva* const old = op->remap.unmap->va;
  struct drm_gpuva* const left = op->remap.prev ? take_node(space) : NULL;
  struct drm_gpuva* const right = op->remap.next ? take_node(space) : NULL;
  drm_gpuva_remap(left, right, &op->remap);
  list_add(&old->rb.entry, &space->free);
  return 0;
}

static int step_unmap(struct drm_gpuva_op* op, void* context) {
  struct linux_va_space* const space = context;
  drm_gpuva_unmap(&op->unmap);
  list_add(&op->unmap.va->rb.entry, &space->free);
  return 0;
}

static void free_vm(struct drm_gpuvm* vm) { (void)vm; }

static const struct drm_gpuvm_ops ops = {
    .vm_free = free_vm,
    .sm_step_map = step_map,
    .sm_step_remap = step_remap,
    .sm_step_unmap = step_unmap,
};

struct linux_va_space* linux_va_space_create(linux_address size, unsigned int nodes) {
  struct linux_va_space* const space = kzalloc(sizeof(*space), GFP_KERNEL);
  WARN_ON(!space);
  space->nodes = kcalloc(nodes, sizeof(*space->nodes), GFP_KERNEL);
  WARN_ON(!space->nodes);
  INIT_LIST_HEAD(&space->free);
  for (unsigned int i = 0; i < nodes; ++i) list_add_tail(&space->nodes[i].rb.entry, &space->free);
  kref_init(&space->device.ref);
  for (unsigned int i = 0; i < LINUX_VA_OBJECTS; ++i)
    drm_gem_private_object_init(&space->device, &space->objects[i], 0);
  struct drm_gem_object* const reservation = drm_gpuvm_resv_object_alloc(&space->device);
  WARN_ON(!reservation);
  drm_gpuvm_init(&space->vm, "bench", DRM_GPUVM_RESV_PROTECTED, &space->device, reservation, 0,
                 size, 0, 0, &ops);
  drm_gem_object_put(reservation);
  return space;
}

void linux_va_space_destroy(struct linux_va_space* space) {
  drm_gpuvm_put(&space->vm);
  kfree(space->nodes);
  kfree(space);
}

void linux_va_space_map(struct linux_va_space* space, const struct linux_va_mapping* mapping) {
  const int error = drm_gpuvm_sm_map(&space->vm, space, mapping->first, mapping->size,
                                     &space->objects[mapping->object], mapping->offset);
  WARN_ON(error);
}

void linux_va_space_unmap(struct linux_va_space* space, linux_address first, linux_address size) {
  const int error = drm_gpuvm_sm_unmap(&space->vm, space, first, size);
  WARN_ON(error);
}

linux_address linux_va_space_find(struct linux_va_space* space, linux_address va) {
  const struct drm_gpuva* const node = drm_gpuva_find_first(&space->vm, va, 1);
  return node ? node->gem.offset + (va - node->va.addr) : ~0ULL;
}

void linux_va_space_for_each(struct linux_va_space* space,
                             void (*visit)(void* context, const struct linux_va_mapping* mapping),
                             void* context) {
  struct drm_gpuva* node;
  drm_gpuvm_for_each_va(node, &space->vm) {
    const struct linux_va_mapping mapping = {
        .first = node->va.addr,
        .size = node->va.range,
        .object = (unsigned int)((struct drm_gem_object*)node->gem.obj - space->objects),
        .offset = node->gem.offset,
    };
    visit(context, &mapping);
  }
}
