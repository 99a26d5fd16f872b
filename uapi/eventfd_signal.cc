// SPDX-License-Identifier: MIT
#include "uapi/eventfd_signal.h"

#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "base/mutex.h"
#include "base/trace_ring.h"
#include "driver/gem/backing.h"

namespace pantry::uapi {
namespace {

// The kernel adds one to an eventfd by itself when a request of its asynchronous I/O is done. The
// request is one that is done at once: reading the end of /dev/null.
class Signaller {
 public:
  // Takes no lock: no simulated thread may be switched away while the compiler's guard of the
  // variable is held.
  Signaller() : nothing_(::open("/dev/null", O_RDONLY | O_CLOEXEC)) {
    if (::syscall(SYS_io_setup, 1, &context_) != 0) context_ = 0;
  }

  bool signal(int eventfd) {
    MutexLock lock(mutex_);
    if (context_ == 0 || !nothing_) return false;
    char byte = 0;
    iocb request{};
    request.aio_fildes = static_cast<std::uint32_t>(nothing_.get());
    request.aio_lio_opcode = IOCB_CMD_PREAD;
    request.aio_buf = reinterpret_cast<std::uint64_t>(&byte);
    request.aio_nbytes = 1;
    request.aio_flags = IOCB_FLAG_RESFD;
    request.aio_resfd = static_cast<std::uint32_t>(eventfd);
    iocb* const requests[] = {&request};
    if (::syscall(SYS_io_submit, context_, 1, requests) != 1) return false;
    io_event done{};
    while (::syscall(SYS_io_getevents, context_, 1, 1, &done, nullptr) < 0 && errno == EINTR) {
    }
    return true;
  }

 private:
  const driver::OwnedFd nothing_;
  Mutex mutex_;
  aio_context_t context_ PANTRY_GUARDED_BY(mutex_) = 0;
};

// Never destroyed: the last events come when the process is about to end.
Signaller& the_signaller() {
  static Signaller& signaller = *new Signaller;
  return signaller;
}

}  // namespace

void prepare_eventfd_signals() { the_signaller(); }

void signal_eventfd(int eventfd) noexcept {
  if (the_signaller().signal(eventfd)) return;
  // A kernel without asynchronous I/O. A counter that is full is readable anyway.
  pollfd writable{eventfd, POLLOUT, 0};
  if (::poll(&writable, 1, 0) != 1) return;
  const std::uint64_t one = 1;
  if (::write(eventfd, &one, sizeof one) != sizeof one)
    trace_ring().trace("uapi: an eventfd cannot be written", static_cast<std::uint64_t>(errno), 0);
}

}  // namespace pantry::uapi
