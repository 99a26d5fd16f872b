// SPDX-License-Identifier: MIT
//
// The half of the pool that runs use: nothing here reaches an allocator.
#include "driver/gpuvm/va_node_pool.h"

namespace pantry::driver {

VaNodeStatistics VaNodePool::statistics() const noexcept {
  MutexLock lock(mutex_);
  return counts_;
}

bool VaReserve::incomplete() const noexcept {
  PANTRY_CHECK(claim_ == Claim::kOpen);
  MutexLock lock(pool_->mutex_);
  return pool_->counts_.free < pool_->counts_.needed();
}

VaNode& VaReserve::take() noexcept {
  if (VaNode* const node = in_hand_.pop()) return *node;
  PANTRY_CHECK(claim_ == Claim::kOpen && taken_ < kVaNodesPerOp);
  ++taken_;
  MutexLock lock(pool_->mutex_);
  VaNode* const node = pool_->free_.pop();
  PANTRY_CHECK(node);
  --pool_->counts_.free;
  ++pool_->counts_.used;
  return *node;
}

void VaReserve::finish(std::uint64_t mappings) noexcept {
  PANTRY_CHECK(pool_);
  MutexLock lock(pool_->mutex_);
  VaNodeStatistics& counts = pool_->counts_;
  counts.free += in_hand_.count();
  counts.used -= in_hand_.count();
  pool_->free_.splice(in_hand_);
  counts.mappings = mappings;
  if (claim_ == Claim::kOpen) --counts.operations;
  claim_ = Claim::kNone;
  if (counts.free > counts.needed() + VaNodePool::kKept) surplus_ = Surplus::kYes;
}

}  // namespace pantry::driver
