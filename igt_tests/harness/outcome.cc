// SPDX-License-Identifier: MIT

#include "igt_tests/harness/outcome.h"

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "igt_tests/harness/children.h"
#include "igt_tests/harness/crash.h"

namespace igt {
namespace {

std::atomic<bool> thread_failed{false};

void log_errno(int number) {
  if (number != 0) igt_critical("Last errno: %d, %s\n", number, strerror(number));
}

}  // namespace

const char* result_name(Result result) {
  switch (result) {
    case Result::kSuccess:
      return "SUCCESS";
    case Result::kSkip:
      return "SKIP";
    case Result::kFail:
      return "FAIL";
    case Result::kCrash:
      return "CRASH";
  }
  return "FAIL";
}

const char* compare_failure(Compare compare) {
  switch (compare) {
    case Compare::kEqual:
      return " != ";
    case Compare::kNotEqual:
      return " == ";
    case Compare::kLess:
      return " >= ";
    case Compare::kLessOrEqual:
      return " > ";
  }
  return " ? ";
}

void fail(int exit_code) {
  if (exit_code == kExitSuccess || exit_code == kExitSkip) exit_code = kExitFailure;
  if (!on_main_thread()) {
    thread_failed = true;
    pthread_exit(nullptr);
  }
  throw Outcome{Result::kFail, exit_code};
}

void fail_assertion(Place place, const char* expression, const std::string& detail) {
  const int number = errno;
  igt_critical("Test assertion failure function %s, file %s:%d:\n", place.function, place.file,
               place.line);
  igt_critical("Failed assertion: %s\n", expression);
  log_errno(number);
  if (!detail.empty()) igt_critical("%s", detail.c_str());
  print_stack_trace();
  fail(kExitFailure);
}

void skip(Place place, const char* expression, const std::string& detail) {
  const int number = errno;
  if (in_child() || !on_main_thread()) {
    abort_run(place, "only the main thread of the test process may skip\n");
  }
  if (expression != nullptr) {
    igt_info("Test requirement not met in function %s, file %s:%d:\n", place.function, place.file,
             place.line);
    igt_info("Test requirement: %s\n", expression);
    if (number != 0) igt_info("Last errno: %d, %s\n", number, strerror(number));
  }
  if (!detail.empty()) igt_info("%s", detail.c_str());
  throw Outcome{Result::kSkip, kExitSkip};
}

void abort_run(Place place, const std::string& reason) {
  igt_critical("Test abort in function %s, file %s:%d:\n", place.function, place.file, place.line);
  igt_critical("abort condition: %s", reason.c_str());
  if (!in_child()) reap_children();
  fflush(nullptr);
  _exit(kExitAbort);
}

bool take_thread_failure() { return thread_failed.exchange(false); }

}  // namespace igt
