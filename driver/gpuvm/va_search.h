// SPDX-License-Identifier: MIT
//
// The search in the VA tree: one portable loop, compiled for what the processor can do. The choice
// is made once per tree; all of them give the same answer.
#pragma once

#include <cstdint>

#include "driver/gpuvm/va_node.h"

namespace pantry::driver {

// A node on the way from the root to a leaf, and the slot in it that was taken.
struct VaStep {
  VaNode* node;
  std::uint32_t slot;
};

enum class VaSearch { kPortable, kAvx2, kAvx512 };

// Whether this processor (and this build) can do it.
bool available(VaSearch search) noexcept;
VaSearch fastest_va_search() noexcept;

// Goes down from `root`, which stands on `levels` levels, to the slot of the first key that is not
// below `key`. Writes path[levels - 1] (the root's) to path[0] (the leaf's, whose slot may be its
// count: the key would come after all that are there).
using VaDescent = void (*)(VaNode* root, std::uint32_t levels, VaNode::Key key,
                           VaStep* path) noexcept;
// The same without the way: the step in the leaf. Nothing is written to memory, so that one lookup
// need not wait for the one before.
using VaLookup = VaStep (*)(VaNode* root, std::uint32_t levels, VaNode::Key key) noexcept;
// Pre: available.
VaDescent descent(VaSearch search) noexcept;
VaLookup lookup(VaSearch search) noexcept;

}  // namespace pantry::driver
