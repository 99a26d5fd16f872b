/* SPDX-License-Identifier: MIT */
#pragma once

#include <linux/compiler.h>

typedef struct {
  unsigned char locked;
} spinlock_t;

static inline void spin_lock_init(spinlock_t* lock) { lock->locked = 0; }
static inline void spin_lock(spinlock_t* lock) {
  while (__atomic_test_and_set(&lock->locked, __ATOMIC_ACQUIRE)) {
  }
}
static inline void spin_unlock(spinlock_t* lock) {
  __atomic_clear(&lock->locked, __ATOMIC_RELEASE);
}
