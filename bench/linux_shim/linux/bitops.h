/* SPDX-License-Identifier: MIT */
#pragma once

#include <linux/kernel.h>

static inline unsigned long __ffs(unsigned long word) {
  return (unsigned long)__builtin_ctzl(word);
}
static inline unsigned long __fls(unsigned long word) {
  return 63UL - (unsigned long)__builtin_clzl(word);
}
static inline void set_bit(long bit, volatile unsigned long* word) {
  __atomic_fetch_or(word, 1UL << bit, __ATOMIC_RELAXED);
}
