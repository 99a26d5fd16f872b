// SPDX-License-Identifier: MIT
#include "driver/gem/zero_frames.h"

#include <cstring>

#include "base/check.h"

namespace pantry::driver {

void zero_frames(const emu::Dram& dram, PhysExtent frames) noexcept {
  auto* const bytes = static_cast<std::uint8_t*>(dram.at(frames.start, frames.size));
  PANTRY_CHECK(bytes && is_aligned(frames.size, kPageSize));
  for (std::uint64_t at = 0; at < frames.size; at += kPageSize) {
    std::uint8_t* const page = bytes + at;
    // All bytes are equal to the first, and the first is 0.
    if (page[0] == 0 && std::memcmp(page, page + 1, kPageSize - 1) == 0) continue;
    std::memset(page, 0, kPageSize);
  }
}

}  // namespace pantry::driver
