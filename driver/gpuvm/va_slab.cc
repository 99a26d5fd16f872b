// SPDX-License-Identifier: MIT
//
// The half of the slabs that runs use: nothing here reaches an allocator.
#include "driver/gpuvm/va_slab.h"

#include <utility>

#include "base/check.h"

namespace pantry::driver {

VaNode& VaSlab::take() noexcept {
  ++used_;
  if (free_) return *std::exchange(free_, free_->next_free);
  // The slab itself lies in the place of the first.
  VaNode& node = reinterpret_cast<VaNode*>(this)[++touched_];
  node.slab = this;
  return node;
}

void VaSlab::give(VaNode& node) noexcept {
  node.next_free = std::exchange(free_, &node);
  --used_;
}

void VaSlabList::add(VaSlab& slab) noexcept {
  empty_.push_front(slab);
  free_ += slab.nodes();
}

VaNode* VaSlabList::take() noexcept {
  if (partial_.empty()) {
    if (empty_.empty()) return nullptr;
    partial_.splice(partial_.begin(), empty_, empty_.begin());
  }
  VaSlab& slab = partial_.front();
  VaNode& node = slab.take();
  if (slab.full()) partial_.pop_front();
  --free_;
  return &node;
}

void VaSlabList::give(VaNode& node) noexcept {
  VaSlab& slab = *node.slab;
  if (slab.full()) partial_.push_front(slab);
  slab.give(node);
  if (slab.empty()) empty_.splice(empty_.begin(), partial_, partial_.iterator_to(slab));
  ++free_;
}

void VaSlabList::drop(VaSlab& slab) noexcept {
  PANTRY_CHECK(slab.empty());
  empty_.erase(empty_.iterator_to(slab));
  free_ -= slab.nodes();
}

}  // namespace pantry::driver
