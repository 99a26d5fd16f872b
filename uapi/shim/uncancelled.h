// SPDX-License-Identifier: MIT
//
// Calls of libc that act on pthread_cancel(), inside of calls that do not, ioctl() and mmap() among
// them, or where the thread's end would leave something open or locked.
#pragma once

#include <pthread.h>

namespace pantry::shim {

// While it lives, a request to end the thread waits. Keeps errno.
class Uncancelled {
 public:
  Uncancelled() { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
  ~Uncancelled() { pthread_setcancelstate(before_, nullptr); }
  Uncancelled(const Uncancelled&) = delete;
  Uncancelled& operator=(const Uncancelled&) = delete;

 private:
  int before_ = PTHREAD_CANCEL_ENABLE;
};

}  // namespace pantry::shim
