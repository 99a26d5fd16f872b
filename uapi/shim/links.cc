// SPDX-License-Identifier: MIT
//
// Symbolic links and canonical names: what /proc/self/fd says of a descriptor of ours, and paths of
// the device's files without the tree in front.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "uapi/shim/client_pointer.h"
#include "uapi/shim/fdinfo.h"
#include "uapi/shim/host.h"
#include "uapi/shim/libc.h"
#include "uapi/shim/path.h"

namespace pantry::shim {
namespace {

PANTRY_REAL(ssize_t, readlinkat, int, const char*, char*, size_t)
PANTRY_REAL(char*, realpath, const char*, char*)

// As the kernel fills the client's buffer, which may be a bad one.
ssize_t put(const char* name, char* buffer, size_t size) {
  if (size == 0) {
    errno = EINVAL;
    return -1;
  }
  iovec from = {const_cast<char*>(name), strlen(name) < size ? strlen(name) : size};
  iovec to = {buffer, from.iov_len};
  const ssize_t written = process_vm_writev(gettid(), &from, 1, &to, 1, 0);
  if (written == static_cast<ssize_t>(from.iov_len)) return written;
  errno = EFAULT;
  return -1;
}

ssize_t read_link(int at, const char* path, char* buffer, size_t size) {
  if (!directory() || !is_readable(path)) return real_readlinkat(at, path, buffer, size);
  if (const int fd = descriptor_of(at, path); fd >= 0)
    if (const wire::Socket socket = socket_of(fd); socket != kForeign) {
      char with_name[64];
      const char* name = name_of(socket);
      if (socket == wire::Socket::kDmaBuf) {
        snprintf(with_name, sizeof with_name, "%s", name);
        const size_t prefix = strlen(name);
        read_text(fd, wire::Text::kName, with_name + prefix, sizeof with_name - prefix);
        name = with_name;
      }
      return put(name, buffer, size);
    }
  const Path translated(at, path);
  // What is open there, or the current directory, may be of the tree. Not through the client's
  // buffer, where more than it gets may be left.
  if (!translated.ours() && (path[0] != '/' || strncmp(path, "/proc/", 6) == 0)) {
    char name[PATH_MAX];
    const ssize_t length = real_readlinkat(at, path, name, sizeof name - 1);
    if (length <= 0) return length;
    name[length] = '\0';
    const size_t whole = strlen(name);
    strip_tree(name);
    if (strlen(name) != whole) return put(name, buffer, size);
  }
  return real_readlinkat(at, translated.get(), buffer, size);
}

char* canonical(const char* path, char* resolved) {
  if (!directory() || !is_readable(path)) return real_realpath(path, resolved);
  if (const int fd = descriptor_followed_to(AT_FDCWD, path); fd >= 0)
    if (const wire::Socket socket = socket_of(fd); is_device(socket) || is_plain_file(socket)) {
      if (!resolved) return strdup(name_of(socket));
      return strcpy(resolved, name_of(socket));
    }
  char* const name = real_realpath(Path(path).get(), resolved);
  if (name) strip_tree(name);
  return name;
}

}  // namespace

extern "C" ssize_t shim_readlink(const char* path, char* buffer, size_t size)
    PANTRY_EXPORT(readlink);
extern "C" ssize_t shim_readlink(const char* path, char* buffer, size_t size) {
  return read_link(AT_FDCWD, path, buffer, size);
}
extern "C" ssize_t shim_readlinkat(int at, const char* path, char* buffer, size_t size)
    PANTRY_EXPORT(readlinkat);
extern "C" ssize_t shim_readlinkat(int at, const char* path, char* buffer, size_t size) {
  return read_link(at, path, buffer, size);
}
// The checked forms also get the true size of the buffer.
extern "C" ssize_t shim___readlink_chk(const char* path, char* buffer, size_t size, size_t room)
    PANTRY_EXPORT(__readlink_chk);
extern "C" ssize_t shim___readlink_chk(const char* path, char* buffer, size_t size, size_t room) {
  if (size > room) abort();
  return read_link(AT_FDCWD, path, buffer, size);
}
extern "C" ssize_t shim___readlinkat_chk(int at, const char* path, char* buffer, size_t size,
                                         size_t room) PANTRY_EXPORT(__readlinkat_chk);
extern "C" ssize_t shim___readlinkat_chk(int at, const char* path, char* buffer, size_t size,
                                         size_t room) {
  if (size > room) abort();
  return read_link(at, path, buffer, size);
}

extern "C" char* shim_realpath(const char* path, char* resolved) PANTRY_EXPORT(realpath);
extern "C" char* shim_realpath(const char* path, char* resolved) {
  return canonical(path, resolved);
}
extern "C" char* shim___realpath_chk(const char* path, char* resolved, size_t room)
    PANTRY_EXPORT(__realpath_chk);
extern "C" char* shim___realpath_chk(const char* path, char* resolved, size_t room) {
  if (room < 4096) abort();
  return canonical(path, resolved);
}
extern "C" char* shim_canonicalize_file_name(const char* path)
    PANTRY_EXPORT(canonicalize_file_name);
extern "C" char* shim_canonicalize_file_name(const char* path) { return canonical(path, nullptr); }

}  // namespace pantry::shim
