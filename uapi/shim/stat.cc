// SPDX-License-Identifier: MIT
//
// stat() and access() of the device's files: a node is a character device
// 226:0 or 226:128, by path and by descriptor.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "uapi/shim/client_pointer.h"
#include "uapi/shim/host.h"
#include "uapi/shim/libc.h"
#include "uapi/shim/path.h"
#include "uapi/shim/request.h"

namespace pantry::shim {
namespace {

PANTRY_REAL(int, fstatat, int, const char*, struct stat*, int)
PANTRY_REAL(int, fstat, int, struct stat*)
PANTRY_REAL(int, statx, int, const char*, int, unsigned, struct statx*)
PANTRY_REAL(int, faccessat, int, const char*, int, int)

constexpr unsigned kDrmMajor = 226;
constexpr mode_t kAnonymousMode = 0600;  // an anonymous inode has no type

// Permissions are the placeholder's, of which `mode` is.
mode_t mode_of(wire::Socket file, mode_t mode) {
  return (is_plain_file(file) ? S_IFREG : S_IFCHR) | (mode & 07777);
}

unsigned minor_of(wire::Socket node) { return node == wire::Socket::kCard ? 0 : 128; }

// st_dev and st_ino are the placeholder's: the same device for both nodes, distinct inodes.
void become_node(wire::Socket node, struct stat* status) {
  status->st_size = 0;
  status->st_blocks = 0;
  status->st_mode = mode_of(node, status->st_mode);
  if (!is_plain_file(node)) status->st_rdev = makedev(kDrmMajor, minor_of(node));
}

int stat_node(wire::Socket node, struct stat* status) {
  const int result = real_fstatat(AT_FDCWD, Path(name_of(node)).get(), status, 0);
  if (result == 0) become_node(node, status);
  return result;
}

// One inode for all descriptors of a buffer: compositors tell buffers apart by it.
void become_dma_buf(int fd, struct stat* status) {
  wire::Request request = {};
  request.ask = wire::Ask::kSize;
  const Answer answer = ask_host(fd, request, -1);
  if (answer.result != 0) return;
  status->st_ino = answer.reply.number_at;
  status->st_size = static_cast<off_t>(answer.reply.value);
  status->st_blocks = status->st_size / 512;
}

// The same of what has no path, for statx().
int statx_object(int fd, wire::Socket socket, int flags, unsigned mask, struct statx* status) {
  const int sync = flags & AT_STATX_SYNC_TYPE;
  const int result = real_statx(fd, "", AT_EMPTY_PATH | sync, mask, status);
  if (result != 0) return result;
  struct stat known = {};
  known.st_ino = status->stx_ino;
  if (socket == wire::Socket::kDmaBuf) become_dma_buf(fd, &known);
  status->stx_mode = kAnonymousMode;
  status->stx_ino = known.st_ino;
  status->stx_size = static_cast<uint64_t>(known.st_size);
  status->stx_blocks = static_cast<uint64_t>(known.st_blocks);
  return 0;
}

int stat_descriptor(int fd, struct stat* status) {
  const int result = real_fstat(fd, status);
  if (result != 0 || !S_ISSOCK(status->st_mode)) return result;
  const wire::Socket socket = socket_of(fd);
  if (is_device(socket) || is_plain_file(socket)) return stat_node(socket, status);
  if (socket != kForeign) status->st_mode = kAnonymousMode;
  if (socket == wire::Socket::kDmaBuf) become_dma_buf(fd, status);
  return 0;
}

int stat_path(int at, const char* path, struct stat* status, int flags) {
  if (!directory()) return real_fstatat(at, path, status, flags);
  if (!is_readable(path)) {
    // To a new kernel no path at all is as good as an empty one.
    const int result = real_fstatat(at, path, status, flags);
    return result == 0 && S_ISSOCK(status->st_mode) ? stat_descriptor(at, status) : result;
  }
  if ((flags & AT_EMPTY_PATH) != 0 && path[0] == '\0') return stat_descriptor(at, status);
  if (const wire::Socket node = node_of(at, path); node != kForeign) return stat_node(node, status);
  if ((flags & AT_SYMLINK_NOFOLLOW) == 0)
    if (const int fd = descriptor_followed_to(at, path); fd >= 0 && socket_of(fd) != kForeign)
      return stat_descriptor(fd, status);
  const int result = real_fstatat(at, Path(at, path).get(), status, flags);
  if (result == 0 && S_ISSOCK(status->st_mode) && path[0] != '/')
    if (const wire::Socket node = node_in(at, path); node != kForeign) become_node(node, status);
  return result;
}

int access_path(int at, const char* path, int mode, int flags) {
  if (!directory() || !is_readable(path)) return real_faccessat(at, path, mode, flags);
  return real_faccessat(at, Path(at, path).get(), mode, flags);
}

}  // namespace

#define PANTRY_STAT(symbol, flags)                                                           \
  extern "C" int shim_##symbol(const char* path, struct stat* status) PANTRY_EXPORT(symbol); \
  extern "C" int shim_##symbol(const char* path, struct stat* status) {                      \
    return stat_path(AT_FDCWD, path, status, flags);                                         \
  }
PANTRY_STAT(stat, 0)
PANTRY_STAT(stat64, 0)
PANTRY_STAT(lstat, AT_SYMLINK_NOFOLLOW)
PANTRY_STAT(lstat64, AT_SYMLINK_NOFOLLOW)

