/* SPDX-License-Identifier: MIT */
#pragma once

#include <errno.h>
#include <linux/bug.h>
#include <linux/container_of.h>
#include <linux/types.h>
#include <string.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))

#define BIT(n) (1UL << (n))
#define BIT_ULL(n) (1ULL << (n))
/* Bits low to high: GENMASK_ULL(3, 1) is 0b1110. */
#define GENMASK_ULL(high, low) ((~0ULL << (low)) & (~0ULL >> (63 - (high))))
#define DIV_ROUND_UP(n, d) (((n) + (d)-1) / (d))
#define ilog2(n) (63 - __builtin_clzll(n))

#define min_t(type, a, b)              \
  ({                                   \
    const type shim_a = (a);           \
    const type shim_b = (b);           \
    shim_a < shim_b ? shim_a : shim_b; \
  })
#define min(a, b) min_t(__typeof__(a), a, b)

#define EXPORT_SYMBOL(name)
#define EXPORT_SYMBOL_GPL(name)
#define MODULE_DESCRIPTION(text) _Static_assert(1, text)
#define MODULE_LICENSE(text) _Static_assert(1, text)

#define might_sleep() ((void)0)
