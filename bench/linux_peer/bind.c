/* SPDX-License-Identifier: MIT */
/*
 * The parts of a bind that Linux's Panthor pays for, in its order: three VA nodes (two for an
 * unmap) and the worst case of table pages are allocated; drm_gpuvm says step by step what to do to
 * the table; nodes and pages that were not needed are freed.
 */
#include <drm/drm_drv.h>
#include <drm/drm_gpuvm.h>
#include <linux/io-pgtable.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "bench/linux_peer/linux_peer.h"

enum { MOST_NODES = 3 };

struct vma {
  struct drm_gpuva base;
  struct list_head retired;
  u32 flags;
};

struct bind {
  struct vma* nodes[MOST_NODES];
  void** pages;
  unsigned int page_count;
  unsigned int pages_used;
  const struct linux_extent* extents;
  unsigned int extent_count;
  struct list_head retired;
};

struct linux_vm {
  struct drm_gpuvm base;
  struct drm_device device;
  struct drm_gem_object buffer;
  struct linux_page_source source;
  struct linux_page_table table;
  struct bind* bind; /* the one that runs */
};

static void* alloc_table(void* cookie, size_t bytes, unsigned int flags) {
  struct linux_vm* const vm = cookie;
  void* page = NULL;
  (void)bytes, (void)flags;
  if (!vm->bind) { /* the root */
    WARN_ON(!vm->source.take(vm->source.cookie, &page, 1));
    return page;
  }
  if (WARN_ON(vm->bind->pages_used >= vm->bind->page_count)) return NULL;
  return vm->bind->pages[vm->bind->pages_used++];
}

static void free_table(void* cookie, void* page, size_t bytes) {
  struct linux_vm* const vm = cookie;
  (void)bytes;
  vm->source.give_back(vm->source.cookie, &page, 1, LINUX_PAGES_USED);
}

/* The largest leaf for what is next, and how many of them follow one another. */
static size_t leaf_size(u64 addresses, u64 size, size_t* count) {
  const u64 to_block = -addresses & (SZ_2M - 1);
  if (to_block == 0 && size >= SZ_2M) {
    *count = size / SZ_2M;
    return SZ_2M;
  }
  const u64 small = to_block != 0 ? min_t(u64, to_block, size) : size;
  *count = small / SZ_4K;
  return SZ_4K;
}

static int map_extents(struct linux_vm* vm, u64 va) {
  const int prot = IOMMU_READ | IOMMU_WRITE | IOMMU_CACHE;
  for (unsigned int i = 0; i < vm->bind->extent_count; ++i) {
    u64 frame = vm->bind->extents[i].start;
    u64 left = vm->bind->extents[i].size;
    while (left != 0) {
      size_t count, mapped = 0;
      const size_t leaf = leaf_size(va | frame, left, &count);
      const int error =
          vm->table.map_pages(vm->table.ops, va, frame, leaf, count, prot, GFP_KERNEL, &mapped);
      if (error) return error;
      va += mapped;
      frame += mapped;
      left -= mapped;
    }
  }
  return 0;
}

static void unmap_range(struct linux_vm* vm, u64 va, u64 size) {
  while (size != 0) {
    size_t count;
    const size_t leaf = leaf_size(va, size, &count);
    const size_t done = vm->table.unmap_pages(vm->table.ops, va, leaf, count, NULL);
    WARN_ON(done == 0);
    va += done;
    size -= done;
  }
}

static struct vma* take_node(struct bind* bind) {
  for (unsigned int i = 0; i < MOST_NODES; ++i) {
    struct vma* const node = bind->nodes[i];
    if (!node) continue;
    bind->nodes[i] = NULL;
    return node;
  }
  WARN_ON(true);
  return NULL;
}

static void retire(struct linux_vm* vm, struct drm_gpuva* va) {
  list_add_tail(&container_of(va, struct vma, base)->retired, &vm->bind->retired);
}

static int step_map(struct drm_gpuva_op* op, void* context) {
  struct linux_vm* const vm = context;
  struct vma* const node = take_node(vm->bind);
  const int error = map_extents(vm, op->map.va.addr);
  drm_gpuva_map(&vm->base, &node->base, &op->map);
  return error;
}

static int step_remap(struct drm_gpuva_op* op, void* context) {
  struct linux_vm* const vm = context;
  struct drm_gpuva* const old = op->remap.unmap->va;
  struct vma* const left = op->remap.prev ? take_node(vm->bind) : NULL;
  struct vma* const right = op->remap.next ? take_node(vm->bind) : NULL;
  u64 first, size;
  drm_gpuva_op_remap_to_unmap_range(&op->remap, &first, &size);
  unmap_range(vm, first, size);
  drm_gpuva_remap(left ? &left->base : NULL, right ? &right->base : NULL, &op->remap);
  retire(vm, old);
  return 0;
}

