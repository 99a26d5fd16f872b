// SPDX-License-Identifier: MIT
//
// The command line of a test program, as igt_runner and deqp-runner write it. Parsing touches no
// device and prints only help and complaints.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "igt_tests/harness/log.h"

namespace igt {

struct Options {
  enum class Mode { kRun, kListSubtests, kShowTestlist, kDescribe, kHelpDescription };

  Mode mode = Mode::kRun;
  std::optional<std::string> run_subtest;      // list of patterns; nothing: all of them
  std::optional<std::string> dynamic_subtest;  // the same for igt_dynamic
  std::optional<std::string> describe;         // which subtests --describe shows
  std::optional<LogLevel> log_level;
  std::vector<std::string> devices;  // --device, in the order given

  bool only_lists() const { return mode != Mode::kRun; }
};

// What parsing came to: either options, or the exit code with which to leave at once.
struct ParsedCommandLine {
  Options options;
  std::optional<int> exit_code;
};

ParsedCommandLine parse_command_line(int argc, char** argv);

// The level that IGT_LOG_LEVEL names, or nothing.
std::optional<LogLevel> log_level_from_name(const char* name);

}  // namespace igt
