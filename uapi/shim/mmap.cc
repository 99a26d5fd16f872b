// SPDX-License-Identifier: MIT
//
// mmap() of a device node: the host answers with the memfd behind the offset, and the kernel does the rest.
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "uapi/shim/host.h"
#include "uapi/shim/libc.h"
#include "uapi/shim/request.h"

namespace pantry::shim {
namespace {

PANTRY_REAL(void*, mmap, void*, size_t, int, int, int, off_t)

void* fail(int error) {
  errno = error;
  return MAP_FAILED;
}

}  // namespace

extern "C" void* shim_mmap(void* address, size_t length, int protection, int flags, int fd, off_t offset) PANTRY_EXPORT(mmap);
extern "C" void* shim_mmap64(void* address, size_t length, int protection, int flags, int fd, off_t offset)
    PANTRY_EXPORT(mmap64);

extern "C" void* shim_mmap(void* address, size_t length, int protection, int flags, int fd, off_t offset) {
  if ((flags & MAP_ANONYMOUS) != 0 || !is_device(socket_of(fd)))
    return real_mmap(address, length, protection, flags, fd, offset);
  if (length == 0 || (offset & 0xfff) != 0) return fail(EINVAL);
  wire::Request request = {};
  request.ask = wire::Ask::kMmap;
  request.argument = static_cast<uint64_t>(offset);
  request.length = length;
  request.protection = protection;
  request.flags = flags;
  const Answer answer = ask_host(fd, request, -1);
  if (answer.result != 0) {
    if (answer.fd >= 0) close(answer.fd);
    return fail(-answer.result);
  }
  void* const mapping = real_mmap(address, length, protection, flags, answer.fd, 0);
  const int error = errno;
  close(answer.fd);
  errno = error;
  return mapping;
}

extern "C" void* shim_mmap64(void* address, size_t length, int protection, int flags, int fd, off_t offset) {
  return shim_mmap(address, length, protection, flags, fd, offset);
}

}  // namespace pantry::shim