static int step_unmap(struct drm_gpuva_op* op, void* context) {
  struct linux_vm* const vm = context;
  struct drm_gpuva* const old = op->unmap.va;
  unmap_range(vm, old->va.addr, old->va.range);
  drm_gpuva_unmap(&op->unmap);
  retire(vm, old);
  return 0;
}

static void free_vm(struct drm_gpuvm* vm) { (void)vm; }

static const struct drm_gpuvm_ops ops = {
    .vm_free = free_vm,
    .sm_step_map = step_map,
    .sm_step_remap = step_remap,
    .sm_step_unmap = step_unmap,
};

struct linux_vm* linux_vm_create(const struct linux_page_source* source, unsigned int va_bits,
                                 unsigned int pa_bits) {
  struct linux_vm* const vm = kzalloc(sizeof(*vm), GFP_KERNEL);
  WARN_ON(!vm);
  vm->source = *source;
  const struct linux_pages pages = {alloc_table, free_table, vm};
  vm->table = linux_page_table_create(&pages, va_bits, pa_bits, SZ_4K | SZ_2M);
  kref_init(&vm->device.ref);
  drm_gem_private_object_init(&vm->device, &vm->buffer, 0);
  struct drm_gem_object* const reservation = drm_gpuvm_resv_object_alloc(&vm->device);
  WARN_ON(!reservation);
  drm_gpuvm_init(&vm->base, "bench", DRM_GPUVM_RESV_PROTECTED, &vm->device, reservation, 0,
                 1ULL << va_bits, 0, 0, &ops);
  drm_gem_object_put(reservation);
  return vm;
}

void linux_vm_destroy(struct linux_vm* vm) {
  drm_gpuvm_put(&vm->base);
  linux_page_table_destroy(&vm->table);
  kfree(vm);
}

static int prepare(struct linux_vm* vm, struct bind* bind, unsigned int nodes, unsigned int pages) {
  memset(bind, 0, sizeof(*bind));
  INIT_LIST_HEAD(&bind->retired);
  for (unsigned int i = 0; i < nodes; ++i) {
    bind->nodes[i] = kzalloc(sizeof(struct vma), GFP_KERNEL);
    if (!bind->nodes[i]) return -ENOMEM;
  }
  if (pages != 0) {
    bind->pages = kcalloc(pages, sizeof(*bind->pages), GFP_KERNEL);
    if (!bind->pages) return -ENOMEM;
    if (!vm->source.take(vm->source.cookie, bind->pages, pages)) return -ENOMEM;
    bind->page_count = pages;
  }
  return 0;
}

static void clean_up(struct linux_vm* vm, struct bind* bind) {
  struct vma *node, *next;
  list_for_each_entry_safe(node, next, &bind->retired, retired) kfree(node);
  for (unsigned int i = 0; i < MOST_NODES; ++i) kfree(bind->nodes[i]);
  if (bind->pages_used != bind->page_count)
    vm->source.give_back(vm->source.cookie, bind->pages + bind->pages_used,
                         bind->page_count - bind->pages_used, LINUX_PAGES_ZERO);
  kfree(bind->pages);
}

/* How many aligned windows of 2^shift bytes [va, va + size) touches. */
static unsigned int windows(u64 va, u64 size, unsigned int shift) {
  return (unsigned int)(((va + size - 1) >> shift) - (va >> shift) + 1);
}

int linux_vm_bind_map(struct linux_vm* vm, linux_address va, const struct linux_extent* extents,
                      unsigned int count) {
  u64 size = 0;
  for (unsigned int i = 0; i < count; ++i) size += extents[i].size;
  struct bind bind;
  int error =
      prepare(vm, &bind, 3, windows(va, size, 39) + windows(va, size, 30) + windows(va, size, 21));
  bind.extents = extents;
  bind.extent_count = count;
  if (!error) {
    vm->bind = &bind;
    error = drm_gpuvm_sm_map(&vm->base, vm, va, size, &vm->buffer, 0);
    vm->bind = NULL;
  }
  clean_up(vm, &bind);
  return error;
}

int linux_vm_bind_unmap(struct linux_vm* vm, linux_address va, linux_address size) {
  const u64 end = va + size;
  unsigned int pages = 0;
  if (va % SZ_2M != 0) ++pages;
  if (end % SZ_2M != 0 && DIV_ROUND_UP(end, SZ_2M) != DIV_ROUND_UP(va, SZ_2M)) ++pages;
  struct bind bind;
  int error = prepare(vm, &bind, 2, pages);
  if (!error) {
    vm->bind = &bind;
    error = drm_gpuvm_sm_unmap(&vm->base, vm, va, size);
    vm->bind = NULL;
  }
  clean_up(vm, &bind);
  return error;
}

linux_address linux_vm_translate(struct linux_vm* vm, linux_address va) {
  return vm->table.iova_to_phys(vm->table.ops, va);
}
