/* SPDX-License-Identifier: MIT */
#pragma once

#include <linux/mm.h>

/* The pool's hook is always there. */
static inline void* iommu_alloc_pages_node(int node, gfp_t flags, int order) {
  (void)node, (void)flags, (void)order;
  LINUX_SHIM_UNREACHED();
}
static inline void iommu_free_pages(void* memory, int order) {
  (void)memory, (void)order;
  LINUX_SHIM_UNREACHED();
}
