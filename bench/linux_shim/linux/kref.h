/* SPDX-License-Identifier: MIT */
/*
 * Reference counts that are checked against overflow, as the kernel's are.
 */
#pragma once

#include <linux/kernel.h>

struct kref {
  int count;
};

static inline void kref_init(struct kref* kref) { kref->count = 1; }
static inline void kref_get(struct kref* kref) {
  const int before = __atomic_fetch_add(&kref->count, 1, __ATOMIC_RELAXED);
  WARN_ON(before <= 0 || before + 1 < 0);
}
static inline bool kref_get_unless_zero(struct kref* kref) {
  int count = __atomic_load_n(&kref->count, __ATOMIC_RELAXED);
  while (count != 0 && !__atomic_compare_exchange_n(&kref->count, &count, count + 1, true,
                                                    __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  return count != 0;
}
static inline int kref_put(struct kref* kref, void (*release)(struct kref*)) {
  const int before = __atomic_fetch_sub(&kref->count, 1, __ATOMIC_RELEASE);
  if (before == 1) {
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    release(kref);
    return 1;
  }
  WARN_ON(before <= 0);
  return 0;
}
