// SPDX-License-Identifier: MIT
//
// The address space of a VM as its driver sees it: which mapping lies where, and the algebra of
// changing that. A map replaces whatever it overlaps; an unmap removes it; what sticks out stays,
// with its offset and its own flags. A range with nothing in it is a success. Neighbours are never
// merged.
//
// It allocates nothing: a map consumes at most kNodesForMap preallocated nodes, an unmap
// kNodesForUnmap. It has no lock of its own: the VM's operation lock serialises all calls.
#pragma once

#include <cstdint>
#include <optional>

#include "driver/gpuvm/va_steps.h"
#include "driver/gpuvm/va_tree.h"

namespace pantry::driver {

class VaSpace {
 public:
  // The new mapping and a remainder on each side of it.
  static constexpr std::uint32_t kNodesForMap = 3;
  static constexpr std::uint32_t kNodesForUnmap = 2;

  explicit VaSpace(GpuRange whole) : whole_(whole) {}
  // Empty by then (CHECK).
  ~VaSpace();
  VaSpace(const VaSpace&) = delete;
  VaSpace& operator=(const VaSpace&) = delete;

  GpuRange whole() const { return whole_; }

  // Pre: the range is in whole().
  void map(const VaMapping& mapping, StepVisitor& visitor) noexcept;
  void unmap(GpuRange range, StepVisitor& visitor) noexcept;

  // The mapping at `va`, or null.
  Vma* find(GpuVa va) const noexcept;
  // The first mapping that touches `range`, or null; next_in gives those after it.
  Vma* first_in(GpuRange range) const noexcept;
  Vma* next_in(const Vma& vma, GpuRange range) const noexcept;
  // visit(Vma&) in address order. The visitor may take the mapping it is given out of the tree.
  template <class Visit>
  void for_each(GpuRange range, Visit visit) const {
    for (Vma* vma = first_in(range); vma;) {
      Vma* const next = next_in(*vma, range);
      visit(*vma);
      vma = next;
    }
  }
  bool empty() const noexcept { return tree_.empty(); }

  // The smallest hole in `within` that holds `size` bytes at a multiple of `alignment` (a power of
  // two), and the lowest such: where the mapping would go. Linear in the number of mappings.
  std::optional<GpuRange> best_fit(std::uint64_t size, std::uint64_t alignment,
                                   GpuRange within) const noexcept;

 private:
  void clear(GpuRange range, const VaMapping* replacement, StepVisitor& visitor) noexcept;

  const GpuRange whole_;
  VaTree tree_;
};

}  // namespace pantry::driver
