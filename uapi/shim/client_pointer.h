// SPDX-License-Identifier: MIT
//
// Pointers of the client's that the shim reads by itself. A bad one is the kernel's to refuse, with
// EFAULT: then the call goes to libc as it came, and nothing of the shim may look at what it points
// to. Another thread that unmaps it in between has its fault, as it could have in libc.
#pragma once

#include <stddef.h>

namespace pantry::shim {

// About 100 ns for each page touched. Keeps errno.
bool can_read(const void* at, size_t bytes);
// A path, up to its end or to where it is too long for the kernel.
bool is_readable(const char* path);

}  // namespace pantry::shim
