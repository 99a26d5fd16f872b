// SPDX-License-Identifier: MIT
//
// Subtests as a table: name, purpose and body. run_cases() is called inside igt_main, where it
// opens the primary node in a fixture, runs each case that the command line chose, and closes the
// node.
#pragma once

#include <span>

#include "igt_tests/lib/device.h"

namespace gpu {

struct Case {
  const char* name;
  const char* purpose;
  void (*body)(const Device& device);
};

void run_cases(std::span<const Case> cases);

}  // namespace gpu
