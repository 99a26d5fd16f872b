// SPDX-License-Identifier: MIT
//
// Runs a program with the shim preloaded and waits for it.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace pantry::tools {

struct ClientProgram {
  std::vector<std::string> command;  // program and arguments
  std::string shim;                  // path of the library to preload
  std::string directory;             // of the host's sockets
};

// The exit status as a shell would report it: the program's, or 128 + signal. While the program runs, an interrupt from the
// keyboard is its business. ENOENT and the like when it cannot be started.
Result<int> run_client(const ClientProgram& program);

// The shim beside this very program, as both the build tree and an installation have it.
std::string default_shim_path();

}  // namespace pantry::tools
