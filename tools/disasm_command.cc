// SPDX-License-Identifier: MIT
#include "tools/disasm_command.h"

#include <fmt/core.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "gpu_emu/datasheet/cs_text.h"

namespace pantry::tools {
namespace {

struct Closer {
  void operator()(std::FILE* file) const {
    if (file != stdin) std::fclose(file);
  }
};

}  // namespace

int disasm_command(const DisasmOptions& options) {
  const char* const name = options.file.c_str();
  const std::unique_ptr<std::FILE, Closer> file(options.file == "-" ? stdin
                                                                    : std::fopen(name, "rb"));
  if (!file) {
    fmt::print(stderr, "pantry: {}: {}\n", name, std::strerror(errno));
    return 1;
  }
  std::vector<std::uint8_t> bytes;
  std::uint8_t piece[4096];
  while (const std::size_t got = std::fread(piece, 1, sizeof piece, file.get()))
    bytes.insert(bytes.end(), piece, piece + got);
  if (std::ferror(file.get())) {
    fmt::print(stderr, "pantry: {}: cannot be read\n", name);
    return 1;
  }

  std::vector<std::uint64_t> words;
  for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
    std::uint64_t word = 0;
    for (unsigned n = 0; n < 8; ++n) word |= std::uint64_t{bytes[at + n]} << 8 * n;
    words.push_back(word);
  }
  fmt::print("{}", datasheet::isa::disassemble_buffer(words, GpuVa{options.address}));
  if (bytes.size() % 8 == 0) return 0;
  fmt::print(stderr, "pantry: {}: {} bytes at the end are no word\n", name, bytes.size() % 8);
  return 1;
}

}  // namespace pantry::tools
