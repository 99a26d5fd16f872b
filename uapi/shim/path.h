// SPDX-License-Identifier: MIT
//
// The files that a DRM device shows in /dev and /sys. The host keeps them as a real tree under its
// directory; the shim turns a client's path into one of that tree, and back. So directories are
// real directories, and nothing has to imitate readdir(). The device nodes in the tree are
// placeholders (socket inodes, which open() refuses).
#pragma once

#include <fcntl.h>
#include <stddef.h>

#include "uapi/server/protocol.h"

namespace pantry::shim {

class Path {
 public:
  // A relative one starts from `directory_fd`, as with openat(). Long paths are nobody's device.
  Path(int directory_fd, const char* path);
  explicit Path(const char* path) : Path(AT_FDCWD, path) {}
  // What to give to libc: the path in the tree, or the client's own.
  const char* get() const { return ours_ ? buffer_ : original_; }
  bool ours() const { return ours_; }
  // One of ours in full, as the client knows it.
  const char* name() const;

 private:
  const char* original_;
  bool ours_ = false;
  char buffer_[512];
};

// The file of the device's that `path` names and that opening connects to the host
// ("/dev/dri/card0", "/dev/dri/renderD128", profiling in sysfs, and in debugfs sw_sync, gpuvas,
// gems, clients and gem_names), or kForeign.
wire::Socket node_of(int directory_fd, const char* path);
// The same for a path relative to a directory of the tree: an open one, or (AT_FDCWD) the current.
wire::Socket node_in(int directory_fd, const char* path);
// The client's descriptor that `path` names ("/proc/self/fd/7", "/dev/fd/7", the same by its
// process id, or "7" in that directory), or -1. Keeps errno.
int descriptor_of(int directory_fd, const char* path);
// The same, by a link as well: "/dev/stdin".
int descriptor_followed_to(int directory_fd, const char* path);
// The same for /proc/self/fdinfo.
int descriptor_of_fdinfo(int directory_fd, const char* path);
// "/dev/dri/card0" for kCard; the name that readlink of /proc/self/fd shows for each kind.
const char* name_of(wire::Socket socket);
// The same path as the client knows it, in place: without the tree's prefix.
void strip_tree(char* path);

}  // namespace pantry::shim
