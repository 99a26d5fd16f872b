// SPDX-License-Identifier: MIT
#include "tools/checker_output.h"

#include <fmt/core.h>

#include <cstdio>

namespace pantry::tools {

bool print_mistakes(const std::vector<emu::CheckerReport>& mistakes, const std::string& json) {
  for (const emu::CheckerReport& mistake : mistakes) std::fputs(text_of(mistake).c_str(), stderr);
  if (json.empty()) return true;
  const std::string text = json_of(mistakes);
  std::FILE* const file = std::fopen(json.c_str(), "w");
  const bool written = file && std::fputs(text.c_str(), file) >= 0;
  if ((file && std::fclose(file) != 0) || !written) {
    fmt::print(stderr, "pantry: {}: cannot be written\n", json);
    return false;
  }
  return true;
}

}  // namespace pantry::tools
