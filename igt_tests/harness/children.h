// SPDX-License-Identifier: MIT
//
// Processes that a subtest starts. igt_fork(child, n) { ... }; runs its block in n children, with
// `child` counting from 0; igt_waitchildren() waits for all of them, and the subtest fails if one
// of them did.
//
// A child ends with its block: exit code 0, or that of the failure. It cannot skip. Children die
// with their parent. The harness checks at the end of each subtest and of the program that no child
// is left.
#pragma once

#include <sys/types.h>

#include "igt_tests/harness/crash.h"
#include "igt_tests/harness/outcome.h"

namespace igt {

struct ForkSite {
  Place place;
  int count;
};

// Returns true in the parent; in a child it does not return (run_child below).
bool fork_one(Place place);
[[noreturn]] void exit_child(int exit_code);
bool in_child();

template <typename Body>
void operator<<(ForkSite site, Body&& body) {
  for (int child = 0; child < site.count; ++child) {
    if (fork_one(site.place)) continue;
    exit_child(run_guarded([&] { body(child); }).exit_code);
  }
}

// Waits for all children of igt_fork; fails with the exit code of the first that did not end with
// 0.
void wait_for_children(Place place);
// The process id of the newest child.
pid_t newest_child();
// Waits for that child alone and returns its raw wait status; whatever it is, it is no failure.
int wait_for_child(Place place, pid_t child);

// True if a child of igt_fork has not been waited for.
bool have_children();
// Kills what is left of them with SIGKILL and waits.
void reap_children();
// The same without waiting, callable from a signal handler.
void kill_children_from_handler();

}  // namespace igt

#define igt_fork(child, number_of_children) \
  ::igt::ForkSite{IGT_PLACE, (number_of_children)} << [&]([[maybe_unused]] int child)
#define igt_waitchildren() ::igt::wait_for_children(IGT_PLACE)
