// SPDX-License-Identifier: MIT
//
// The command line of `pantry`, for it and for the hosts of campaigns, which differ from it only in
// the machine.
#pragma once

#include "uapi/machine/machine.h"

namespace pantry::tools {

// Does what the arguments say, on a machine like `machine` but for what they change. Exit status.
int command_line(int argc, char** argv, const uapi::MachineConfig& machine);

}  // namespace pantry::tools
