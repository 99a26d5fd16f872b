// SPDX-License-Identifier: MIT
//
// Our VA space in the shape of linux_va_space. Each change makes its claim on the nodes of the tree
// as the driver's prepare does, and so pays for more than Linux's side, whose nodes wait on a list.
// The only file of the benchmarks that knows how VaSpace takes its nodes.
#pragma once

#include <cstdint>

#include "driver/gpuvm/va_node_pool.h"
#include "driver/gpuvm/va_space.h"

namespace pantry::bench {

class OurVaSpace {
 public:
  explicit OurVaSpace(std::uint64_t size);
  // Unmaps what is left.
  ~OurVaSpace();
  OurVaSpace(const OurVaSpace&) = delete;
  OurVaSpace& operator=(const OurVaSpace&) = delete;

  // Replaces what it overlaps.
  void map(const driver::VaMapping& mapping);
  void unmap(GpuRange range);
  // The offset of `va` in the object that is mapped there; ~0 when none is.
  std::uint64_t find(GpuVa va) const {
    const std::optional<driver::VaMapping> found = space_.find(va);
    return found ? found->offset + (va - found->range.first) : ~std::uint64_t{0};
  }
  // visit(const VaMapping&) in address order.
  template <class Visit>
  void for_each(Visit visit) const {
    space_.for_each(space_.whole(), visit);
  }
  // Walks the whole tree.
  driver::VaTree::Shape shape() const { return space_.check_tree(); }

 private:
  // Performs the steps on the tree and nothing else.
  class Steps final : public driver::StepVisitor {
    driver::Done<driver::UnmapStep> unmap(driver::UnmapStep step) noexcept override;
    driver::Done<driver::KeepLeftStep> keep_left(driver::KeepLeftStep step) noexcept override;
    driver::Done<driver::KeepRightStep> keep_right(driver::KeepRightStep step) noexcept override;
    driver::Done<driver::KeepBothStep> keep_both(driver::KeepBothStep step) noexcept override;
    driver::Done<driver::MapStep> map(driver::MapStep step) noexcept override;
  };
  driver::VaReserve claim();

  driver::VaNodePool pool_;
  driver::VaSpace space_;
  Steps steps_;
};

}  // namespace pantry::bench
