// SPDX-License-Identifier: MIT
#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace pantry {

void check_failed(const char* file, int line, const char* condition) noexcept {
  std::fprintf(stderr, "pantry: bug: %s:%d: CHECK(%s)\n", file, line, condition);
  std::abort();
}

}  // namespace pantry
