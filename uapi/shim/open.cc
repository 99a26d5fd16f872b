// SPDX-License-Identifier: MIT
//
// open() and its kin: a device node becomes a connection to the host; any other file of the device
// is one of the tree.
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "uapi/shim/client_pointer.h"
#include "uapi/shim/fdinfo.h"
#include "uapi/shim/host.h"
#include "uapi/shim/libc.h"
#include "uapi/shim/path.h"
#include "uapi/shim/status_flags.h"
#include "uapi/shim/uncancelled.h"

namespace pantry::shim {
namespace {

PANTRY_REAL(int, openat, int, const char*, int, ...)
PANTRY_REAL(FILE*, fopen, const char*, const char*)
PANTRY_REAL(FILE*, freopen, const char*, const char*, FILE*)

int fail(int error) {
  errno = error;
  return -1;
}

// The host does not serve it: of a file, there is none on this minor.
int fail_to_connect(wire::Socket socket) {
  if (is_text(socket) && errno == ENODEV) errno = ENOENT;
  return -1;
}

// A file whose text the host makes when it is opened.
int open_text(wire::Socket socket, int flags) {
  if ((flags & O_ACCMODE) != O_RDONLY) return fail(EACCES);
  const int connection = connect_to_host(socket, OnExec::kClose);
  if (connection < 0) return fail_to_connect(socket);
  const int text = ask_text(connection, wire::Text::kWhole);
  close(connection);
  if (text < 0) return fail(ENOMEM);
  return reopen(text, flags & ~(O_CREAT | O_TRUNC | O_EXCL | O_NOFOLLOW));
}

// Whether the permissions that chmod() gave it let this user open it so.
bool may_open(wire::Socket socket, int flags) {
  const int mode = flags & O_ACCMODE;
  const int wanted = (mode == O_WRONLY ? 0 : R_OK) | (mode == O_RDONLY ? 0 : W_OK);
  return faccessat(AT_FDCWD, name_of(socket), wanted, AT_EACCESS) == 0 || errno != EACCES;
}

int open_device(wire::Socket socket, int flags) {
  const Uncancelled whole;
  // It is there already.
  if ((flags & O_CREAT) != 0 && (flags & O_EXCL) != 0) return fail(EEXIST);
  if (!may_open(socket, flags)) return -1;
  const bool reads = (flags & O_ACCMODE) == O_RDONLY;
  if (is_text(socket) && (reads || socket != wire::Socket::kProfiling))
    return open_text(socket, flags);
  if ((flags & O_EXCL) != 0 && is_device(socket)) return fail(EBUSY);
  if ((flags & O_DIRECTORY) != 0) return fail(ENOTDIR);
  if ((flags & O_DIRECT) != 0) return fail(EINVAL);
  const int saved = errno;
  const int fd = connect_to_host(socket, (flags & O_CLOEXEC) != 0 ? OnExec::kClose : OnExec::kKeep);
  if (fd < 0) return fail_to_connect(socket);
  // Without it the host has turned this client away, for want of descriptors.
  wire::Hello hello = {};
  if (!receive_hello(fd, hello)) {
    close(fd);
    return fail(hello.error != 0 ? static_cast<int>(-hello.error) : ENFILE);
  }
  wire::note_access_mode(fd, flags & O_ACCMODE);
  constexpr int kStatus = O_NONBLOCK | O_ASYNC | O_APPEND;
  if ((flags & kStatus) != 0) fcntl(fd, F_SETFL, flags & kStatus);
  errno = saved;
  return fd;
}

// The file of the device's that opening `path` opens: by its name, or by that of a descriptor.
wire::Socket file_at(int directory_fd, const char* path) {
  const wire::Socket node = node_of(directory_fd, path);
  const int fd = node == kForeign ? descriptor_followed_to(directory_fd, path) : -1;
  if (fd < 0) return node;
  const wire::Socket socket = socket_of(fd);
  return is_device(socket) || socket == wire::Socket::kSwSync ? socket : kForeign;
}

int open_path(int directory_fd, const char* path, int flags, mode_t mode) {
  if (!directory() || !is_readable(path)) return real_openat(directory_fd, path, flags, mode);
  if (const wire::Socket file = file_at(directory_fd, path); file != kForeign)
    return open_device(file, flags);
  if (const int shown = descriptor_of_fdinfo(directory_fd, path); shown >= 0)
    if (const wire::Socket socket = socket_of(shown); has_fdinfo(socket))
      return with_fdinfo(shown, real_openat(directory_fd, path, flags, mode));
  const Path translated(directory_fd, path);
  const int saved = errno;
  const int fd = real_openat(directory_fd, translated.get(), flags, mode);
  // The placeholder of a device node cannot be opened.
  if (fd < 0 && errno == ENXIO && path[0] != '/')
    if (const wire::Socket node = node_in(directory_fd, path); node != kForeign) {
      errno = saved;
      return open_device(node, flags);
    }
  return fd;
}

// Of fopen's, as far as they matter here.
int flags_of(const char* mode) {
  const int access = strchr(mode, '+') ? O_RDWR : mode[0] == 'r' ? O_RDONLY : O_WRONLY;
  return access | (mode[0] != 'r' ? O_CREAT : 0) | (strchr(mode, 'x') ? O_EXCL : 0) |
         (strchr(mode, 'e') ? O_CLOEXEC : 0);
}

FILE* open_device(wire::Socket socket, const char* mode) {
  const int fd = open_device(socket, flags_of(mode));
  return fd < 0 ? nullptr : fdopen(fd, mode);
}

// The same stream on another file, which is closed.
void put_under(FILE* stream, int file) {
  const int number = fileno(stream);
  dup3(file, number, (fcntl(number, F_GETFD) & FD_CLOEXEC) != 0 ? O_CLOEXEC : 0);
  close(file);
}

// A stream on the fdinfo of `shown`, if that is one of ours, has the host's lines too.
FILE* complete_fdinfo(FILE* stream, int shown) {
  if (!stream || shown < 0 || !has_fdinfo(socket_of(shown))) return stream;
  const int whole = with_fdinfo(shown, fcntl(fileno(stream), F_DUPFD_CLOEXEC, 0));
  if (whole >= 0) put_under(stream, whole);
  return stream;
}

FILE* open_stream(const char* path, const char* mode) {
  if (!directory() || !is_readable(path)) return real_fopen(path, mode);
  if (const wire::Socket file = file_at(AT_FDCWD, path); file != kForeign)
    return open_device(file, mode);
  const int saved = errno;
  FILE* const stream = real_fopen(Path(path).get(), mode);
  // As in open_path().
  if (!stream && errno == ENXIO && path[0] != '/')
    if (const wire::Socket file = node_in(AT_FDCWD, path); file != kForeign) {
      errno = saved;
      return open_device(file, mode);
    }
  return complete_fdinfo(stream, descriptor_of_fdinfo(AT_FDCWD, path));
}

FILE* reopen_stream(const char* path, const char* mode, FILE* stream) {
  if (!directory() || !path || !is_readable(path)) return real_freopen(path, mode, stream);
  if (const wire::Socket file = file_at(AT_FDCWD, path); file != kForeign) {
    const int fd = open_device(file, flags_of(mode));
    const int error = errno;
    // Closed it is in any case.
    FILE* const reopened = real_freopen(fd < 0 ? "" : "/dev/null", mode, stream);
    if (reopened) put_under(reopened, fd);
    if (!reopened && fd >= 0) close(fd);
    errno = error;
    return reopened;
  }
  return complete_fdinfo(real_freopen(Path(path).get(), mode, stream),
                         descriptor_of_fdinfo(AT_FDCWD, path));
}

mode_t mode_of(int flags, va_list list) {
  return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(list, mode_t) : 0;
}

}  // namespace

#define PANTRY_OPEN(symbol)                                                             \
  extern "C" int shim_##symbol(const char* path, int flags, ...) PANTRY_EXPORT(symbol); \
  extern "C" int shim_##symbol(const char* path, int flags, ...) {                      \
    va_list list;                                                                       \
    va_start(list, flags);                                                              \
    const mode_t mode = mode_of(flags, list);                                           \
    va_end(list);                                                                       \
    return open_path(AT_FDCWD, path, flags, mode);                                      \
  }
