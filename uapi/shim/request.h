// SPDX-License-Identifier: MIT
//
// One question to the host and its answer. Blocks as the system call that it stands for would; a
// signal whose handler was installed without SA_RESTART ends a waiting ioctl with EINTR, after the
// host has cancelled it.
#pragma once

#include "uapi/server/protocol.h"

namespace pantry::shim {

struct Answer {
  int result = 0;  // 0 or a negated errno: of the host, or ENODEV when it is gone, EMFILE when a
                   // descriptor had no room, EFAULT when the answer had none
  int fd = -1;     // close-on-exec; the caller's
  wire::Reply reply = {};
};

// `request`: ask and what goes with it; the rest is filled in here. `fd` is the descriptor asked
// about; `attached` goes along (-1: none), and of an ioctl `carried` bytes of its argument (at most
// wire::kMostCarried), into which the answer is written. A bad pointer is the host's to find.
// Keeps errno.
Answer ask_host(int fd, wire::Request request, int attached, unsigned carried = 0);

}  // namespace pantry::shim
