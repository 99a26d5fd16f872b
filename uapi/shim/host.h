// SPDX-License-Identifier: MIT
//
// Where the host is, and what a descriptor of ours is. There is no table of descriptors: a device
// node, a sync_file or a syncobj is the client end of a connection to one of the host's sockets,
// and the kernel knows which (getpeername). So dup, fork, exec, close and SCM_RIGHTS need no help,
// but for what waits in an epoll set (epoll.cc).
#pragma once

#include "uapi/server/protocol.h"

namespace pantry::shim {

// The host's directory, or nullptr when this process was not started by a host: then nothing is
// changed.
const char* directory();
unsigned directory_length();

// What `fd` is; kSocketCount if nothing of ours. Keeps errno. About 100 ns.
inline constexpr wire::Socket kForeign = static_cast<wire::Socket>(wire::kSocketCount);
wire::Socket socket_of(int fd);
inline bool is_device(wire::Socket socket) {
  return socket == wire::Socket::kCard || socket == wire::Socket::kRender;
}

// Whose text the host makes when it is asked for.
inline bool is_text(wire::Socket socket) {
  return socket == wire::Socket::kGpuvas || socket == wire::Socket::kGems ||
         socket == wire::Socket::kClients || socket == wire::Socket::kGemNames ||
         socket == wire::Socket::kProfiling;
}
// Files of debugfs and sysfs.
inline bool is_plain_file(wire::Socket socket) {
  return socket == wire::Socket::kSwSync || is_text(socket);
}

// How `fd`, which is a `socket`, was opened: O_RDONLY, O_WRONLY, O_RDWR or 3.
inline int access_mode_of(int fd, wire::Socket socket) {
  return wire::noted_access_mode(fd,
                                 is_device(socket) || is_plain_file(socket) ? O_RDWR : O_RDONLY);
}

// Mode 3, for ioctl() only, allows neither.
inline bool allows_read(int mode) { return mode == O_RDONLY || mode == O_RDWR; }
inline bool allows_write(int mode) { return mode == O_WRONLY || mode == O_RDWR; }

// Whether this process may hold a descriptor of ours: it has opened one, or has been seen to use
// one. One load.
extern int seen_descriptor;
inline bool may_hold_descriptors() {
  return __atomic_load_n(&seen_descriptor, __ATOMIC_RELAXED) != 0;
}

enum class OnExec { kKeep, kClose };
// A new connection to the host, -1 with errno.
int connect_to_host(wire::Socket socket, OnExec on_exec);
// What the host says first on a device node and on a channel. False: it has hung up instead, or
// refuses, which `hello.error` tells then (a negated errno, else 0).
bool receive_hello(int fd, wire::Hello& hello);

}  // namespace pantry::shim
