// SPDX-License-Identifier: MIT
//
// Where a word stands in a block of shared memory.
#pragma once

#include <cstdint>

namespace pantry::datasheet {

// Bytes from the start of the block.
using Offset = std::uint32_t;

}  // namespace pantry::datasheet
