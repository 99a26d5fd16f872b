/* SPDX-License-Identifier: MIT */
#pragma once

#include <linux/types.h>

#define rcu_assign_pointer(slot, value) __atomic_store_n(&(slot), value, __ATOMIC_RELEASE)
#define rcu_dereference_raw(slot) READ_ONCE(slot)