PANTRY_OPEN(open)
PANTRY_OPEN(open64)
PANTRY_OPEN(__open)
PANTRY_OPEN(__open64)

#define PANTRY_OPENAT(symbol)                                                                   \
  extern "C" int shim_##symbol(int at, const char* path, int flags, ...) PANTRY_EXPORT(symbol); \
  extern "C" int shim_##symbol(int at, const char* path, int flags, ...) {                      \
    va_list list;                                                                               \
    va_start(list, flags);                                                                      \
    const mode_t mode = mode_of(flags, list);                                                   \
    va_end(list);                                                                               \
    return open_path(at, path, flags, mode);                                                    \
  }
PANTRY_OPENAT(openat)
PANTRY_OPENAT(openat64)

extern "C" int shim___open_2(const char* path, int flags) PANTRY_EXPORT(__open_2);
extern "C" int shim___open_2(const char* path, int flags) {
  return open_path(AT_FDCWD, path, flags, 0);
}
extern "C" int shim___open64_2(const char* path, int flags) PANTRY_EXPORT(__open64_2);
extern "C" int shim___open64_2(const char* path, int flags) {
  return open_path(AT_FDCWD, path, flags, 0);
}
extern "C" int shim___openat_2(int at, const char* path, int flags) PANTRY_EXPORT(__openat_2);
extern "C" int shim___openat_2(int at, const char* path, int flags) {
  return open_path(at, path, flags, 0);
}
extern "C" int shim___openat64_2(int at, const char* path, int flags) PANTRY_EXPORT(__openat64_2);
extern "C" int shim___openat64_2(int at, const char* path, int flags) {
  return open_path(at, path, flags, 0);
}

extern "C" int shim_creat(const char* path, mode_t mode) PANTRY_EXPORT(creat);
extern "C" int shim_creat(const char* path, mode_t mode) {
  return open_path(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}
extern "C" int shim_creat64(const char* path, mode_t mode) PANTRY_EXPORT(creat64);
extern "C" int shim_creat64(const char* path, mode_t mode) {
  return open_path(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

extern "C" FILE* shim_fopen(const char* path, const char* mode) PANTRY_EXPORT(fopen);
extern "C" FILE* shim_fopen(const char* path, const char* mode) { return open_stream(path, mode); }
extern "C" FILE* shim_fopen64(const char* path, const char* mode) PANTRY_EXPORT(fopen64);
extern "C" FILE* shim_fopen64(const char* path, const char* mode) {
  return open_stream(path, mode);
}
extern "C" FILE* shim_freopen(const char* path, const char* mode, FILE* file)
    PANTRY_EXPORT(freopen);
extern "C" FILE* shim_freopen(const char* path, const char* mode, FILE* file) {
  return reopen_stream(path, mode, file);
}
extern "C" FILE* shim_freopen64(const char* path, const char* mode, FILE* file)
    PANTRY_EXPORT(freopen64);
extern "C" FILE* shim_freopen64(const char* path, const char* mode, FILE* file) {
  return reopen_stream(path, mode, file);
}

}  // namespace pantry::shim
