// SPDX-License-Identifier: MIT
//
// One line in the log for each opcode whose effect the emulator leaves out, the first time it is
// met. Only that line allocates.
#pragma once

#include <cstdint>

#include "base/log.h"
#include "gpu_emu/cs/execution.h"
#include "gpu_emu/datasheet/cs_opcode.h"

namespace pantry::emu {

// `missing`: what would be needed, as in "shaders".
inline void log_gap_once(Execution& run, datasheet::isa::Opcode opcode, const char* missing) {
  const LoggedGaps bit = LoggedGaps{1} << static_cast<unsigned>(opcode);
  if ((run.logged_gaps & bit) != 0) return;
  run.logged_gaps |= bit;
  log_gap("gpu_emu/cs", "{} completes without effect: no {} here", name_of(opcode), missing);
}

}  // namespace pantry::emu
