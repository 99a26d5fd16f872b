// SPDX-License-Identifier: MIT
#include "driver/kernel/call_stack.h"

#include <execinfo.h>

#include <algorithm>

namespace pantry::driver {

void CallStack::capture() noexcept {
  std::array<void*, kDeepest> all;
  const auto depth = static_cast<std::size_t>(::backtrace(all.data(), kDeepest));
  const std::size_t own = std::min<std::size_t>(depth, 1);
  count_ = depth - own;
  std::copy(all.begin() + own, all.begin() + depth, frames_.begin());
}

}  // namespace pantry::driver
