// SPDX-License-Identifier: MIT
//
// /proc/self/fdinfo/N of a descriptor of ours: the lines that the kernel has for every file, of the
// connection that stands for it, and then what the host says of it.
#pragma once

#include <stddef.h>

#include "uapi/server/protocol.h"

namespace pantry::shim {

// Whether the host has something to say of it.
bool has_fdinfo(wire::Socket socket);
// Instead of `file`, the kernel's own of descriptor `fd`, one with the host's lines too. `file` is
// closed; -1 with errno as it came when that is -1; and `file` itself when the host is gone.
int with_fdinfo(int fd, int file);

// A file that holds the host's text about `fd`, close-on-exec; -1 when there is none.
int ask_text(int fd, wire::Text text);
// The host's text about `fd`, as a C string of at most `room` bytes; empty when there is none.
void read_text(int fd, wire::Text text, char* to, size_t room);

}  // namespace pantry::shim
