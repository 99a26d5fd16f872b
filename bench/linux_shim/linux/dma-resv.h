/* SPDX-License-Identifier: MIT */
#pragma once

#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

struct dma_fence;
struct dma_resv {
  int unused;
};
enum dma_resv_usage { DMA_RESV_USAGE_BOOKKEEP };

/* Checked by lockdep only, which a kernel that is not being debugged is built without. */
#define dma_resv_held(resv) ((void)(resv), true)
#define dma_resv_assert_held(resv) ((void)(resv))

static inline void dma_resv_add_fence(struct dma_resv* resv, struct dma_fence* fence,
                                      enum dma_resv_usage usage) {
  (void)resv, (void)fence, (void)usage;
  LINUX_SHIM_UNREACHED();
}
