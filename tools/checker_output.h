// SPDX-License-Identifier: MIT
//
// What the MMU checker has found, for whoever ran a machine.
#pragma once

#include <string>
#include <vector>

#include "gpu_emu/checker/report.h"

namespace pantry::tools {

// To stderr, and as JSON to the file `json` unless that is empty. False: the file cannot be
// written.
bool print_mistakes(const std::vector<emu::CheckerReport>& mistakes, const std::string& json);

}  // namespace pantry::tools
