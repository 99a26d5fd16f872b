// SPDX-License-Identifier: MIT
//
// A fuzzer that includes this logs nothing: nearly every input is a client's mistake, or a
// device's.
#pragma once

#include "base/log.h"

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  pantry::set_log_level(pantry::LogLevel::kOff);
  return 0;
}
