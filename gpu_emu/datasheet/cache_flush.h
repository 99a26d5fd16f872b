// SPDX-License-Identifier: MIT
//
// What a flush does with one kind of cache: a field of GPU_COMMAND and of the stream instruction
// FLUSH_CACHE2, once for the L2, once for the load/store caches, and once for the others, which
// know only kNone and kInvalidate. Sources: [K], [M].
#pragma once

#include <cstdint>

namespace pantry::datasheet {

enum class CacheFlush : std::uint8_t {
  kNone = 0,
  kClean = 1,
  kInvalidate = 2,
  kCleanInvalidate = 3
};

}  // namespace pantry::datasheet
