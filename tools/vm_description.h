// SPDX-License-Identifier: MIT
//
// A VM in words and numbers, for a person to read: what is mapped, its tables, and what each of its
// client's latest binds took and gave back.
#pragma once

#include <string>

#include "driver/vm/vm.h"

namespace pantry::tools {

// Lines that are indented by four.
std::string describe(const driver::Vm& vm);

}  // namespace pantry::tools
