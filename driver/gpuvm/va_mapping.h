// SPDX-License-Identifier: MIT
//
// One mapping in a VA space: which part of which object lies at which addresses. A value; the tree
// knows the object only by its address. Whole pages; flags in 12 bits, an object below 2^48 and an
// offset below 2^56 (VaRecord::packable).
#pragma once

#include <cstdint>

#include "base/types.h"

namespace pantry::driver {

struct VaMapping {
  GpuRange range;
  void* object = nullptr;    // opaque; kept alive by whoever performs the steps (va_steps.h)
  std::uint64_t offset = 0;  // bytes into the object at range.first
  std::uint32_t flags = 0;   // opaque
  constexpr bool operator==(const VaMapping&) const = default;
  // The part of it at `part`, which it contains.
  constexpr VaMapping slice(GpuRange part) const {
    return {part, object, offset + (part.first - range.first), flags};
  }
};

}  // namespace pantry::driver
