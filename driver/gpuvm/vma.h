// SPDX-License-Identifier: MIT
//
// One mapping in a VA space: which part of which object lies at which addresses. A base class of
// the caller's: the tree points to it, never allocates, frees, copies or moves one, and knows the
// object only by its address.
#pragma once

#include <cstdint>

#include "base/check.h"
#include "base/types.h"

namespace pantry::driver {

// What a mapping is, without a place in a tree.
struct VaMapping {
  GpuRange range;
  void* object = nullptr;    // opaque; kept alive by whoever owns the Vma
  std::uint64_t offset = 0;  // bytes into the object at range.first
  std::uint32_t flags = 0;   // opaque
  constexpr bool operator==(const VaMapping&) const = default;
  // The part of it at `part`, which it contains.
  constexpr VaMapping slice(GpuRange part) const {
    return {part, object, offset + (part.first - range.first), flags};
  }
};

class Vma {
 public:
  Vma() = default;
  Vma(const Vma&) = delete;
  Vma& operator=(const Vma&) = delete;

  const VaMapping& mapping() const { return mapping_; }
  GpuRange range() const { return mapping_.range; }
  void* object() const { return mapping_.object; }
  std::uint64_t offset() const { return mapping_.offset; }
  std::uint32_t flags() const { return mapping_.flags; }
  // Whether it is in a tree.
  bool linked() const { return linked_; }

 protected:
  // Not in a tree any more (CHECK).
  ~Vma() { PANTRY_CHECK(!linked()); }

 private:
  friend class VaTree;
  friend class RemapStep;
  friend class MapStep;
  [[no_unique_address]] VaMapping mapping_;  // so that what follows lies in its padding
  bool linked_ = false;
};
static_assert(sizeof(Vma) == 40);

}  // namespace pantry::driver
