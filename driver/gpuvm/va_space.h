// SPDX-License-Identifier: MIT
//
// The address space of a VM as its driver sees it: which mapping lies where, and the algebra of
// changing that. A map replaces whatever it overlaps; an unmap removes it; what sticks out stays,
// with its offset and its own flags. A range with nothing in it is a success. Neighbours are never
// merged.
//
// Mappings are values, which lie in the leaves of the tree: a map or an unmap allocates nothing,
// and takes the nodes of the tree from a VaReserve (va_node_pool.h), which it finishes. No lock of
// its own: the VM's operation lock serialises all calls.
#pragma once

#include <cstdint>
#include <optional>

#include "driver/gpuvm/va_steps.h"
#include "driver/gpuvm/va_tree.h"

namespace pantry::driver {

class VaSpace {
 public:
  // Pre: `whole` ends below 2^48 (CHECK).
  explicit VaSpace(GpuRange whole, VaSearch search = fastest_va_search()) noexcept;
  // Empty by then (CHECK).
  ~VaSpace();
  VaSpace(const VaSpace&) = delete;
  VaSpace& operator=(const VaSpace&) = delete;

  GpuRange whole() const { return whole_; }

  // Pre: the range is in whole(), and consists of whole pages (CHECK); the mapping fits a
  // VaRecord (CHECK). `nodes` is complete, or, for an unmap that no mapping sticks out of, one for
  // a removal.
  void map(const VaMapping& mapping, VaReserve& nodes, StepVisitor& visitor) noexcept;
  void unmap(GpuRange range, VaReserve& nodes, StepVisitor& visitor) noexcept;

  // The mapping at `va`, if there is one.
  std::optional<VaMapping> find(GpuVa va) const noexcept { return tree_.find(va); }
  // The first mapping that touches `range`; next_in gives those after it, each with a search.
  std::optional<VaMapping> first_in(GpuRange range) const noexcept;
  std::optional<VaMapping> next_in(const VaMapping& mapping, GpuRange range) const noexcept;
  // visit(const VaMapping&) in address order. The visitor leaves the space as it is.
  template <class Visit>
  void for_each(GpuRange range, Visit visit) const {
    for (VaTree::Cursor at = tree_.seek(range.first); at && at.range().first <= range.last;
         tree_.advance(at))
      visit(at.mapping());
  }
  bool empty() const noexcept { return tree_.empty(); }
  // For tests and reports.
  VaTree::Shape check_tree() const noexcept { return tree_.check(); }

  // The smallest hole in `within` that holds `size` bytes at a multiple of `alignment` (a power of
  // two), and the lowest such: where the mapping would go. Linear in the number of mappings.
  std::optional<GpuRange> best_fit(std::uint64_t size, std::uint64_t alignment,
                                   GpuRange within) const noexcept;

 private:
  static void clear(VaEdit& edit, StepVisitor& visitor) noexcept;

  void check_range(GpuRange range) const noexcept;

  const GpuRange whole_;
  VaTree tree_;
};

}  // namespace pantry::driver
