// SPDX-License-Identifier: MIT
//
// One mapping in a VA space: which part of which object lies at which addresses. A node of the
// caller's (a base class of it): the tree links it through itself, never allocates, frees or copies
// one, and knows the object only by its address.
#pragma once

#include <cstdint>

#include "base/check.h"
#include "base/types.h"

namespace pantry::driver {

// The links of a red-black tree.
struct VaLinks {
  enum class Colour : std::uint8_t { kRed, kBlack };
  VaLinks* parent = nullptr;  // null: in no tree
  VaLinks* left = nullptr;
  VaLinks* right = nullptr;
  Colour colour = Colour::kRed;
};

// What a mapping is, without a place in a tree.
struct VaMapping {
  GpuRange range;
  void* object = nullptr;    // opaque; kept alive by whoever owns the node
  std::uint64_t offset = 0;  // bytes into the object at range.first
  std::uint32_t flags = 0;   // opaque
  constexpr bool operator==(const VaMapping&) const = default;
  // The part of it at `part`, which it contains.
  constexpr VaMapping slice(GpuRange part) const {
    return {part, object, offset + (part.first - range.first), flags};
  }
};

class Vma : private VaLinks {
 public:
  Vma() = default;
  Vma(const Vma&) = delete;
  Vma& operator=(const Vma&) = delete;

  const VaMapping& mapping() const { return mapping_; }
  GpuRange range() const { return mapping_.range; }
  void* object() const { return mapping_.object; }
  std::uint64_t offset() const { return mapping_.offset; }
  std::uint32_t flags() const { return mapping_.flags; }
  bool linked() const { return parent != nullptr; }

 protected:
  // Not in a tree any more (CHECK).
  ~Vma() { PANTRY_CHECK(!linked()); }

 private:
  friend class VaTree;
  friend class RemapStep;
  friend class MapStep;
  VaMapping mapping_;
};

}  // namespace pantry::driver
