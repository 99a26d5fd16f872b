// SPDX-License-Identifier: MIT
//
// Signals that would end a test program. A fault of the CPU (SIGSEGV, SIGBUS, SIGFPE, SIGILL) on
// the main thread inside run_guarded() makes it return kCrash: the frames of the body are jumped
// over, so what they held is lost, but the next subtest runs. Anything else is reported, the
// children are killed, and the program dies of the signal.
//
// The handlers run on a stack of their own, so that an overflow of the stack is a crash as well.
#pragma once

#include <type_traits>

#include "igt_tests/harness/outcome.h"

namespace igt {

// A callable that is only borrowed; lives no longer than the call it is passed to.
class BodyRef {
 public:
  template <typename Body>
  requires(!std::is_same_v<std::remove_cvref_t<Body>, BodyRef>)
      // NOLINTNEXTLINE(google-explicit-constructor): the point of the type
      BodyRef(Body&& body)
      : object_(const_cast<void*>(static_cast<const void*>(&body))),
        call_([](void* object) { (*static_cast<std::remove_reference_t<Body>*>(object))(); }) {}
  void operator()() const { call_(object_); }

 private:
  void* object_;
  void (*call_)(void*);
};

// Of this process: a child of igt_fork has its own. Callable from a signal handler.
bool on_main_thread();

void install_crash_handlers();

// Runs the body; an Outcome thrown, a foreign exception (a failure) and a crash become the return
// value.
Outcome run_guarded(BodyRef body);

// Prints the call chain of the caller to stderr.
void print_stack_trace();

}  // namespace igt
