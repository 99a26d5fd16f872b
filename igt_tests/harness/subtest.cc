// SPDX-License-Identifier: MIT

#include "igt_tests/harness/subtest.h"

#include <sys/wait.h>

#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <utility>

#include "igt_tests/harness/children.h"
#include "igt_tests/harness/device.h"
#include "igt_tests/harness/options.h"
#include "igt_tests/harness/report.h"
#include "igt_tests/harness/wildmat.h"

namespace igt {
namespace {

// Where in the program the main thread is. Blocks nest in one way only, which
// Program::require_inside() checks.
enum class Inside { kNothing, kFixture, kSubtest, kContainer, kDynamic, kSimpleTest };

// Everything a test program knows of itself. One per process, main thread only.
struct Program {
  const char* description = nullptr;
  std::string name = "igt";
  Options options;
  bool simple = false;

  Inside inside = Inside::kNothing;
  std::string subtest;            // the one that runs, and the dynamic one in it
  std::string next_description;   // set by igt_describe, taken by the next subtest
  std::string group_description;  // of the groups around
  std::set<std::string> names;    // seen so far
  Result closed =
      Result::kSuccess;  // what subtests get without running: a fixture skipped or failed
  int closed_exit_code = kExitSuccess;

  bool matched = false;  // --run-subtest has chosen something
  int passed = 0;
  int failed = 0;
  int first_failure = kExitSuccess;  // exit code

  int dynamic_executed = 0;  // in the current container
  int dynamic_failed = 0;

  void note(const Outcome& outcome) {
    switch (outcome.result) {
      case Result::kSuccess:
        ++passed;
        return;
      case Result::kSkip:
        return;
      case Result::kFail:
      case Result::kCrash:
        ++failed;
        if (first_failure == kExitSuccess) first_failure = outcome.exit_code;
        return;
    }
  }

