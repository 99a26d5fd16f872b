// SPDX-License-Identifier: MIT
//
// write() and its kin: into an attribute of the device's, and the EINVAL of files that take none.
// A process that has not been seen to hold a descriptor of ours pays one load and a jump. What libc
// writes by itself (stdio) does not come by here: the host takes it for an attribute, without an
// errno, and ignores the rest.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "uapi/shim/host.h"
#include "uapi/shim/libc.h"
#include "uapi/shim/request.h"

namespace pantry::shim {
namespace {

PANTRY_REAL(ssize_t, write, int, const void*, size_t)
PANTRY_REAL(ssize_t, writev, int, const iovec*, int)
PANTRY_REAL(ssize_t, pwrite, int, const void*, size_t, off_t)

// dlsym is not for signal handlers, write() is: looked up before there are any.
__attribute__((constructor)) void look_up() {
  real(write_slot, "write");
  real(writev_slot, "writev");
  real(pwrite_slot, "pwrite");
}

ssize_t fail(int error) {
  errno = error;
  return -1;
}

// No write() of theirs.
bool takes_none(wire::Socket socket) {
  return is_device(socket) || socket == wire::Socket::kDmaBuf || socket == wire::Socket::kSwSync;
}

// As sysfs: at any place it is the whole that is stored.
ssize_t store(int fd, const void* text, size_t size) {
  if (size == 0) return 0;
  wire::Request request = {};
  request.ask = wire::Ask::kStore;
  request.argument = reinterpret_cast<uint64_t>(text);
  request.length = size;
  const Answer answer = ask_host(fd, request, -1);
  return answer.result == 0 ? static_cast<ssize_t>(answer.reply.value) : fail(-answer.result);
}

enum class Kind { kForeign, kStored, kRefused, kReadOnly };
Kind kind_of(int fd) {
  const wire::Socket socket = socket_of(fd);
  if (socket == kForeign) return Kind::kForeign;
  if (!allows_write(access_mode_of(fd, socket))) return Kind::kReadOnly;
  if (socket == wire::Socket::kProfiling) return Kind::kStored;
  return takes_none(socket) ? Kind::kRefused : Kind::kForeign;
}

ssize_t write_to(Kind kind, int fd, const void* text, size_t size) {
  if (kind == Kind::kReadOnly) return fail(EBADF);
  return kind == Kind::kRefused ? fail(EINVAL) : store(fd, text, size);
}

ssize_t write_any(int fd, const void* text, size_t size) {
  if (!may_hold_descriptors()) return real_write(fd, text, size);
  const Kind kind = kind_of(fd);
  return kind == Kind::kForeign ? real_write(fd, text, size) : write_to(kind, fd, text, size);
}

ssize_t pwrite_any(int fd, const void* text, size_t size, off_t offset) {
  if (!may_hold_descriptors()) return real_pwrite(fd, text, size, offset);
  const Kind kind = kind_of(fd);
  return kind == Kind::kForeign ? real_pwrite(fd, text, size, offset)
                                : write_to(kind, fd, text, size);
}

// Piece by piece, as the kernel does for files without a vectored write.
ssize_t writev_any(int fd, const iovec* pieces, int count) {
  if (!may_hold_descriptors()) return real_writev(fd, pieces, count);
  const Kind kind = kind_of(fd);
  if (kind == Kind::kForeign) return real_writev(fd, pieces, count);
  if (kind != Kind::kStored) return write_to(kind, fd, nullptr, 0);
  ssize_t total = 0;
  for (int i = 0; i < count; ++i) {
    const ssize_t stored = store(fd, pieces[i].iov_base, pieces[i].iov_len);
    if (stored < 0) return total != 0 ? total : stored;
    total += stored;
  }
  return total;
}

}  // namespace

#define PANTRY_WRITE(symbol)                                                                     \
  extern "C" ssize_t shim_##symbol(int fd, const void* text, size_t size) PANTRY_EXPORT(symbol); \
  extern "C" ssize_t shim_##symbol(int fd, const void* text, size_t size) {                      \
    return write_any(fd, text, size);                                                            \
  }
PANTRY_WRITE(write)
PANTRY_WRITE(__write)

#define PANTRY_PWRITE(symbol)                                                             \
  extern "C" ssize_t shim_##symbol(int fd, const void* text, size_t size, off_t offset)   \
      PANTRY_EXPORT(symbol);                                                              \
  extern "C" ssize_t shim_##symbol(int fd, const void* text, size_t size, off_t offset) { \
    return pwrite_any(fd, text, size, offset);                                            \
  }
PANTRY_PWRITE(pwrite)
PANTRY_PWRITE(pwrite64)

extern "C" ssize_t shim_writev(int fd, const iovec* pieces, int count) PANTRY_EXPORT(writev);
extern "C" ssize_t shim_writev(int fd, const iovec* pieces, int count) {
  return writev_any(fd, pieces, count);
}

}  // namespace pantry::shim
