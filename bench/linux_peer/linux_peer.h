/* SPDX-License-Identifier: MIT */
/*
 * Linux's page table (io-pgtable-arm), VA tree (drm_gpuvm) and what Panthor makes of them for one
 * bind, as a C library for the benchmarks and for the test that both sides do the same. Whether it
 * is there was decided when it was built: call linux_peer_installed() first, anything else ends
 * the process if it is not.
 *
 * Addresses and sizes are in bytes. One thread at a time. What Linux would warn of ends the
 * process: mapping what is mapped, unmapping what is not.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef unsigned long long linux_address;

bool linux_peer_installed(void);

/* Which memory plays DRAM: physical `base` is at `host`. For the whole process, until the next
   call: what was made before must be destroyed by then. */
void linux_peer_set_dram(void* host, linux_address base);

/* Where table pages come from: zeroed, 4 KiB, in DRAM. alloc: null when there is none. */
struct linux_pages {
  void* (*alloc)(void* cookie, size_t bytes, unsigned int flags);
  void (*free)(void* cookie, void* page, size_t bytes);
  void* cookie;
};

/* io-pgtable: a table in the format ARM_64_LPAE_S1. The functions are the kernel's own. */
enum linux_prot {
  LINUX_PROT_READ = 1,
  LINUX_PROT_WRITE = 2,
  LINUX_PROT_CACHED = 4,
  LINUX_PROT_NO_EXEC = 8
};
struct io_pgtable_ops;
struct iommu_iotlb_gather;
struct linux_page_table {
  struct io_pgtable_ops* ops;
  linux_address root;
  /* Maps `count` pages of `page` bytes to consecutive frames, to the end of the lowest table at
     most; `mapped` grows by what it did, in bytes. 0, or a negative errno. */
  int (*map_pages)(struct io_pgtable_ops* ops, unsigned long va, linux_address frame, size_t page,
                   size_t count, int prot, unsigned int flags, size_t* mapped);
  /* Returns how many bytes it did. No gather: as Panthor, which flushes the range by itself. */
  size_t (*unmap_pages)(struct io_pgtable_ops* ops, unsigned long va, size_t page, size_t count,
                        struct iommu_iotlb_gather* gather);
  /* 0 when nothing is mapped. */
  linux_address (*iova_to_phys)(struct io_pgtable_ops* ops, unsigned long va);
};
/* `page_sizes`: one bit per leaf size. `pages` outlives the table. */
struct linux_page_table linux_page_table_create(const struct linux_pages* pages,
                                                unsigned int va_bits, unsigned int pa_bits,
                                                unsigned long page_sizes);
void linux_page_table_destroy(struct linux_page_table* table);

/* drm_gpuvm: a VA space whose nodes come from an array of `nodes` that is allocated beforehand. */
struct linux_va_space;
struct linux_va_mapping {
  linux_address first;
  linux_address size;
  unsigned int object; /* < LINUX_VA_OBJECTS */
  linux_address offset;
};
enum { LINUX_VA_OBJECTS = 8 };
struct linux_va_space* linux_va_space_create(linux_address size, unsigned int nodes);
void linux_va_space_destroy(struct linux_va_space* space); /* Empty by then. */
/* Replaces what it overlaps. */
void linux_va_space_map(struct linux_va_space* space, const struct linux_va_mapping* mapping);
void linux_va_space_unmap(struct linux_va_space* space, linux_address first, linux_address size);
/* The offset of `va` in the object that is mapped there; ~0 when none is. */
linux_address linux_va_space_find(struct linux_va_space* space, linux_address va);
/* In address order. */
void linux_va_space_for_each(struct linux_va_space* space,
                             void (*visit)(void* context, const struct linux_va_mapping* mapping),
                             void* context);

/* A synchronous bind as Panthor makes it: VA nodes and table pages laid in, VA tree and table
   changed, what is left over freed. Without what is around that: ioctl, locks, fences, links
   between mappings and buffers, and the flush. */
struct linux_vm;
struct linux_extent {
  linux_address start;
  linux_address size;
};
enum linux_page_content { LINUX_PAGES_ZERO, LINUX_PAGES_USED };
struct linux_page_source {
  /* `count` zeroed pages, all or none. */
  bool (*take)(void* cookie, void** pages, unsigned int count);
  void (*give_back)(void* cookie, void** pages, unsigned int count,
                    enum linux_page_content content);
  void* cookie;
};
struct linux_vm* linux_vm_create(const struct linux_page_source* source, unsigned int va_bits,
                                 unsigned int pa_bits);
void linux_vm_destroy(struct linux_vm* vm); /* Empty by then. */
/* Maps all of `extents`, read-write and cached. 0, or a negative errno. */
int linux_vm_bind_map(struct linux_vm* vm, linux_address va, const struct linux_extent* extents,
                      unsigned int count);
int linux_vm_bind_unmap(struct linux_vm* vm, linux_address va, linux_address size);
linux_address linux_vm_translate(struct linux_vm* vm, linux_address va); /* 0: nothing */

#ifdef __cplusplus
}
#endif
