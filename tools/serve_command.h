// SPDX-License-Identifier: MIT
//
// `pantry serve`: hosts a machine for any number of programs of this user (`pantry run --join`),
// until it is told to end (SIGINT, SIGTERM, SIGHUP unless our caller ignores that).
#pragma once

#include <string>

#include "tools/device_options.h"

namespace pantry::tools {

struct ServeOptions {
  DeviceOptions device;
  std::string socket;  // the directory to listen in, absolute
};

// 0 once it was told to end; 125 when it cannot serve. One line to stdout once it serves; how often
// faults were injected and what the MMU checker has found go to stderr at the end. Other processes
// of this user cannot look into this one any more.
int serve_command(const ServeOptions& options);

}  // namespace pantry::tools
