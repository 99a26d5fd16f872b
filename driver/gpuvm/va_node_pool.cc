// SPDX-License-Identifier: MIT
//
// The half of the pool that runs use: nothing here reaches an allocator.
#include "driver/gpuvm/va_node_pool.h"

namespace pantry::driver {

VaNodeStatistics VaNodePool::statistics() const noexcept {
  VaNodeStatistics counts = counts_;
  counts.free = slabs_.free();
  return counts;
}

VaSlab* VaNodePool::take_surplus() noexcept {
  if (!has_surplus()) return nullptr;
  VaSlab* const slab = slabs_.empty();
  slabs_.drop(*slab);
  return slab;
}

VaNode& VaReserve::take() noexcept {
  if (in_hand_) return *std::exchange(in_hand_, in_hand_->next_free);
  PANTRY_CHECK(claim_ == Claim::kOpen && taken_ < kVaNodesPerOp);
  ++taken_;
  VaNode* const node = pool_->slabs_.take();
  PANTRY_CHECK(node);
  ++pool_->counts_.used;
  return *node;
}

void VaReserve::give(VaNode& node) noexcept { node.next_free = std::exchange(in_hand_, &node); }

void VaReserve::finish(std::uint64_t mappings) noexcept {
  PANTRY_CHECK(pool_);
  VaNodeStatistics& counts = pool_->counts_;
  while (in_hand_) {
    pool_->slabs_.give(*std::exchange(in_hand_, in_hand_->next_free));
    --counts.used;
  }
  counts.mappings = mappings;
  if (claim_ == Claim::kOpen) --counts.operations;
  claim_ = Claim::kNone;
  if (pool_->has_surplus()) surplus_ = Surplus::kYes;
}

}  // namespace pantry::driver
