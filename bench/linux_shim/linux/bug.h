/* SPDX-License-Identifier: MIT */
/*
 * Warnings are checked as in the kernel: a branch that is expected not to be taken.
 */
#pragma once

#include <linux/compiler.h>
#include <stdbool.h>

/* Ends the process: a benchmark that makes the kernel's code warn measures the wrong thing. */
_Noreturn void linux_shim_bug(const char* condition);

static inline bool linux_shim_warn(bool failed, const char* condition) {
  if (unlikely(failed)) linux_shim_bug(condition);
  return failed;
}
#define WARN_ON(condition) linux_shim_warn(!!(condition), #condition)
#define VM_BUG_ON(condition) ((void)WARN_ON(condition))
/* For what the benchmarked paths never call. */
#define LINUX_SHIM_UNREACHED() linux_shim_bug(__func__)
