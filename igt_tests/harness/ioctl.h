// SPDX-License-Identifier: MIT
//
// How tests talk to the device: do_ioctl() and do_ioctl_err() go through igt_ioctl, a per-thread
// function pointer. It is drmIoctl by default, which repeats on EINTR and EAGAIN; inside
// igt_while_interruptible(true) it is one that interrupts each call by a signal at growing
// distances until a whole pass ran without an interruption, so that every wait in the driver is
// proven to be restartable.
#pragma once

#include "igt_tests/harness/outcome.h"

namespace igt {

using IoctlFunction = int (*)(int fd, unsigned long request, void* argument);

extern thread_local IoctlFunction igt_ioctl;

// 0, or the errno of the failed call.
int ioctl_errno(int fd, unsigned long request, void* argument);

void do_ioctl_at(Place place, const char* name, int fd, unsigned long request, void* argument);
void do_ioctl_err_at(Place place, const char* name, int fd, unsigned long request, void* argument,
                     int expected_errno);

// One use of igt_while_interruptible: next() says whether the block runs (again).
class InterruptibleLoop {
 public:
  explicit InterruptibleLoop(bool enable);
  ~InterruptibleLoop();
  InterruptibleLoop(const InterruptibleLoop&) = delete;
  InterruptibleLoop& operator=(const InterruptibleLoop&) = delete;

  bool next();

 private:
  bool enabled_;
  int passes_ = 0;
};

}  // namespace igt

#define do_ioctl(fd, request, argument) \
  ::igt::do_ioctl_at(IGT_PLACE, #request, (fd), (request), (argument))
#define do_ioctl_err(fd, request, argument, expected_errno) \
  ::igt::do_ioctl_err_at(IGT_PLACE, #request, (fd), (request), (argument), (expected_errno))
#define igt_while_interruptible(enable) \
  for (::igt::InterruptibleLoop igt_loop(enable); igt_loop.next();)
