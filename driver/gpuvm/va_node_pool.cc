// SPDX-License-Identifier: MIT
//
// The half of the pool that runs use: nothing here reaches an allocator.
#include "driver/gpuvm/va_node_pool.h"

namespace pantry::driver {

VaReserve VaReserve::for_operation(VaNodePool& pool) noexcept {
  VaReserve nodes(pool, Claim::kOpen);
  MutexLock lock(pool.mutex_);
  ++pool.counts_.operations;
  nodes.complete_ = !pool.lacks_nodes();
  return nodes;
}

VaNodeStatistics VaNodePool::statistics() const noexcept {
  MutexLock lock(mutex_);
  VaNodeStatistics counts = counts_;
  counts.free = slabs_.free();
  return counts;
}

bool VaNodePool::lacks_nodes() const noexcept { return slabs_.free() < counts_.needed(); }

bool VaNodePool::has_surplus() const noexcept {
  const VaSlab* const slab = slabs_.empty();
  return slab && slabs_.free() >= counts_.needed() + kKept + slab->nodes();
}

bool VaReserve::incomplete() const noexcept {
  PANTRY_CHECK(claim_ == Claim::kOpen);
  if (complete_) return false;
  MutexLock lock(pool_->mutex_);
  return pool_->lacks_nodes();
}

VaNode& VaReserve::take() noexcept {
  if (in_hand_) return *std::exchange(in_hand_, in_hand_->next_free);
  PANTRY_CHECK(claim_ == Claim::kOpen && taken_ < kVaNodesPerOp);
  ++taken_;
  MutexLock lock(pool_->mutex_);
  VaNode* const node = pool_->slabs_.take();
  PANTRY_CHECK(node);
  ++pool_->counts_.used;
  return *node;
}

void VaReserve::give(VaNode& node) noexcept { node.next_free = std::exchange(in_hand_, &node); }

void VaReserve::finish(std::uint64_t mappings) noexcept {
  PANTRY_CHECK(pool_);
  MutexLock lock(pool_->mutex_);
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
