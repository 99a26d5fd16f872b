// SPDX-License-Identifier: MIT
//
// Decoder, disassembler and assembler. The input is words, none of which may get lost; and it is a
// line of text, which is refused or is a word.
#include <string_view>
#include <vector>

#include "base/check.h"
#include "fuzz/input.h"
#include "gpu_emu/datasheet/cs_instruction.h"
#include "gpu_emu/datasheet/cs_text.h"

namespace isa = pantry::datasheet::isa;

namespace {

void expect_kept(std::uint64_t word) {
  const auto again = isa::assemble(isa::disassemble(word));
  PANTRY_CHECK(again && *again == word);
  if (const auto instruction = isa::decode(word)) {
    PANTRY_CHECK((isa::encode(*instruction) | isa::unused_bits(word)) == word);
    (void)isa::are_operands_defined(*instruction);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto word = isa::assemble(text)) expect_kept(*word);

  pantry::fuzz::Input input(data, size);
  std::vector<std::uint64_t> words;
  while (!input.is_over()) words.push_back(input.take<std::uint64_t>());
  for (const std::uint64_t word : words) expect_kept(word);
  (void)isa::disassemble_buffer(words, pantry::GpuVa{0x100'0000});
  return 0;
}