  void require_inside(Place place, bool allowed, const char* what) {
    if (!allowed) abort_run(place, format("%s is not allowed here\n", what));
  }
};

// Before main(), so that IGT_TEST_DESCRIPTION may be constructed first.
Program& program() {
  static Program instance;
  return instance;
}

bool valid_name(const std::string& name) {
  for (const char c : name) {
    if (isalnum(static_cast<unsigned char>(c)) == 0 && c != '-' && c != '_') return false;
  }
  return !name.empty();
}

bool is_failure(Result result) { return result == Result::kFail || result == Result::kCrash; }

// Indented and broken at 80 columns.
void print_wrapped(const std::string& text) {
  constexpr size_t kWidth = 78;
  size_t at = 0;
  while (at < text.size()) {
    size_t length = text.size() - at;
    const size_t newline = text.find('\n', at);
    if (newline != std::string::npos && newline - at < length) length = newline - at;
    if (length > kWidth) {
      const size_t space = text.rfind(' ', at + kWidth);
      length = space == std::string::npos || space <= at ? kWidth : space - at;
    }
    printf("  %s\n", text.substr(at, length).c_str());
    at += length;
    while (at < text.size() && (text[at] == ' ' || text[at] == '\n')) ++at;
  }
}

void print_description(Place place, const std::string& name, const std::string& text) {
  Program& self = program();
  if (self.options.describe && !wildmat_list(name, *self.options.describe)) return;
  self.matched = true;
  printf("SUB %s %s:%d:\n", name.c_str(), place.file, place.line);
  std::string whole = self.group_description;
  if (!whole.empty() && !text.empty()) whole += '\n';
  whole += text;
  print_wrapped(whole.empty() ? "NO DOCUMENTATION!" : whole);
  printf("\n");
}

// Does this subtest run now? Also answers the listing modes.
bool enter_subtest(Place place, const std::string& name) {
  Program& self = program();
  self.require_inside(place, self.inside == Inside::kNothing && !self.simple, "a subtest");
  if (!valid_name(name)) abort_run(place, format("bad subtest name \"%s\"\n", name.c_str()));
  if (!self.names.insert(name).second) {
    abort_run(place, format("a second subtest \"%s\"\n", name.c_str()));
  }
  const std::string description = std::exchange(self.next_description, {});
  switch (self.options.mode) {
    case Options::Mode::kListSubtests:
      printf("%s\n", name.c_str());
      return false;
    case Options::Mode::kShowTestlist:
      printf("igt@%s@%s\n", self.name.c_str(), name.c_str());
      return false;
    case Options::Mode::kDescribe:
      print_description(place, name, description);
      return false;
    case Options::Mode::kHelpDescription:
      return false;
    case Options::Mode::kRun:
      break;
  }
  if (self.options.run_subtest && !wildmat_list(name, *self.options.run_subtest)) return false;
  self.matched = true;
  if (self.closed == Result::kSuccess) return true;
  report_result(ReportedKind::kSubtest, self.name, name, self.closed, 0.0);
  self.note({self.closed, self.closed_exit_code});
  return false;
}

// Runs a body that may fail, and looks after what it left behind.
Outcome run_block(BodyRef body) {
  errno = 0;
  Outcome outcome = run_guarded(body);
  if (have_children()) {
    if (outcome.result == Result::kSuccess) {
      igt_critical("children were left behind\n");
      outcome = {Result::kFail, kExitFailure};
    }
    reap_children();
  }
  if (take_thread_failure() && outcome.result == Result::kSuccess) {
    igt_critical("a thread has failed\n");
    outcome = {Result::kFail, kExitFailure};
  }
  return outcome;
}

Outcome run_reported(ReportedKind kind, const std::string& name, BodyRef body) {
  Program& self = program();
  report_start(kind, self.name, name);
  clear_log_ring();
  const double start = seconds_now();
  const Outcome outcome = run_block(body);
  if (is_failure(outcome.result)) dump_log_ring(name.c_str());
  report_result(kind, self.name, name, outcome.result, seconds_now() - start);
  return outcome;
}

std::string base_name(const char* path) {
  const char* slash = strrchr(path, '/');
  return slash == nullptr ? path : slash + 1;
}

// What main() does before the body. A value: leave with it.
enum class Shape { kWithSubtests, kSimple };

std::optional<int> start_program(int argc, char** argv, Shape shape) {
  Program& self = program();
  const char* description = self.description;
  self = Program{};
  self.description = description;
  self.name = base_name(argv[0]);
  const bool simple = shape == Shape::kSimple;
  self.simple = simple;
  set_log_program(self.name.c_str());

  ParsedCommandLine parsed = parse_command_line(argc, argv);
  if (parsed.exit_code) return *parsed.exit_code;
  self.options = std::move(parsed.options);
  set_log_level(LogLevel::kInfo);
  if (const auto level = log_level_from_name(getenv("IGT_LOG_LEVEL"))) set_log_level(*level);
  if (self.options.log_level) set_log_level(*self.options.log_level);
  set_device_filters(self.options.devices);

  const Options::Mode mode = self.options.mode;
  if (mode == Options::Mode::kHelpDescription || mode == Options::Mode::kDescribe) {
    if (self.description != nullptr) {
      print_wrapped(self.description);
      printf("\n");
    }
    if (mode == Options::Mode::kHelpDescription) return kExitSuccess;
  }
  if (simple && self.options.only_lists()) {
    if (mode != Options::Mode::kShowTestlist) return kExitInvalid;
    printf("igt@%s\n", self.name.c_str());
    return kExitSuccess;
  }
  if (simple && self.options.run_subtest) {
    fprintf(stderr, "Unknown subtest: %s\n", self.options.run_subtest->c_str());
    return kExitInvalid;
  }
  if (!self.options.only_lists()) {
    install_crash_handlers();
    report_program_start(self.name);
  }
  return std::nullopt;
}

int finish_program() {
  Program& self = program();
  int exit_code = kExitSuccess;
  if (self.failed > 0)
    exit_code = self.first_failure;
  else if (self.passed == 0)
    exit_code = kExitSkip;
  if (waitpid(-1, nullptr, WNOHANG) != -1 || errno != ECHILD) {
    igt_critical("a child process outlives the program\n");
    if (self.failed == 0) exit_code = kExitFailure;
  }
  report_program_end(self.name, exit_code);
  fflush(nullptr);
  return exit_code;
}

}  // namespace

ProgramDescription::ProgramDescription(const char* text) { program().description = text; }

void describe_next(std::string text) { program().next_description = std::move(text); }

int run_main(int argc, char** argv, BodyRef body) {
  if (const auto leave = start_program(argc, argv, Shape::kWithSubtests)) return *leave;
  Program& self = program();
  if (self.options.only_lists()) {
    body();
    fflush(stdout);
    return self.options.describe && !self.matched ? kExitInvalid : kExitSuccess;
  }
  const Outcome outcome = run_guarded(body);
  if (outcome.result != Result::kSuccess) {
    igt_critical("the program ended outside of its blocks\n");
    self.note(is_failure(outcome.result) ? outcome : Outcome{Result::kFail, kExitFailure});
  }
  if (self.options.run_subtest && !self.matched && self.failed == 0) {
    fprintf(stderr, "Unknown subtest: %s\n", self.options.run_subtest->c_str());
    return kExitInvalid;
  }
  return finish_program();
}

int run_simple_main(int argc, char** argv, BodyRef body) {
  if (const auto leave = start_program(argc, argv, Shape::kSimple)) return *leave;
  Program& self = program();
  self.inside = Inside::kSimpleTest;
  const double start = seconds_now();
  const Outcome outcome = run_block(body);
  self.note(outcome);
  if (is_failure(outcome.result)) dump_log_ring(nullptr);
  report_result(ReportedKind::kSimpleTest, self.name, self.name, outcome.result,
                seconds_now() - start);
  return finish_program();
}

void run_site(const SubtestSite& site, BodyRef body) {
  if (!enter_subtest(site.place, site.name)) return;
  Program& self = program();
  self.inside = Inside::kSubtest;
  self.note(run_reported(ReportedKind::kSubtest, site.name, body));
  self.inside = Inside::kNothing;
}

void run_site(const DynamicContainerSite& site, BodyRef body) {
  if (!enter_subtest(site.place, site.name)) return;
  Program& self = program();
  self.inside = Inside::kContainer;
  self.dynamic_executed = 0;
  self.dynamic_failed = 0;
  self.note(run_reported(ReportedKind::kSubtest, site.name, [&] {
    body();
    if (self.dynamic_failed > 0) fail(kExitFailure);
    if (self.dynamic_executed == 0) {
      igt_info("No dynamic tests executed.\n");
      throw Outcome{Result::kSkip, kExitSkip};
    }
  }));
  self.inside = Inside::kNothing;
}

void run_site(const DynamicSite& site, BodyRef body) {
  Program& self = program();
  self.require_inside(site.place, self.inside == Inside::kContainer, "a dynamic subtest");
  if (!valid_name(site.name)) {
    abort_run(site.place, format("bad subtest name \"%s\"\n", site.name.c_str()));
  }
  if (self.options.dynamic_subtest && !wildmat_list(site.name, *self.options.dynamic_subtest)) {
    return;
  }
  self.inside = Inside::kDynamic;
  const Outcome outcome = run_reported(ReportedKind::kDynamicSubtest, site.name, body);
  self.inside = Inside::kContainer;
  if (outcome.result != Result::kSkip) ++self.dynamic_executed;
  if (is_failure(outcome.result)) ++self.dynamic_failed;
}

void run_site(const FixtureSite& site, BodyRef body) {
  Program& self = program();
  if (self.options.only_lists()) return;
  self.require_inside(site.place, self.inside == Inside::kNothing && !self.simple, "a fixture");
  if (self.closed != Result::kSuccess) return;
  self.inside = Inside::kFixture;
  const Outcome outcome = run_block(body);
  self.inside = Inside::kNothing;
  if (outcome.result == Result::kSuccess) return;
  self.closed = outcome.result == Result::kSkip ? Result::kSkip : Result::kFail;
  self.closed_exit_code = outcome.exit_code;
  if (self.closed == Result::kSkip) return;
  dump_log_ring(nullptr);
  // A failed fixture fails the program even if no subtest follows it.
  self.note({Result::kFail, outcome.exit_code});
}

void run_site(const GroupSite& site, BodyRef body) {
  Program& self = program();
  self.require_inside(site.place, self.inside == Inside::kNothing && !self.simple, "a group");
  const Result closed = self.closed;
  const int closed_exit_code = self.closed_exit_code;
  std::string around = self.group_description;
  const std::string own = std::exchange(self.next_description, {});
  if (!own.empty()) {
    if (!self.group_description.empty()) self.group_description += '\n';
    self.group_description += own;
  }
  body();
  self.group_description = std::move(around);
  self.closed = closed;
  self.closed_exit_code = closed_exit_code;
}

}  // namespace igt
