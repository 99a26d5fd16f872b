// SPDX-License-Identifier: MIT
//
// Command-stream words as text and back, in the notation of Mesa's disassembler:
//
//   disassemble(0x0246'0000'dead'beef) == "MOVE32 r70, #0xDEADBEEF"
//   disassemble(0x1546'4400'0001'0000) == "STORE_MULTIPLE [d68], r70"
//
// No word is lost: assemble(disassemble(word)) == word for all of them. Where Mesa says nothing, so
// does a default here (RUN_IDVS allocates, a handler is for tiler memory); what deviates is said:
//   * bits that no operand covers: "CALL d92, r94 | #0x1"
//   * a value without a name: "BRANCH.?7 r0, #0"; registers and entries that do not exist have
//     their number
//   * a mask of registers that does not begin at its base: "LOAD_MULTIPLE r40&0x6, [d76]"
//   * an opcode that v10 does not define: ".word 0x0a00000000000000"
// Allocates the text. No state, no lock.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "base/types.h"

namespace pantry::datasheet::isa {

std::string disassemble(std::uint64_t word);

// The word, or what is wrong with the text. Takes what disassemble() writes, in any case of hex
// digits; from "//" on it is a comment.
std::expected<std::uint64_t, std::string> assemble(std::string_view text);

// A buffer that lies at `address`: a line per word, with its bytes in memory order; labels where
// branches inside of it lead, and their names beside the branches.
std::string disassemble_buffer(std::span<const std::uint64_t> words, GpuVa address);

}  // namespace pantry::datasheet::isa
