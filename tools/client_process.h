// SPDX-License-Identifier: MIT
//
// Programs that run with the shim preloaded.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"

namespace pantry::tools {

struct ClientProgram {
  std::vector<std::string> command;  // program and arguments
  std::string shim;                  // path of the library to preload
  std::string directory;             // of the host's sockets
};

// Starts it; the caller waits for it. ENOENT and the like. The program keeps the caller's limit of
// descriptors, but from then on this process has all it may have: every buffer of a client costs it
// one.
Result<pid_t> start_client(const ClientProgram& program);

// The exit status as a shell would report it: the program's, or 128 + signal. While the program
// runs, an interrupt from the keyboard is its business, and a request to terminate is passed on to
// it. ENOENT and the like when it cannot be started.
Result<int> run_client(const ClientProgram& program);

// This process may have as many descriptors as its hard limit allows.
void take_all_descriptors();

// The shim beside this very program, as both the build tree and an installation have it.
std::string default_shim_path();

}  // namespace pantry::tools
