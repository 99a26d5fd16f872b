// SPDX-License-Identifier: MIT
//
// read() and its kin: the EBADF of what was opened for writing only, and the EINVAL of files that
// have nothing to read, which as sockets would wait. A device node has events, none ever of this
// driver's: its read() waits or, O_NONBLOCK, says EAGAIN, as that of the socket, but also for
// nothing. A process that has not been seen to hold a descriptor of ours pays one load and a jump.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "uapi/shim/host.h"
#include "uapi/shim/libc.h"

namespace pantry::shim {
namespace {

PANTRY_REAL(ssize_t, read, int, void*, size_t)
PANTRY_REAL(ssize_t, readv, int, const iovec*, int)
PANTRY_REAL(ssize_t, pread, int, void*, size_t, off_t)

// dlsym is not for signal handlers, read() is: looked up before there are any.
__attribute__((constructor)) void look_up() {
  real(read_slot, "read");
  real(readv_slot, "readv");
  real(pread_slot, "pread");
}

bool cannot_be_read(wire::Socket socket) {
  return socket == wire::Socket::kDmaBuf || socket == wire::Socket::kSyncFile ||
         socket == wire::Socket::kSyncobj || socket == wire::Socket::kSwSync;
}

// What the kernel says of a read() of `fd` that reads nothing: 0 when it is to be tried.
int refusal(int fd, wire::Socket socket) {
  const bool readless = cannot_be_read(socket);
  if ((readless || is_device(socket)) && !allows_read(access_mode_of(fd, socket))) return EBADF;
  return readless ? EINVAL : 0;
}

bool refuses(int fd) {
  if (!may_hold_descriptors()) return false;
  const int error = refusal(fd, socket_of(fd));
  if (error != 0) errno = error;
  return error != 0;
}

bool is_node(int fd) { return may_hold_descriptors() && is_device(socket_of(fd)); }

// A socket would not wait where there is no room.
ssize_t read_events(int fd, void* buffer, size_t size) {
  char event;
  return size == 0 ? real_read(fd, &event, 1) : real_read(fd, buffer, size);
}

ssize_t read_any(int fd, void* buffer, size_t size) {
  if (refuses(fd)) return -1;
  return size == 0 && is_node(fd) ? read_events(fd, buffer, size) : real_read(fd, buffer, size);
}

// A device node takes no notice of the offset.
ssize_t pread_any(int fd, void* buffer, size_t size, off_t offset) {
  if (refuses(fd)) return -1;
  return is_node(fd) && offset >= 0 ? read_events(fd, buffer, size)
                                    : real_pread(fd, buffer, size, offset);
}

}  // namespace

#define PANTRY_READ(symbol)                                                                  \
  extern "C" ssize_t shim_##symbol(int fd, void* buffer, size_t size) PANTRY_EXPORT(symbol); \
  extern "C" ssize_t shim_##symbol(int fd, void* buffer, size_t size) {                      \
    return read_any(fd, buffer, size);                                                       \
  }
PANTRY_READ(read)
PANTRY_READ(__read)

#define PANTRY_PREAD(symbol)                                                          \
  extern "C" ssize_t shim_##symbol(int fd, void* buffer, size_t size, off_t offset)   \
      PANTRY_EXPORT(symbol);                                                          \
  extern "C" ssize_t shim_##symbol(int fd, void* buffer, size_t size, off_t offset) { \
    return pread_any(fd, buffer, size, offset);                                       \
  }
PANTRY_PREAD(pread)
PANTRY_PREAD(pread64)

// The checked forms also get the true size of the buffer.
extern "C" ssize_t shim___read_chk(int fd, void* buffer, size_t size, size_t room)
    PANTRY_EXPORT(__read_chk);
extern "C" ssize_t shim___read_chk(int fd, void* buffer, size_t size, size_t room) {
  if (size > room) abort();
  return read_any(fd, buffer, size);
}
#define PANTRY_PREAD_CHK(symbol)                                                                   \
  extern "C" ssize_t shim_##symbol(int fd, void* buffer, size_t size, off_t offset, size_t room)   \
      PANTRY_EXPORT(symbol);                                                                       \
  extern "C" ssize_t shim_##symbol(int fd, void* buffer, size_t size, off_t offset, size_t room) { \
    if (size > room) abort();                                                                      \
    return pread_any(fd, buffer, size, offset);                                                    \
  }
PANTRY_PREAD_CHK(__pread_chk)
PANTRY_PREAD_CHK(__pread64_chk)

extern "C" ssize_t shim_readv(int fd, const iovec* pieces, int count) PANTRY_EXPORT(readv);
extern "C" ssize_t shim_readv(int fd, const iovec* pieces, int count) {
  return refuses(fd) ? -1 : real_readv(fd, pieces, count);
}

}  // namespace pantry::shim
