// SPDX-License-Identifier: MIT
//
// ioctl() on device nodes, sync_files, dma-bufs and sw_sync.
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/sync_file.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "uapi/fd_field.h"
#include "uapi/shim/host.h"
#include "uapi/shim/libc.h"
#include "uapi/shim/request.h"
#include "uapi/shim/uncancelled.h"

namespace pantry::shim {
namespace {

PANTRY_REAL(int, ioctl, int, unsigned long, ...)

constexpr unsigned kDrmType = 'd';
constexpr unsigned kSyncFileType = '>';
constexpr unsigned kDmaBufType = 'b';
constexpr unsigned kSwSyncType = 'W';

// Where a descriptor goes into a command, as an offset in its argument; -1 where none does. The
// host knows the same.
int descriptor_offset(unsigned long command) {
  const unsigned type = _IOC_TYPE(command);
  const unsigned number = _IOC_NR(command);
  if (type == kDrmType && (number == 0x2e || number == 0xc2))
    return 8;                                         // PRIME_FD_TO_HANDLE, SYNCOBJ_FD_TO_HANDLE
  if (type == kDrmType && number == 0xcf) return 16;  // SYNCOBJ_EVENTFD
  if (type == kSyncFileType && number == _IOC_NR(SYNC_IOC_MERGE)) return 32;
  if (type == kDmaBufType && number == _IOC_NR(DMA_BUF_IOCTL_IMPORT_SYNC_FILE)) return 4;
  return -1;
}

// The client's pointer may be bad; the host will find that out too and answer EFAULT. By the number
// of this thread: that of the process has no memory once its first thread has ended.
int descriptor_in(unsigned long command, const void* argument, int offset) {
  int fd = 0;
  const unsigned bytes = uapi::fd_field_bytes(static_cast<uint32_t>(command), _IOC_WRITE,
                                              static_cast<unsigned>(offset));
  if (bytes == 0) return fd;
  iovec local = {&fd, bytes};
  iovec remote = {const_cast<char*>(static_cast<const char*>(argument)) + offset, bytes};
  if (process_vm_readv(gettid(), &local, 1, &remote, 1, 0) != static_cast<ssize_t>(bytes))
    return -1;
  return fd;
}

// `number_at` lies in the argument.
void store_descriptor(unsigned long command, const void* argument, uint64_t number_at, int fd) {
  const uint64_t offset = number_at - reinterpret_cast<uint64_t>(argument);
  memcpy(reinterpret_cast<void*>(number_at), &fd,
         uapi::fd_field_bytes(static_cast<uint32_t>(command), _IOC_READ, offset));
}

// How much of the argument goes with the question. What the command only reads out has nothing to
// tell the host.
unsigned carried_bytes(unsigned long command) {
  const unsigned size = _IOC_SIZE(command);
  return (_IOC_DIR(command) & _IOC_WRITE) != 0 && size <= wire::kMostCarried ? size : 0;
}

// O_PATH gives a name of a file, which stands for none where a call takes a file.
bool is_open_file(int fd) {
  const int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_PATH) == 0;
}

int fail(int error) {
  errno = error;
  return -1;
}

int ask(int fd, unsigned long command, void* argument) {
  wire::Request request = {};
  request.ask = wire::Ask::kIoctl;
  request.command = static_cast<uint32_t>(command);
  request.argument = reinterpret_cast<uint64_t>(argument);
  int attached = -1;
  if (const int offset = descriptor_offset(command); offset >= 0) {
    const int saved = errno;
    attached = descriptor_in(command, argument, offset);
    if (!is_open_file(attached)) attached = -1;
    request.fd_state = attached >= 0 ? wire::FdState::kAttached : wire::FdState::kBad;
    errno = saved;
  }
  const Answer answer = ask_host(fd, request, attached, carried_bytes(command));
  if (answer.fd >= 0) {
    const Uncancelled whole;
    if (answer.result != 0) {
      close(answer.fd);
    } else {
      if (answer.reply.fd == wire::Reply::Fd::kKeepOnExec) fcntl(answer.fd, F_SETFD, 0);
      store_descriptor(command, argument, answer.reply.number_at, answer.fd);
    }
  }
  return answer.result == 0 ? 0 : fail(-answer.result);
}

}  // namespace

extern "C" int shim_ioctl(int fd, unsigned long command, ...) PANTRY_EXPORT(ioctl);
extern "C" int shim_ioctl(int fd, unsigned long command, ...) {
  va_list list;
  va_start(list, command);
  void* const argument = va_arg(list, void*);
  va_end(list);
  const unsigned type = _IOC_TYPE(command);
  if (type != kDrmType && type != kSyncFileType && type != kDmaBufType && type != kSwSyncType)
    return real_ioctl(fd, command, argument);
  const wire::Socket socket = socket_of(fd);
  if (is_device(socket)) return ask(fd, command, argument);
  if (socket == wire::Socket::kSyncFile)
    return type == kSyncFileType ? ask(fd, command, argument) : fail(ENOTTY);
  if (socket == wire::Socket::kDmaBuf)
    return type == kDmaBufType ? ask(fd, command, argument) : fail(ENOTTY);
  if (socket == wire::Socket::kSwSync)
    return type == kSwSyncType ? ask(fd, command, argument) : fail(ENOTTY);
  if (socket != kForeign) return fail(ENOTTY);
  return real_ioctl(fd, command, argument);
}

}  // namespace pantry::shim
