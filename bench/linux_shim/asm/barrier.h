/* SPDX-License-Identifier: MIT */
/*
 * What the kernel's barriers are on these processors; they are part of what its code costs.
 */
#pragma once

#include <linux/compiler.h>

#if defined(__x86_64__)
#define wmb() __asm__ __volatile__("sfence" ::: "memory")
#define dma_wmb() barrier()
#elif defined(__aarch64__)
#define wmb() __asm__ __volatile__("dsb st" ::: "memory")
#define dma_wmb() __asm__ __volatile__("dmb oshst" ::: "memory")
#else
#define wmb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define dma_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#endif
#define smp_load_acquire(pointer) __atomic_load_n(pointer, __ATOMIC_ACQUIRE)
#define smp_store_release(pointer, value) __atomic_store_n(pointer, value, __ATOMIC_RELEASE)
