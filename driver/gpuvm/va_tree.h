// SPDX-License-Identifier: MIT
//
// The mappings of a VA space in address order: five verbs over an intrusive balanced tree. Mappings
// never overlap, so an ordered tree is enough: the first one that touches a range is the one before
// it, if that reaches into it, or the next. Allocates nothing. No lock of its own.
#pragma once

#include "driver/gpuvm/vma.h"

namespace pantry::driver {

class VaTree {
 public:
  VaTree() noexcept;
  VaTree(const VaTree&) = delete;
  VaTree& operator=(const VaTree&) = delete;

  // Pre: in no tree, and nothing in this one overlaps it.
  void insert(Vma& vma) noexcept;
  // Pre: in this tree.
  void erase(Vma& vma) noexcept;
  // The first mapping whose last address is not below `va`, or null.
  Vma* at_or_after(GpuVa va) const noexcept;
  // The mapping that follows, or null.
  Vma* next(const Vma& vma) const noexcept;
  bool empty() const noexcept;

 private:
  static VaLinks* links_of(Vma& vma) noexcept;
  static Vma* vma_of(VaLinks* links) noexcept;

  // Its parent is the root, its left the first and its right the last node.
  VaLinks header_;
};

}  // namespace pantry::driver
