// SPDX-License-Identifier: MIT
//
// `pantry disasm`: the words of a command stream as text (gpu_emu/datasheet/cs_text.h).
#pragma once

#include <cstdint>
#include <string>

namespace pantry::tools {

struct DisasmOptions {
  std::string file;           // the stream as it lies in memory; "-": standard input
  std::uint64_t address = 0;  // of its first word, for labels; a multiple of 8
};

// Prints the stream on standard output. 1 when the file cannot be read or does not consist of whole
// words; those that it has are printed first.
int disasm_command(const DisasmOptions& options);

}  // namespace pantry::tools
