// SPDX-License-Identifier: MIT
#include "driver/kernel/lock_order.h"

#if PANTRY_THREAD_SANITIZER
#include <sanitizer/tsan_interface.h>

namespace pantry::driver::lock_order {
namespace {

char fence_wait;  // only its address matters

void acquire() noexcept {
  __tsan_mutex_pre_lock(&fence_wait, __tsan_mutex_read_lock | __tsan_mutex_linker_init);
  __tsan_mutex_post_lock(&fence_wait, __tsan_mutex_read_lock | __tsan_mutex_linker_init, 0);
}

void release() noexcept {
  __tsan_mutex_pre_unlock(&fence_wait, __tsan_mutex_read_lock);
  __tsan_mutex_post_unlock(&fence_wait, __tsan_mutex_read_lock);
}

}  // namespace

void section_begins() noexcept { acquire(); }
void section_ends() noexcept { release(); }

void may_wait() noexcept {
  acquire();
  release();
}

}  // namespace pantry::driver::lock_order
#endif