#define PANTRY_XSTAT(symbol, flags)                                                               \
  extern "C" int shim_##symbol(int, const char* path, struct stat* status) PANTRY_EXPORT(symbol); \
  extern "C" int shim_##symbol(int, const char* path, struct stat* status) {                      \
    return stat_path(AT_FDCWD, path, status, flags);                                              \
  }
PANTRY_XSTAT(__xstat, 0)
PANTRY_XSTAT(__xstat64, 0)
PANTRY_XSTAT(__lxstat, AT_SYMLINK_NOFOLLOW)
PANTRY_XSTAT(__lxstat64, AT_SYMLINK_NOFOLLOW)

#define PANTRY_FSTAT(symbol)                                                       \
  extern "C" int shim_##symbol(int fd, struct stat* status) PANTRY_EXPORT(symbol); \
  extern "C" int shim_##symbol(int fd, struct stat* status) { return stat_descriptor(fd, status); }
PANTRY_FSTAT(fstat)
PANTRY_FSTAT(fstat64)

#define PANTRY_FXSTAT(symbol)                                                           \
  extern "C" int shim_##symbol(int, int fd, struct stat* status) PANTRY_EXPORT(symbol); \
  extern "C" int shim_##symbol(int, int fd, struct stat* status) {                      \
    return stat_descriptor(fd, status);                                                 \
  }
PANTRY_FXSTAT(__fxstat)
PANTRY_FXSTAT(__fxstat64)

#define PANTRY_FSTATAT(symbol)                                                             \
  extern "C" int shim_##symbol(int at, const char* path, struct stat* status, int flags)   \
      PANTRY_EXPORT(symbol);                                                               \
  extern "C" int shim_##symbol(int at, const char* path, struct stat* status, int flags) { \
    return stat_path(at, path, status, flags);                                             \
  }
PANTRY_FSTATAT(fstatat)
PANTRY_FSTATAT(fstatat64)

#define PANTRY_FXSTATAT(symbol)                                                                 \
  extern "C" int shim_##symbol(int, int at, const char* path, struct stat* status, int flags)   \
      PANTRY_EXPORT(symbol);                                                                    \
  extern "C" int shim_##symbol(int, int at, const char* path, struct stat* status, int flags) { \
    return stat_path(at, path, status, flags);                                                  \
  }
PANTRY_FXSTATAT(__fxstatat)
PANTRY_FXSTATAT(__fxstatat64)

extern "C" int shim_statx(int at, const char* path, int flags, unsigned mask, struct statx* status)
    PANTRY_EXPORT(statx);
extern "C" int shim_statx(int at, const char* path, int flags, unsigned mask,
                          struct statx* status) {
  if (!directory()) return real_statx(at, path, flags, mask, status);
  const bool is_path = is_readable(path);
  wire::Socket node = is_path ? node_of(at, path) : kForeign;
  int fd = -1;
  if ((flags & AT_EMPTY_PATH) != 0 && (!path || (is_path && path[0] == '\0')))
    fd = at;
  else if (is_path && (flags & AT_SYMLINK_NOFOLLOW) == 0)
    fd = descriptor_followed_to(at, path);
  if (fd >= 0) {
    const wire::Socket socket = socket_of(fd);
    if (is_device(socket) || is_plain_file(socket))
      node = socket;
    else if (socket != kForeign)
      return statx_object(fd, socket, flags, mask, status);
  }
  if (node == kForeign) {
    const int result = real_statx(at, is_path ? Path(at, path).get() : path, flags, mask, status);
    if (result != 0 || !S_ISSOCK(status->stx_mode) || !is_path || path[0] == '/') return result;
    node = node_in(at, path);
    if (node == kForeign) return result;
  }
  const int result = real_statx(AT_FDCWD, Path(name_of(node)).get(), 0, mask, status);
  if (result == 0) {
    status->stx_size = 0;
    status->stx_blocks = 0;
    status->stx_mode = static_cast<uint16_t>(mode_of(node, status->stx_mode));
  }
  if (result == 0 && !is_plain_file(node)) {
    status->stx_rdev_major = kDrmMajor;
    status->stx_rdev_minor = minor_of(node);
  }
  return result;
}

extern "C" int shim_access(const char* path, int mode) PANTRY_EXPORT(access);
extern "C" int shim_access(const char* path, int mode) {
  return access_path(AT_FDCWD, path, mode, 0);
}
extern "C" int shim_euidaccess(const char* path, int mode) PANTRY_EXPORT(euidaccess);
extern "C" int shim_euidaccess(const char* path, int mode) {
  return access_path(AT_FDCWD, path, mode, AT_EACCESS);
}
extern "C" int shim_eaccess(const char* path, int mode) PANTRY_EXPORT(eaccess);
extern "C" int shim_eaccess(const char* path, int mode) {
  return access_path(AT_FDCWD, path, mode, AT_EACCESS);
}
extern "C" int shim_faccessat(int at, const char* path, int mode, int flags)
    PANTRY_EXPORT(faccessat);
extern "C" int shim_faccessat(int at, const char* path, int mode, int flags) {
  return access_path(at, path, mode, flags);
}

}  // namespace pantry::shim
