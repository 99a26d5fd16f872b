// SPDX-License-Identifier: MIT
//
// `pantry info`: the device as a client sees it, asked through the same ioctls.
#pragma once

#include "uapi/machine/machine.h"

namespace pantry::tools {

// Exit status.
int info_command(const uapi::MachineConfig& config);

}  // namespace pantry::tools
