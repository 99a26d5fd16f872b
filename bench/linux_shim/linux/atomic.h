/* SPDX-License-Identifier: MIT */
#pragma once

#include <linux/types.h>

/* Returns what was there, as cmpxchg does. */
#define cmpxchg64_relaxed(slot, expected, desired)                                  \
  ({                                                                                \
    __typeof__(*(slot)) shim_seen = (expected);                                     \
    __atomic_compare_exchange_n(slot, &shim_seen, desired, false, __ATOMIC_RELAXED, \
                                __ATOMIC_RELAXED);                                  \
    shim_seen;                                                                      \
  })
