// SPDX-License-Identifier: MIT
//
// What a descriptor of ours is ready for, where the state of its socket says too much. A dma-buf is
// readable once all writes are over and writable once all uses are (the fences that
// EXPORT_SYNC_FILE would hand out), which come and go: its socket is always ready, so that the
// kernel answers at once and the host is asked. A sync_file is readable once it has signalled, a
// device node never (it has no events), and nobody waits to write to either.
#pragma once

#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <time.h>

#include "uapi/server/protocol.h"

namespace pantry::shim {

// The same numbers for poll() and for epoll.
inline constexpr uint32_t kData = POLLIN | POLLOUT;

// What is left of `events` of poll() or epoll where only the file behind the socket counts.
uint32_t events_of(wire::Socket socket, uint32_t events);
// Of a dma-buf: which of `events` an access would not have to wait for. All, if the host cannot
// tell.
uint32_t ready_of_dma_buf(int fd, uint32_t events);
// A sync_file that becomes readable when the event (POLLIN or POLLOUT) of a dma-buf is there,
// close-on-exec; -1: the host has none to give.
int sync_file_for(int fd, uint32_t event);

// When to give up.
class Deadline {
 public:
  explicit Deadline(const timespec* timeout);  // null: never
  // What is left for the next wait; null: any time.
  const timespec* left();
  bool is_over() const;

 private:
  bool limited_;
  int64_t end_ = 0;  // ns of CLOCK_MONOTONIC
  timespec left_ = {};
};

// ppoll() that knows all this.
int poll_all(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* mask);

}  // namespace pantry::shim
