/* SPDX-License-Identifier: MIT */
#pragma once

#include <linux/kernel.h>
#include <stdlib.h>
#include <sys/mman.h>

#define GFP_KERNEL 0u
#define GFP_ATOMIC 1u
#define __GFP_HIGHMEM 2u

/* In huge pages where it is large enough for one: so lies all memory that the kernel's allocators
   give, in its direct map. */
static inline void* kmalloc(size_t bytes, gfp_t flags) {
  const size_t huge = 2u << 20;
  (void)flags;
  void* memory =
      bytes < huge ? malloc(bytes) : aligned_alloc(huge, (bytes + huge - 1) / huge * huge);
  if (memory && bytes >= huge) madvise(memory, bytes, MADV_HUGEPAGE);
  /* Hides from the compiler what this is: it would turn kzalloc into a call of calloc, which in
     glibc passes by the thread's cache and is slower. */
  __asm__("" : "+r"(memory));
  return memory;
}
static inline void* kzalloc(size_t bytes, gfp_t flags) {
  void* const memory = kmalloc(bytes, flags);
  if (memory) memset(memory, 0, bytes);
  return memory;
}
static inline void* kcalloc(size_t count, size_t bytes, gfp_t flags) {
  return kzalloc(count * bytes, flags);
}
static inline void* kmemdup(const void* source, size_t bytes, gfp_t flags) {
  void* const memory = kmalloc(bytes, flags);
  if (memory) memcpy(memory, source, bytes);
  return memory;
}
static inline void kfree(const void* memory) { free((void*)memory); }
