// SPDX-License-Identifier: MIT
//
// The lines that parsers of test output read: on stdout, on stderr as well when
// IGT_SENTINEL_ON_STDERR is set, and in the kernel log when /dev/kmsg can be written. Bold on a
// terminal unless IGT_PLAIN_OUTPUT is set.
#pragma once

#include <string>

#include "igt_tests/harness/outcome.h"

namespace igt {

enum class ReportedKind { kSubtest, kDynamicSubtest, kSimpleTest };

// Seconds on the monotonic clock.
double seconds_now();

void report_program_start(const std::string& program);
void report_program_end(const std::string& program, int exit_code);
void report_start(ReportedKind kind, const std::string& program, const std::string& name);
void report_result(ReportedKind kind, const std::string& program, const std::string& name,
                   Result result, double seconds);

}  // namespace igt
