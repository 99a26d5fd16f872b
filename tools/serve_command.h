// SPDX-License-Identifier: MIT
//
// `pantry serve`: hosts a machine for any number of programs of this user (`pantry run --join`),
// until it is told to end (SIGINT, SIGTERM, SIGHUP).
#pragma once

#include <string>

#include "uapi/machine/machine.h"

namespace pantry::tools {

struct ServeOptions {
  uapi::MachineConfig machine;
  std::string socket;        // the directory to listen in, absolute
  std::string checker_json;  // as RunOptions
};

// 0 once it was told to end; 125 when it cannot serve. One line to stdout once it serves. Other
// processes of this user cannot look into this one any more.
int serve_command(const ServeOptions& options);

}  // namespace pantry::tools
