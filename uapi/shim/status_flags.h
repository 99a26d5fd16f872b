// SPDX-License-Identifier: MIT
#pragma once

namespace pantry::shim {

// What F_GETFL says of `fd`, of which the kernel says `flags`. Keeps errno.
int status_flags(int fd, int flags);
// Another description of the file of `fd`, opened with `flags`. `fd` is closed; -1 with errno.
int reopen(int fd, int flags);

}  // namespace pantry::shim
