// SPDX-License-Identifier: MIT
//
// `pantry trace replay`: what a trace asked of VM_BIND, asked again of a machine in this process.
#pragma once

#include <string>

#include "tools/trace/replay.h"
#include "uapi/machine/machine.h"

namespace pantry::tools {

struct ReplayOptions {
  uapi::MachineConfig machine;
  std::string file;
  trace::Slots slots = trace::Slots::kOwned;
  enum class Output { kText, kJson } output = Output::kText;
};

// 0; 2 when the file is no trace; 125 when it cannot be read, the machine cannot be brought up or
// its memory does not hold the buffers. What was measured goes to stdout.
int replay_command(const ReplayOptions& options);

}  // namespace pantry::tools
