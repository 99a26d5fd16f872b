// SPDX-License-Identifier: MIT

#include "igt_tests/harness/options.h"

#include <getopt.h>

#include <cstdio>
#include <cstring>

#include "igt_tests/harness/outcome.h"

namespace igt {
namespace {

enum LongOption {
  kListSubtests = 256,
  kShowTestlist,
  kRunSubtest,
  kDynamicSubtest,
  kDescribe,
  kHelpDescription,
  kDebug,
  kInteractiveDebug,
  kDevice,
  kTraceOnOops,
  kHook,
};

constexpr option kLongOptions[] = {
    {"list-subtests", no_argument, nullptr, kListSubtests},
    {"show-testlist", no_argument, nullptr, kShowTestlist},
    {"run-subtest", required_argument, nullptr, kRunSubtest},
    {"r", required_argument, nullptr, kRunSubtest},
    {"dynamic-subtest", required_argument, nullptr, kDynamicSubtest},
    {"describe", optional_argument, nullptr, kDescribe},
    {"help-description", no_argument, nullptr, kHelpDescription},
    {"debug", optional_argument, nullptr, kDebug},
    {"interactive-debug", optional_argument, nullptr, kInteractiveDebug},
    {"device", required_argument, nullptr, kDevice},
    {"trace-on-oops", no_argument, nullptr, kTraceOnOops},
    {"hook", required_argument, nullptr, kHook},
    {"help", no_argument, nullptr, 'h'},
    {nullptr, 0, nullptr, 0},
};

void print_usage(FILE* out, const char* program) {
  fprintf(out,
          "Usage: %s [OPTIONS]\n"
          "  --list-subtests             print the names of the subtests\n"
          "  --show-testlist             the same, as igt@PROGRAM@SUBTEST\n"
          "  --run-subtest PATTERNS      run what matches: * ? [a-z], commas, ! negates\n"
          "  --dynamic-subtest PATTERNS  of the dynamic subtests run what matches\n"
          "  --describe[=PATTERNS]       print what the subtests are for\n"
          "  --help-description          print what the program is for\n"
          "  --debug[=DOMAIN]            print debug messages\n"
          "  --device FILTER             drm:/dev/dri/cardN or drm:/dev/dri/renderDN\n"
          "  --help                      this text\n",
          program);
}

}  // namespace

std::optional<LogLevel> log_level_from_name(const char* name) {
  if (name == nullptr) return std::nullopt;
  if (strcmp(name, "debug") == 0) return LogLevel::kDebug;
  if (strcmp(name, "info") == 0) return LogLevel::kInfo;
  if (strcmp(name, "warn") == 0) return LogLevel::kWarn;
  if (strcmp(name, "none") == 0) return LogLevel::kNone;
  return std::nullopt;
}

ParsedCommandLine parse_command_line(int argc, char** argv) {
  ParsedCommandLine parsed;
  Options& options = parsed.options;
  // A program may be parsed for more than once in one process (the harness's own tests): 0 restarts
  // getopt.
  optind = 0;
  for (int choice; (choice = getopt_long(argc, argv, "h", kLongOptions, nullptr)) != -1;) {
    switch (choice) {
      case kListSubtests:
        if (options.mode == Options::Mode::kRun) options.mode = Options::Mode::kListSubtests;
        break;
      case kShowTestlist:
        options.mode = Options::Mode::kShowTestlist;
        break;
      case kRunSubtest:
        options.run_subtest = optarg;
        break;
      case kDynamicSubtest:
        options.dynamic_subtest = optarg;
        break;
      case kDescribe:
        options.mode = Options::Mode::kDescribe;
        if (optarg != nullptr) options.describe = optarg;
        break;
      case kHelpDescription:
        options.mode = Options::Mode::kHelpDescription;
        break;
      case kDebug:
        options.log_level = LogLevel::kDebug;
        break;
      case kDevice:
        options.devices.emplace_back(optarg);
        break;
      case kTraceOnOops:
        break;
      case kInteractiveDebug:
      case kHook:
        fprintf(stderr, "%s: %s is not supported\n", argv[0],
                choice == kHook ? "--hook" : "--interactive-debug");
        parsed.exit_code = kExitInvalid;
        return parsed;
      case 'h':
        print_usage(stdout, argv[0]);
        parsed.exit_code = kExitSuccess;
        return parsed;
      default:
        print_usage(stderr, argv[0]);
        parsed.exit_code = kExitInvalid;
        return parsed;
    }
  }
  if (optind < argc) {
    fprintf(stderr, "%s: what is \"%s\"?\n", argv[0], argv[optind]);
    print_usage(stderr, argv[0]);
    parsed.exit_code = kExitInvalid;
  }
  return parsed;
}

}  // namespace igt
