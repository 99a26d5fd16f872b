// SPDX-License-Identifier: MIT
//
// poll() and ppoll() with descriptors of ours among the others.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "uapi/shim/host.h"
#include "uapi/shim/libc.h"
#include "uapi/shim/off_heap.h"
#include "uapi/shim/readiness.h"

namespace pantry::shim {
namespace {

PANTRY_REAL(int, poll, pollfd*, nfds_t, int)
PANTRY_REAL(int, ppoll, pollfd*, nfds_t, const timespec*, const sigset_t*)
PANTRY_REAL(int, __poll_chk, pollfd*, nfds_t, int, size_t)
PANTRY_REAL(int, __ppoll_chk, pollfd*, nfds_t, const timespec*, const sigset_t*, size_t)

// Puts right what the kernel says of dma-bufs; returns how many descriptors are ready.
int correct(pollfd* fds, nfds_t count, int ready) {
  for (nfds_t i = 0; i < count; ++i) {
    pollfd& entry = fds[i];
    if (entry.revents == 0) continue;
    const wire::Socket socket = socket_of(entry.fd);
    if (socket != wire::Socket::kDmaBuf)
      entry.revents = static_cast<short>(events_of(socket, static_cast<uint32_t>(entry.revents)));
    else if ((entry.revents & kData) != 0)
      entry.revents =
          static_cast<short>(ready_of_dma_buf(entry.fd, static_cast<uint32_t>(entry.events)));
    if (entry.revents == 0) --ready;
  }
  return ready;
}

// Waits until any of the descriptors, of which none was ready, may be. As ppoll().
int wait_for_change(const pollfd* fds, nfds_t count, const timespec* timeout,
                    const sigset_t* mask) {
  OffHeapArray<pollfd> all(3 * count);
  if (!all) return -1;
  nfds_t used = count;
  for (nfds_t i = 0; i < count; ++i) {
    all[i] = fds[i];
    const wire::Socket socket = socket_of(fds[i].fd);
    all[i].events = static_cast<short>(events_of(socket, static_cast<uint32_t>(fds[i].events)));
    if ((fds[i].events & kData) == 0 || socket != wire::Socket::kDmaBuf) continue;
    all[i].fd = -1;
    constexpr short kEach[] = {POLLIN, POLLOUT};
    for (const short event : kEach)
      if ((fds[i].events & event) != 0) all[used++] = {sync_file_for(fds[i].fd, event), POLLIN, 0};
  }
  const int result = real_ppoll(all.data(), used, timeout, mask);
  const int error = errno;
  for (nfds_t i = count; i < used; ++i)
    if (all[i].fd >= 0) close(all[i].fd);
  errno = error;
  return result;
}

}  // namespace

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

namespace {

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
