// SPDX-License-Identifier: MIT
//
// mmap() of a device node or dma-buf: the host answers with the memfd to map, and the kernel does
// the rest. lseek() of a dma-buf tells its size.
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "uapi/shim/host.h"
#include "uapi/shim/libc.h"
#include "uapi/shim/request.h"
#include "uapi/shim/status_flags.h"
#include "uapi/shim/uncancelled.h"

namespace pantry::shim {
namespace {

PANTRY_REAL(void*, mmap, void*, size_t, int, int, int, off_t)

PANTRY_REAL(off_t, lseek, int, off_t, int)

bool can_be_mapped(wire::Socket socket) {
  return is_device(socket) || socket == wire::Socket::kDmaBuf;
}

off_t seek(int fd, off_t offset, int whence) {
  const int saved = errno;
  const off_t result = real_lseek(fd, offset, whence);
  if (result >= 0 || errno != ESPIPE) return result;
  const wire::Socket socket = socket_of(fd);
  if (is_device(socket)) {  // has no position, and is not to be asked for one
    errno = saved;
    return 0;
  }
  if (socket != wire::Socket::kDmaBuf) return result;
  errno = EINVAL;
  if (offset != 0 || (whence != SEEK_SET && whence != SEEK_END)) return -1;
  errno = saved;
  if (whence == SEEK_SET) return 0;
  wire::Request request = {};
  request.ask = wire::Ask::kSize;
  const Answer answer = ask_host(fd, request, -1);
  if (answer.result == 0) return static_cast<off_t>(answer.reply.value);
  errno = -answer.result;
  return -1;
}

void* fail(int error) {
  errno = error;
  return MAP_FAILED;
}

}  // namespace

extern "C" void* shim_mmap(void* address, size_t length, int protection, int flags, int fd,
                           off_t offset) PANTRY_EXPORT(mmap);
extern "C" void* shim_mmap64(void* address, size_t length, int protection, int flags, int fd,
                             off_t offset) PANTRY_EXPORT(mmap64);

extern "C" void* shim_mmap(void* address, size_t length, int protection, int flags, int fd,
                           off_t offset) {
  const wire::Socket socket = (flags & MAP_ANONYMOUS) != 0 ? kForeign : socket_of(fd);
  if (!can_be_mapped(socket)) return real_mmap(address, length, protection, flags, fd, offset);
  if (length == 0 || (offset & 0xfff) != 0) return fail(EINVAL);
  const int mode = access_mode_of(fd, socket);
  const bool writes = (flags & MAP_TYPE) != MAP_PRIVATE && (protection & PROT_WRITE) != 0;
  if (!allows_read(mode) || (writes && !allows_write(mode))) return fail(EACCES);
  wire::Request request = {};
  request.ask = wire::Ask::kMmap;
  request.argument = static_cast<uint64_t>(offset);
  request.length = length;
  request.protection = protection;
  request.flags = flags;
  Answer answer = ask_host(fd, request, -1);
  const Uncancelled whole;
  if (answer.result != 0) {
    if (answer.fd >= 0) close(answer.fd);
    return fail(-answer.result);
  }
  // So that mprotect() cannot add what mmap() may not.
  if (mode == O_RDONLY) answer.fd = reopen(answer.fd, O_RDONLY | O_CLOEXEC);
  if (answer.fd < 0) return fail(ENOMEM);
  void* const mapping = real_mmap(address, length, protection, flags, answer.fd,
                                  static_cast<off_t>(answer.reply.value));
  const int error = errno;
  close(answer.fd);
  if (mapping != MAP_FAILED && answer.reply.on_fork == wire::Reply::OnFork::kLeaveOut)
    madvise(mapping, length, MADV_DONTFORK);
  errno = error;
  return mapping;
}

extern "C" void* shim_mmap64(void* address, size_t length, int protection, int flags, int fd,
                             off_t offset) {
  return shim_mmap(address, length, protection, flags, fd, offset);
}

extern "C" off_t shim_lseek(int fd, off_t offset, int whence) PANTRY_EXPORT(lseek);
extern "C" off_t shim_lseek(int fd, off_t offset, int whence) { return seek(fd, offset, whence); }
extern "C" off_t shim_lseek64(int fd, off_t offset, int whence) PANTRY_EXPORT(lseek64);
extern "C" off_t shim_lseek64(int fd, off_t offset, int whence) { return seek(fd, offset, whence); }

}  // namespace pantry::shim
