// SPDX-License-Identifier: MIT

#include "igt_tests/harness/report.h"

#include <fcntl.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace igt {
namespace {

constexpr const char* kVersion = "2.4-pantry";

// One record of the kernel log is one write.
void log_to_kernel(const std::string& text) {
  static const int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  const std::string record = "[IGT] " + text + "\n";
  const ssize_t ignored = write(fd, record.data(), record.size());
  (void)ignored;
}

void print_line(const std::string& line) {
  static const bool bold = isatty(STDOUT_FILENO) == 1 && getenv("IGT_PLAIN_OUTPUT") == nullptr;
  static const bool on_stderr_too = getenv("IGT_SENTINEL_ON_STDERR") != nullptr;
  fflush(stderr);
  printf("%s%s%s\n", bold ? "\033[1m" : "", line.c_str(), bold ? "\033[0m" : "");
  fflush(stdout);
  if (!on_stderr_too) return;
  fprintf(stderr, "%s\n", line.c_str());
  fflush(stderr);
}

}  // namespace

double seconds_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

void report_program_start(const std::string& program) {
  utsname system{};
  uname(&system);
  printf("IGT-Version: %s (%s) (%s: %s %s)\n", kVersion, system.machine, system.sysname,
         system.release, system.machine);
  const char* given = getenv("IGT_SRANDOM");
  const auto seed = given != nullptr ? static_cast<unsigned>(strtoul(given, nullptr, 0))
                                     : static_cast<unsigned>(time(nullptr));
  srandom(seed);
  printf("Using IGT_SRANDOM=%u for randomisation\n", seed);
  fflush(stdout);
  log_to_kernel(program + ": executing");
}

void report_program_end(const std::string& program, int exit_code) {
  log_to_kernel(program + ": exiting, ret=" + std::to_string(exit_code));
}

void report_start(ReportedKind kind, const std::string& program, const std::string& name) {
  if (kind == ReportedKind::kSimpleTest) return;
  const bool dynamic = kind == ReportedKind::kDynamicSubtest;
  print_line((dynamic ? "Starting dynamic subtest: " : "Starting subtest: ") + name);
  log_to_kernel(program + (dynamic ? ": starting dynamic subtest " : ": starting subtest ") + name);
}

void report_result(ReportedKind kind, const std::string& program, const std::string& name,
                   Result result, double seconds) {
  const char* word = result_name(result);
  switch (kind) {
    case ReportedKind::kSimpleTest:
      print_line(format("%s (%.3fs)", word, seconds));
      return;
    case ReportedKind::kSubtest:
      print_line(format("Subtest %s: %s (%.3fs)", name.c_str(), word, seconds));
      log_to_kernel(program + ": finished subtest " + name + ", " + word);
      return;
    case ReportedKind::kDynamicSubtest:
      print_line(format("Dynamic subtest %s: %s (%.3fs)", name.c_str(), word, seconds));
      log_to_kernel(program + ": finished dynamic subtest " + name + ", " + word);
      return;
  }
}

}  // namespace igt
