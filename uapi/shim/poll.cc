// SPDX-License-Identifier: MIT
//
// poll() and ppoll() with dma-bufs among the descriptors: readable once all writes are over,
// writable once all uses are (the fences that EXPORT_SYNC_FILE would hand out). A buffer's fences
// come and go, which the state of a socket cannot follow: as a socket it is always ready, so the
// kernel answers at once, and only what it finds ready is looked at. select() and epoll take it for
// ready.
#include <errno.h>
#include <linux/dma-buf.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "uapi/shim/host.h"
#include "uapi/shim/libc.h"
#include "uapi/shim/request.h"

namespace pantry::shim {
namespace {

PANTRY_REAL(int, poll, pollfd*, nfds_t, int)
PANTRY_REAL(int, ppoll, pollfd*, nfds_t, const timespec*, const sigset_t*)
PANTRY_REAL(int, __poll_chk, pollfd*, nfds_t, int, size_t)
PANTRY_REAL(int, __ppoll_chk, pollfd*, nfds_t, const timespec*, const sigset_t*, size_t)

constexpr short kData = POLLIN | POLLOUT;

int64_t now_ns() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

// When to give up.
class Deadline {
 public:
  explicit Deadline(const timespec* timeout) : limited_(timeout != nullptr) {
    if (!limited_) return;
    const int64_t now = now_ns();
    int64_t ns = 0;
    if (__builtin_mul_overflow(int64_t{timeout->tv_sec}, int64_t{1000000000}, &ns) ||
        __builtin_add_overflow(ns, int64_t{timeout->tv_nsec}, &ns) ||
        __builtin_add_overflow(ns, now, &end_))
      limited_ = false;
  }
  // What is left for the next wait; null: any time.
  const timespec* left() {
    if (!limited_) return nullptr;
    const int64_t ns = end_ - now_ns();
    left_ = {ns > 0 ? ns / 1000000000 : 0, ns > 0 ? ns % 1000000000 : 0};
    return &left_;
  }
  bool is_over() const { return limited_ && end_ <= now_ns(); }

 private:
  bool limited_;
  int64_t end_ = 0;
  timespec left_ = {};
};

// Of a dma-buf: which of `events` an access would not have to wait for. All, if the host cannot
// tell.
short ready_of(int fd, short events) {
  wire::Request request = {};
  request.ask = wire::Ask::kReady;
  const Answer answer = ask_host(fd, request, -1);
  if (answer.result != 0) return events & kData;
  short ready = 0;
  if ((answer.reply.value & wire::kReadable) != 0) ready |= POLLIN;
  if ((answer.reply.value & wire::kWritable) != 0) ready |= POLLOUT;
  return events & ready;
}

// Puts right what the kernel says of dma-bufs; returns how many descriptors are ready.
int correct(pollfd* fds, nfds_t count, int ready) {
  for (nfds_t i = 0; i < count; ++i) {
    pollfd& entry = fds[i];
    if ((entry.revents & kData) == 0 || socket_of(entry.fd) != wire::Socket::kDmaBuf) continue;
    entry.revents = ready_of(entry.fd, entry.events);
    if (entry.revents == 0) --ready;
  }
  return ready;
}

// A sync_file that becomes readable when the event is there; -1: the host has none to give.
int sync_file_for(int fd, short event) {
  dma_buf_export_sync_file args = {};
  args.flags = event == POLLIN ? DMA_BUF_SYNC_READ : DMA_BUF_SYNC_WRITE;
  wire::Request request = {};
  request.ask = wire::Ask::kIoctl;
  request.command = DMA_BUF_IOCTL_EXPORT_SYNC_FILE;
  request.argument = reinterpret_cast<uint64_t>(&args);
  const Answer answer = ask_host(fd, request, -1, sizeof args);
  if (answer.result == 0) return answer.fd;
  if (answer.fd >= 0) close(answer.fd);
  return -1;
}

// Waits until any of the descriptors, of which none was ready, may be. As ppoll().
int wait_for_change(const pollfd* fds, nfds_t count, const timespec* timeout,
                    const sigset_t* mask) {
  // Not from the heap: poll() may be called where that is locked.
  const size_t bytes = 3 * count * sizeof(pollfd);
  void* const room =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) {
    errno = ENOMEM;
    return -1;
  }
  auto* const all = static_cast<pollfd*>(room);
  nfds_t used = count;
  for (nfds_t i = 0; i < count; ++i) {
    all[i] = fds[i];
    if ((fds[i].events & kData) == 0 || socket_of(fds[i].fd) != wire::Socket::kDmaBuf) continue;
    all[i].fd = -1;
    constexpr short kEach[] = {POLLIN, POLLOUT};
    for (const short event : kEach)
      if ((fds[i].events & event) != 0) all[used++] = {sync_file_for(fds[i].fd, event), POLLIN, 0};
  }
  const int result = real_ppoll(all, used, timeout, mask);
  const int error = errno;
  for (nfds_t i = count; i < used; ++i)
    if (all[i].fd >= 0) close(all[i].fd);
  munmap(room, bytes);
  errno = error;
  return result;
}

int poll_all(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* mask) {
  if (!directory()) return real_ppoll(fds, count, timeout, mask);
  Deadline deadline(timeout);
  int result = real_ppoll(fds, count, timeout, mask);
  for (;;) {
    if (result <= 0) return result;
    const int ready = correct(fds, count, result);
    if (ready != 0 || deadline.is_over()) return ready;
    result = wait_for_change(fds, count, deadline.left(), mask);
    // A fence that has come in meanwhile counts as well.
    if (result > 0) result = real_ppoll(fds, count, deadline.left(), mask);
  }
}

int poll_milliseconds(pollfd* fds, nfds_t count, int timeout) {
  if (!directory()) return real_poll(fds, count, timeout);
  const timespec limit = {timeout / 1000, timeout % 1000 * 1000000L};
  return poll_all(fds, count, timeout < 0 ? nullptr : &limit, nullptr);
}

}  // namespace

extern "C" int shim_poll(pollfd* fds, nfds_t count, int timeout) PANTRY_EXPORT(poll);
extern "C" int shim_poll(pollfd* fds, nfds_t count, int timeout) {
  return poll_milliseconds(fds, count, timeout);
}

extern "C" int shim_ppoll(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* mask)
    PANTRY_EXPORT(ppoll);
extern "C" int shim_ppoll(pollfd* fds, nfds_t count, const timespec* timeout,
                          const sigset_t* mask) {
  return poll_all(fds, count, timeout, mask);
}

// What _FORTIFY_SOURCE makes of them; libc's own end the program when the array is too short.
extern "C" int shim_poll_chk(pollfd* fds, nfds_t count, int timeout, size_t bytes)
    PANTRY_EXPORT(__poll_chk);
extern "C" int shim_poll_chk(pollfd* fds, nfds_t count, int timeout, size_t bytes) {
  if (bytes / sizeof *fds < count) return real___poll_chk(fds, count, timeout, bytes);
  return poll_milliseconds(fds, count, timeout);
}

extern "C" int shim_ppoll_chk(pollfd* fds, nfds_t count, const timespec* timeout,
                              const sigset_t* mask, size_t bytes) PANTRY_EXPORT(__ppoll_chk);
extern "C" int shim_ppoll_chk(pollfd* fds, nfds_t count, const timespec* timeout,
                              const sigset_t* mask, size_t bytes) {
  if (bytes / sizeof *fds < count) return real___ppoll_chk(fds, count, timeout, mask, bytes);
  return poll_all(fds, count, timeout, mask);
}

}  // namespace pantry::shim
