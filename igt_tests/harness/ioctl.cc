// SPDX-License-Identifier: MIT

#include "igt_tests/harness/ioctl.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <xf86drm.h>

#include <cerrno>
#include <cstring>

namespace igt {
namespace {

// The first interruption comes this long after the call; each hit doubles it for the rest of the
// pass.
constexpr long kFirstDelayNs = 2'000;
constexpr long kLongestDelayNs = 50'000'000;
// Passes of one loop: the first delay of pass n is kFirstDelayNs << n, so this ends beyond any
// call's length.
constexpr int kMaxPasses = 12;

struct Injector {
  timer_t timer{};
  long delay_ns = kFirstDelayNs;
  int hits = 0;
};

thread_local Injector injector;

int interruption_signal() { return SIGRTMIN + 1; }

void ignore_interruption(int) {}

void arm(long delay_ns) {
  itimerspec when{};
  when.it_value.tv_nsec = delay_ns;
  timer_settime(injector.timer, 0, &when, nullptr);
}

int interrupted_ioctl(int fd, unsigned long request, void* argument) {
  while (true) {
    arm(injector.delay_ns);
    const int result = ioctl(fd, request, argument);
    const int number = errno;
    arm(0);
    errno = number;
    if (result == 0 || (number != EINTR && number != EAGAIN)) return result;
    if (number == EINTR) {
      ++injector.hits;
      if (injector.delay_ns < kLongestDelayNs) injector.delay_ns *= 2;
    }
  }
}

}  // namespace

thread_local IoctlFunction igt_ioctl = drmIoctl;

int ioctl_errno(int fd, unsigned long request, void* argument) {
  errno = 0;
  return igt_ioctl(fd, request, argument) == 0 ? 0 : errno;
}

void do_ioctl_at(Place place, const char* name, int fd, unsigned long request, void* argument) {
  const int number = ioctl_errno(fd, request, argument);
  if (number == 0) return;
  fail_assertion(place, format("do_ioctl(%s)", name).c_str(),
                 format("error: %d, %s\n", number, strerror(number)));
}

void do_ioctl_err_at(Place place, const char* name, int fd, unsigned long request, void* argument,
                     int expected_errno) {
  const int number = ioctl_errno(fd, request, argument);
  if (number == expected_errno) {
    // Expected: no reason to show it beside a later failure.
    errno = 0;
    return;
  }
  fail_assertion(
      place, format("do_ioctl_err(%s)", name).c_str(),
      format("error: %d (%s) instead of %d (%s)\n", number,
             number == 0 ? "success" : strerror(number), expected_errno, strerror(expected_errno)));
}

InterruptibleLoop::InterruptibleLoop(bool enable) : enabled_(enable) {
  if (!enabled_) return;
  struct sigaction action {};
  action.sa_handler = ignore_interruption;  // without SA_RESTART: the call returns EINTR
  sigaction(interruption_signal(), &action, nullptr);
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = interruption_signal();
  event._sigev_un._tid = static_cast<pid_t>(syscall(SYS_gettid));
  if (timer_create(CLOCK_MONOTONIC, &event, &injector.timer) != 0) {
    skip(IGT_PLACE, "timer_create()", {});
  }
  igt_ioctl = interrupted_ioctl;
}

InterruptibleLoop::~InterruptibleLoop() {
  if (!enabled_) return;
  igt_ioctl = drmIoctl;
  timer_delete(injector.timer);
}

bool InterruptibleLoop::next() {
  const int pass = passes_++;
  if (pass == 0) {
    injector.delay_ns = kFirstDelayNs;
    injector.hits = 0;
    return true;
  }
  if (!enabled_ || injector.hits == 0 || pass >= kMaxPasses) return false;
  injector.hits = 0;
  injector.delay_ns = kFirstDelayNs << pass;
  return true;
}

}  // namespace igt
