// SPDX-License-Identifier: MIT
//
// The half of the pool that allocates and frees: before a run and after it.
#include <algorithm>
#include <new>

#include "driver/gpuvm/va_node_pool.h"

namespace pantry::driver {

VaNodePool::~VaNodePool() {
  MutexLock lock(mutex_);
  PANTRY_CHECK(counts_.operations == 0 && counts_.used == 0);
  while (VaNode* const node = free_.pop()) delete node;
}

bool VaNodePool::grow() noexcept {
  VaNode* const node = new (std::nothrow) VaNode;
  if (!node) return false;
  MutexLock lock(mutex_);
  free_.push(*node);
  ++counts_.free;
  return true;
}

void VaNodePool::trim() noexcept {
  // A few at a time: others may be waiting for the lock.
  constexpr std::uint64_t kBatch = 64;
  for (;;) {
    VaNodeList surplus;
    {
      MutexLock lock(mutex_);
      const std::uint64_t kept = counts_.needed() + kKept;
      while (counts_.free > kept && surplus.count() < kBatch) {
        surplus.push(*free_.pop());
        --counts_.free;
      }
    }
    if (surplus.count() == 0) return;
    while (VaNode* const node = surplus.pop()) delete node;
  }
}

VaReserve VaReserve::for_operation(VaNodePool& pool) noexcept {
  MutexLock lock(pool.mutex_);
  ++pool.counts_.operations;
  return VaReserve(pool, Claim::kOpen);
}

VaReserve::VaReserve(VaReserve&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)),
      claim_(std::exchange(other.claim_, Claim::kNone)),
      surplus_(std::exchange(other.surplus_, Surplus::kNo)),
      taken_(other.taken_),
      in_hand_(std::move(other.in_hand_)) {}

VaReserve& VaReserve::operator=(VaReserve&& other) noexcept {
  if (this == &other) return *this;
  release();
  pool_ = std::exchange(other.pool_, nullptr);
  claim_ = std::exchange(other.claim_, Claim::kNone);
  surplus_ = std::exchange(other.surplus_, Surplus::kNo);
  taken_ = other.taken_;
  in_hand_.splice(other.in_hand_);
  return *this;
}

void VaReserve::release() noexcept {
  // In the middle of an operation.
  PANTRY_CHECK(in_hand_.count() == 0);
  if (claim_ == Claim::kOpen) {
    MutexLock lock(pool_->mutex_);
    --pool_->counts_.operations;
    surplus_ = Surplus::kYes;  // of what it had asked for
  }
  if (surplus_ == Surplus::kYes) pool_->trim();
}

}  // namespace pantry::driver
