// SPDX-License-Identifier: MIT
//
// F_GETFL: the flags that a file was opened with. Its socket has those that can change, and knows
// the access mode, as which sockets are always open for both.
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "uapi/shim/host.h"
#include "uapi/shim/libc.h"
#include "uapi/shim/status_flags.h"

namespace pantry::shim {
namespace {

PANTRY_REAL(int, fcntl, int, int, ...)

// O_LARGEFILE as the kernel has it, which sets it in all that a 64-bit process opens by a path;
// libc's is 0.
#ifdef __aarch64__
constexpr int kLargeFile = 0400000;
#else
constexpr int kLargeFile = 0100000;
#endif

// dlsym is not for signal handlers, fcntl() is: looked up before there are any.
__attribute__((constructor)) void look_up() { real(fcntl_slot, "fcntl"); }

int control(int fd, int command, void* argument) {
  const int result = real_fcntl(fd, command, argument);
  return command == F_GETFL && result >= 0 ? status_flags(fd, result) : result;
}

}  // namespace

int status_flags(int fd, int flags) {
  const wire::Socket socket = socket_of(fd);
  if (socket == kForeign || socket == wire::Socket::kChannel) return flags;
  const int by_path = is_device(socket) || is_plain_file(socket) ? kLargeFile : 0;
  return (flags & ~O_ACCMODE) | access_mode_of(fd, socket) | by_path;
}

int reopen(int fd, int flags) {
  char link[40];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const int again = static_cast<int>(syscall(SYS_openat, AT_FDCWD, link, flags));
  const int error = errno;
  close(fd);
  errno = error;
  return again;
}

extern "C" int shim_fcntl(int fd, int command, ...) PANTRY_EXPORT(fcntl);
extern "C" int shim_fcntl(int fd, int command, ...) {
  va_list list;
  va_start(list, command);
  void* const argument = va_arg(list, void*);
  va_end(list);
  return control(fd, command, argument);
}
extern "C" int shim_fcntl64(int fd, int command, ...) PANTRY_EXPORT(fcntl64);
extern "C" int shim_fcntl64(int fd, int command, ...) {
  va_list list;
  va_start(list, command);
  void* const argument = va_arg(list, void*);
  va_end(list);
  return control(fd, command, argument);
}

}  // namespace pantry::shim
