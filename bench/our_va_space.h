// SPDX-License-Identifier: MIT
//
// Our VA space with its nodes allocated beforehand, in the shape of linux_va_space. The only file
// of the benchmarks that knows how VaSpace takes its nodes.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "driver/gpuvm/va_space.h"

namespace pantry::bench {

class OurVaSpace {
 public:
  // `nodes`: how many mappings there can be, plus those that a change needs for a moment.
  OurVaSpace(std::uint64_t size, std::uint32_t nodes);
  // Unmaps what is left.
  ~OurVaSpace();
  OurVaSpace(const OurVaSpace&) = delete;
  OurVaSpace& operator=(const OurVaSpace&) = delete;

  // Replaces what it overlaps.
  void map(const driver::VaMapping& mapping) { space_.map(mapping, nodes_); }
  void unmap(GpuRange range) { space_.unmap(range, nodes_); }
  // The offset of `va` in the object that is mapped there; ~0 when none is.
  std::uint64_t find(GpuVa va) const {
    const driver::Vma* const vma = space_.find(va);
    return vma ? vma->offset() + (va - vma->range().first) : ~std::uint64_t{0};
  }
  // visit(const VaMapping&) in address order.
  template <class Visit>
  void for_each(Visit visit) const {
    space_.for_each(space_.whole(), [&](const driver::Vma& vma) { visit(vma.mapping()); });
  }

 private:
  struct Node final : driver::Vma {
    Node* next = nullptr;  // among the free ones
  };
  // A stack of free nodes, the last one freed on top; performs the steps with them.
  class Nodes final : public driver::StepVisitor {
   public:
    explicit Nodes(std::uint32_t count);
    driver::Done<driver::UnmapStep> unmap(driver::UnmapStep step) noexcept override;
    driver::Done<driver::KeepLeftStep> keep_left(driver::KeepLeftStep step) noexcept override;
    driver::Done<driver::KeepRightStep> keep_right(driver::KeepRightStep step) noexcept override;
    driver::Done<driver::KeepBothStep> keep_both(driver::KeepBothStep step) noexcept override;
    driver::Done<driver::MapStep> map(driver::MapStep step) noexcept override;

   private:
    Node& take();
    void give_back(driver::Vma& vma);
    std::unique_ptr<Node[]> nodes_;
    Node* free_ = nullptr;
  };

  Nodes nodes_;
  driver::VaSpace space_;
};

}  // namespace pantry::bench
