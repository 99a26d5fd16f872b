// SPDX-License-Identifier: MIT
//
// Owners, permissions, times and extended attributes of the device's files, and the file systems
// that they are in. They are those of the placeholders in the tree, so a change is seen by all
// clients of the host. By descriptor, too, where the socket has its own.
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/types.h>
#include <unistd.h>
#include <utime.h>

#include "uapi/shim/client_pointer.h"
#include "uapi/shim/host.h"
#include "uapi/shim/libc.h"
#include "uapi/shim/path.h"

namespace pantry::shim {
namespace {

// A path that libc may have: the client's own where it is not of the device, or a bad one.
class LibcPath {
 public:
  explicit LibcPath(const char* path) : LibcPath(AT_FDCWD, path) {}
  LibcPath(int at, const char* path)
      : path_(path), translated_(at, directory() && is_readable(path) ? path : "") {}
  const char* get() const { return translated_.ours() ? translated_.get() : path_; }

 private:
  const char* path_;
  Path translated_;
};

// The path of what `fd` is open on, if that is one of the device's files; null: of something else.
const char* path_behind(int fd) {
  const wire::Socket socket = directory() ? socket_of(fd) : kForeign;
  return is_device(socket) || is_plain_file(socket) ? name_of(socket) : nullptr;
}

// Of a file of the device's, by the name that the client knows.
void become_file_system(const char* path, struct statfs* status) {
  const bool is_debugfs = strncmp(path, "/sys/kernel/debug", 17) == 0;
  if (strncmp(path, "/sys", 4) != 0) {
    status->f_type = TMPFS_MAGIC;  // devtmpfs says so, too
    return;
  }
  status->f_type = is_debugfs ? DEBUGFS_MAGIC : SYSFS_MAGIC;
  status->f_bsize = status->f_frsize = 4096;
  status->f_blocks = status->f_bfree = status->f_bavail = 0;
  status->f_files = status->f_ffree = 0;
}

PANTRY_REAL(int, statfs, const char*, struct statfs*)
PANTRY_REAL(int, fstatfs, int, struct statfs*)

int stat_file_system(const char* path, struct statfs* status) {
  const int result = real_statfs(LibcPath(path).get(), status);
  if (result != 0 || !directory()) return result;
  if (const Path translated(path); translated.ours()) become_file_system(translated.name(), status);
  return result;
}

int stat_file_system_of(int fd, struct statfs* status) {
  const int result = real_fstatfs(fd, status);
  if (result != 0 || !directory()) return result;
  const int saved = errno;
  char link[40];
  char name[512];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  // For sockets, by what they stand for.
  const ssize_t length = readlink(link, name, sizeof name - 1);
  errno = saved;
  if (length <= 0) return result;
  name[length] = '\0';
  const wire::Socket socket = socket_of(fd);
  if (socket == wire::Socket::kDmaBuf)
    status->f_type = DMA_BUF_MAGIC;
  else if (socket == wire::Socket::kSyncFile || socket == wire::Socket::kSyncobj)
    status->f_type = ANON_INODE_FS_MAGIC;
  else if (socket != kForeign || Path(name).ours())
    become_file_system(name, status);
  return result;
}

}  // namespace

// `PANTRY_BY_PATH(int, chmod, (const char* path, mode_t mode), mode)`: libc's, with the path
// turned.
#define PANTRY_BY_PATH(result, symbol, parameters, ...)              \
  extern "C" result shim_##symbol parameters PANTRY_EXPORT(symbol);  \
  extern "C" result shim_##symbol parameters {                       \
    static decltype(&shim_##symbol) slot;                            \
    return real(slot, #symbol)(LibcPath(path).get(), ##__VA_ARGS__); \
  }
PANTRY_BY_PATH(int, chmod, (const char* path, mode_t mode), mode)
PANTRY_BY_PATH(int, chown, (const char* path, uid_t user, gid_t group), user, group)
PANTRY_BY_PATH(int, lchown, (const char* path, uid_t user, gid_t group), user, group)
PANTRY_BY_PATH(int, utime, (const char* path, const utimbuf* times), times)
PANTRY_BY_PATH(int, utimes, (const char* path, const timeval* times), times)
PANTRY_BY_PATH(int, lutimes, (const char* path, const timeval* times), times)
PANTRY_BY_PATH(int, statvfs, (const char* path, struct statvfs* status), status)
PANTRY_BY_PATH(int, statvfs64, (const char* path, struct statvfs64* status), status)
PANTRY_BY_PATH(ssize_t, getxattr, (const char* path, const char* name, void* value, size_t size),
               name, value, size)
PANTRY_BY_PATH(ssize_t, lgetxattr, (const char* path, const char* name, void* value, size_t size),
               name, value, size)
PANTRY_BY_PATH(ssize_t, listxattr, (const char* path, char* names, size_t size), names, size)
PANTRY_BY_PATH(ssize_t, llistxattr, (const char* path, char* names, size_t size), names, size)
PANTRY_BY_PATH(int, setxattr,
               (const char* path, const char* name, const void* value, size_t size, int flags),
               name, value, size, flags)
PANTRY_BY_PATH(int, lsetxattr,
               (const char* path, const char* name, const void* value, size_t size, int flags),
               name, value, size, flags)
PANTRY_BY_PATH(int, removexattr, (const char* path, const char* name), name)
PANTRY_BY_PATH(int, lremovexattr, (const char* path, const char* name), name)

// The same relative to a directory, which may be one of the tree.
#define PANTRY_AT(symbol, parameters, ...)                                   \
  extern "C" int shim_##symbol parameters PANTRY_EXPORT(symbol);             \
  extern "C" int shim_##symbol parameters {                                  \
    static decltype(&shim_##symbol) slot;                                    \
    return real(slot, #symbol)(at, LibcPath(at, path).get(), ##__VA_ARGS__); \
  }
PANTRY_AT(fchmodat, (int at, const char* path, mode_t mode, int flags), mode, flags)
PANTRY_AT(fchownat, (int at, const char* path, uid_t user, gid_t group, int flags), user, group,
          flags)
PANTRY_AT(utimensat, (int at, const char* path, const timespec* times, int flags), times, flags)
PANTRY_AT(futimesat, (int at, const char* path, const timeval* times), times)

PANTRY_REAL(int, inotify_add_watch, int, const char*, uint32_t)
extern "C" int shim_inotify_add_watch(int fd, const char* path, uint32_t mask)
    PANTRY_EXPORT(inotify_add_watch);
extern "C" int shim_inotify_add_watch(int fd, const char* path, uint32_t mask) {
  return real_inotify_add_watch(fd, LibcPath(path).get(), mask);
}

// `PANTRY_BY_DESCRIPTOR(int, fchmod, chmod, (int fd, mode_t mode), mode)`: by the path of what the
// descriptor stands for, where it has one.
#define PANTRY_BY_DESCRIPTOR(result, symbol, by_path, parameters, ...)                          \
  extern "C" result shim_##symbol parameters PANTRY_EXPORT(symbol);                             \
  extern "C" result shim_##symbol parameters {                                                  \
    static decltype(&shim_##symbol) slot;                                                       \
    const char* const path = path_behind(fd);                                                   \
    return path ? shim_##by_path(path, ##__VA_ARGS__) : real(slot, #symbol)(fd, ##__VA_ARGS__); \
  }
PANTRY_BY_DESCRIPTOR(int, fchmod, chmod, (int fd, mode_t mode), mode)
PANTRY_BY_DESCRIPTOR(int, fchown, chown, (int fd, uid_t user, gid_t group), user, group)
PANTRY_BY_DESCRIPTOR(ssize_t, fgetxattr, getxattr,
                     (int fd, const char* name, void* value, size_t size), name, value, size)
PANTRY_BY_DESCRIPTOR(ssize_t, flistxattr, listxattr, (int fd, char* names, size_t size), names,
                     size)
PANTRY_BY_DESCRIPTOR(int, fsetxattr, setxattr,
                     (int fd, const char* name, const void* value, size_t size, int flags), name,
                     value, size, flags)
PANTRY_BY_DESCRIPTOR(int, fremovexattr, removexattr, (int fd, const char* name), name)

extern "C" int shim_statfs(const char* path, struct statfs* status) PANTRY_EXPORT(statfs);
extern "C" int shim_statfs(const char* path, struct statfs* status) {
  return stat_file_system(path, status);
}
extern "C" int shim_statfs64(const char* path, struct statfs* status) PANTRY_EXPORT(statfs64);
extern "C" int shim_statfs64(const char* path, struct statfs* status) {
  return stat_file_system(path, status);
}
extern "C" int shim_fstatfs(int fd, struct statfs* status) PANTRY_EXPORT(fstatfs);
extern "C" int shim_fstatfs(int fd, struct statfs* status) {
  return stat_file_system_of(fd, status);
}
extern "C" int shim_fstatfs64(int fd, struct statfs* status) PANTRY_EXPORT(fstatfs64);
extern "C" int shim_fstatfs64(int fd, struct statfs* status) {
  return stat_file_system_of(fd, status);
}

}  // namespace pantry::shim
