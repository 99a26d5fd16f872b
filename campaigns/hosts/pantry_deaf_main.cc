// SPDX-License-Identifier: MIT
//
// `pantry` with a device that acknowledges everything and moves no memory: the calls of a job into
// its stream return at once. A test that passes here looks at no effect. Only to test tests
// (campaigns/effects).
#include "tools/command_line.h"

int main(int argc, char** argv) {
  pantry::uapi::MachineConfig machine;
  machine.streams = pantry::emu::StreamPolicy::kRingOnly;
  return pantry::tools::command_line(argc, argv, machine);
}
