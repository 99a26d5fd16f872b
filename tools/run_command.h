// SPDX-License-Identifier: MIT
//
// `pantry run`: hosts a whole Pantry in this process (threads, machine, server), runs one program
// as its client, and waits for the program and everything it left behind that still holds a
// descriptor of the device. SIGINT, SIGTERM and SIGHUP go to the program; once it has ended, they
// end the wait for what it left behind.
#pragma once

#include <string>
#include <vector>

#include "tools/device_options.h"

namespace pantry::tools {

struct RunOptions {
  DeviceOptions device;
  std::string shim;
  enum class Report { kNone, kPrint } report = Report::kNone;
  std::string trace;  // where a trace of VM_BIND goes (tools/trace); empty: nowhere
  std::vector<std::string> command;
};

// The exit status of the program; 125 when the machine cannot be brought up or a file not written,
// 127 when the program cannot be started. The report, how often faults were injected, and what the
// MMU checker has found, go to stderr. The report and the trace exclude each other.
int run_command(const RunOptions& options);

// `pantry run --join`: the program is one client of many of a host that `pantry serve` runs.
struct JoinOptions {
  std::string host;  // its directory, absolute
  std::string shim;
  std::vector<std::string> command;
};

// The exit status of the program; 125 when there is no host of this user's, 127 as above.
int join_command(const JoinOptions& options);

}  // namespace pantry::tools
