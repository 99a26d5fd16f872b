// SPDX-License-Identifier: MIT

#include "igt_tests/harness/children.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace igt {
namespace {

constexpr size_t kMaxChildren = 256;

// A plain array, so that a signal handler can read it.
struct Children {
  std::array<volatile pid_t, kMaxChildren> pid{};
  volatile size_t count = 0;
  bool is_child = false;
};

Children& children() {
  static Children instance;
  return instance;
}

int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) == -1) {
    if (errno != EINTR) return -1;
  }
  return status;
}

}  // namespace

bool fork_one(Place place) {
  Children& all = children();
  if (all.count == kMaxChildren) abort_run(place, "too many children\n");
  fflush(nullptr);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == -1) fail_assertion(place, "fork()", format("error: %s\n", strerror(errno)));
  if (child != 0) {
    all.pid[all.count] = child;
    all.count = all.count + 1;
    return true;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(kExitFailure);
  all.count = 0;
  all.is_child = true;
  return false;
}

void exit_child(int exit_code) {
  fflush(nullptr);
  _exit(exit_code);
}

bool in_child() { return children().is_child; }

pid_t newest_child() {
  const Children& all = children();
  return all.count == 0 ? -1 : pid_t{all.pid[all.count - 1]};
}

int wait_for_child(Place place, pid_t child) {
  Children& all = children();
  for (size_t i = 0; i < all.count; ++i) {
    if (all.pid[i] != child) continue;
    const int status = wait_for(child);
    all.pid[i] = pid_t{all.pid[all.count - 1]};
    all.count = all.count - 1;
    return status;
  }
  abort_run(place, format("%d is no child\n", static_cast<int>(child)));
}

void wait_for_children(Place place) {
  Children& all = children();
  int exit_code = 0;
  for (size_t i = 0; i < all.count; ++i) {
    const int status = wait_for(all.pid[i]);
    if (status == 0 || exit_code != 0) continue;
    if (WIFSIGNALED(status)) {
      igt_critical("child %zu died of signal %d (%s)\n", i, WTERMSIG(status),
                   strsignal(WTERMSIG(status)));
      exit_code = 128 + WTERMSIG(status);
    } else {
      igt_critical("child %zu failed with exit status %d\n", i, WEXITSTATUS(status));
      exit_code = WEXITSTATUS(status);
    }
    // The others may be waiting for the one that is gone.
    for (size_t j = i + 1; j < all.count; ++j) kill(all.pid[j], SIGKILL);
  }
  all.count = 0;
  if (exit_code == 0) return;
  igt_critical("in function %s, file %s:%d\n", place.function, place.file, place.line);
  fail(exit_code);
}

bool have_children() { return children().count != 0; }

void reap_children() {
  kill_children_from_handler();
  Children& all = children();
  for (size_t i = 0; i < all.count; ++i) wait_for(all.pid[i]);
  all.count = 0;
}

void kill_children_from_handler() {
  const Children& all = children();
  for (size_t i = 0; i < all.count; ++i) kill(all.pid[i], SIGKILL);
}

}  // namespace igt
