/* SPDX-License-Identifier: MIT */
#pragma once

#include <linux/mm.h>

struct device;

enum dma_data_direction { DMA_TO_DEVICE = 1 };

/* The table walker is coherent, so nothing is cleaned out of the CPU's caches. */
static inline dma_addr_t dma_map_single(struct device* device, void* memory, size_t bytes,
                                        enum dma_data_direction direction) {
  (void)device, (void)memory, (void)bytes, (void)direction;
  LINUX_SHIM_UNREACHED();
}
static inline int dma_mapping_error(struct device* device, dma_addr_t address) {
  (void)device, (void)address;
  LINUX_SHIM_UNREACHED();
}
static inline void dma_unmap_single(struct device* device, dma_addr_t address, size_t bytes,
                                    enum dma_data_direction direction) {
  (void)device, (void)address, (void)bytes, (void)direction;
  LINUX_SHIM_UNREACHED();
}
static inline void dma_sync_single_for_device(struct device* device, dma_addr_t address,
                                              size_t bytes, enum dma_data_direction direction) {
  (void)device, (void)address, (void)bytes, (void)direction;
  LINUX_SHIM_UNREACHED();
}
static inline int dev_to_node(struct device* device) {
  (void)device;
  return -1;
}
#define dev_err(device, ...) LINUX_SHIM_UNREACHED()
