// SPDX-License-Identifier: MIT
//
// The connection over which the calling thread gets its replies. Made at the thread's first
// request, put at a high descriptor number out of the client's way, closed when the thread ends. A
// client that closes descriptors it does not know (closefrom, close_range) may close it, and may be
// given the number for something else: so the socket cookie is compared before each use, and a lost
// channel is made anew. A forked child makes its own; one of vfork(), which shares its parent's
// memory but not its descriptors, makes one for each request and leaves its parent's alone.
#pragma once

#include <stdint.h>

#include "uapi/server/polling.h"

namespace pantry::shim {

struct Channel {
  int fd = -1;
  int pid = 0;
  uint64_t cookie = 0;
  uint64_t id = 0;
  uint64_t host_processor = 0;  // that the last answer came from, if there was one
  wire::Polling polling;
  // Set while a request waits: a signal handler that makes a request meanwhile uses a channel of
  // its own.
  enum class Use { kFree, kBusy } use = Use::kFree;
  const void* holder = nullptr;  // kBusy: the lease, on the thread's stack
};

// Whether this process is the one whose memory this is: a child of vfork() is not.
bool owns_memory();
// Which socket `fd` is, of all that there ever were; 0: none.
uint64_t cookie_of(int fd);
// A number for a descriptor of the shim's own, close-on-exec, where a client is not surprised by
// it. Takes `fd` over, and returns it when there is no such number.
int move_out_of_the_way(int fd);

// Holds a channel for one request.
class ChannelLease {
 public:
  ChannelLease();
  ~ChannelLease();
  ChannelLease(const ChannelLease&) = delete;
  ChannelLease& operator=(const ChannelLease&) = delete;

  // False: errno says why (ENODEV: no host).
  bool ok() const { return channel_->fd >= 0; }
  int fd() const { return channel_->fd; }
  uint64_t id() const { return channel_->id; }
  // For the one request.
  Channel& operator*() { return *channel_; }

 private:
  Channel own_;
  Channel* channel_;
};

}  // namespace pantry::shim
