/* SPDX-License-Identifier: MIT */
#pragma once

#include <linux/kernel.h>
#include <linux/slab.h>

/*
 * Host address minus physical address: the kernel's linear map, which on x86-64 starts at a
 * variable as well. One piece of memory at a time plays DRAM.
 */
extern unsigned long linux_shim_page_offset;

#define __va(physical) ((void*)((unsigned long)(physical) + linux_shim_page_offset))
#define __pa(pointer) ((phys_addr_t)((unsigned long)(pointer)-linux_shim_page_offset))
static inline phys_addr_t virt_to_phys(const volatile void* pointer) { return __pa(pointer); }

/* get_order(0x1000) == 0, get_order(0x3000) == 2 */
static inline int get_order(unsigned long bytes) {
  return bytes <= PAGE_SIZE ? 0 : 64 - __builtin_clzl((bytes - 1) >> PAGE_SHIFT);
}

#define check_add_overflow(a, b, sum) __builtin_add_overflow(a, b, sum)
