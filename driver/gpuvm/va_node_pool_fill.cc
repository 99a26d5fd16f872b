// SPDX-License-Identifier: MIT
//
// The half of the pool that allocates and frees: before a run and after it.
#include "driver/gpuvm/va_node_pool.h"

namespace pantry::driver {

namespace {

// In 16 KiB: a tree of some hundred mappings. From 1 MiB on, large slabs.
constexpr std::uint32_t kSmallNodes = 18;
constexpr std::uint64_t kManyNodes = 1260;

}  // namespace

VaNodePool::~VaNodePool() {
  MutexLock lock(mutex_);
  PANTRY_CHECK(counts_.operations == 0 && counts_.used == 0);
}

bool VaNodePool::grow() noexcept {
  std::uint32_t nodes = 1;
  if (growth_ == Growth::kBySize) {
    MutexLock lock(mutex_);
    nodes = counts_.used + slabs_.free() < kManyNodes ? kSmallNodes : VaSlab::kLargeNodes;
  }
  VaSlab* const slab = VaSlab::make(nodes);
  if (!slab) return false;
  MutexLock lock(mutex_);
  slabs_.add(*slab);
  return true;
}

void VaNodePool::trim() noexcept {
  for (;;) {
    VaSlab* slab = nullptr;
    {
      MutexLock lock(mutex_);
      if (!has_surplus()) return;
      slab = slabs_.empty();
      slabs_.drop(*slab);
    }
    VaSlab::destroy(*slab);
  }
}

VaReserve::VaReserve(VaReserve&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)),
      claim_(std::exchange(other.claim_, Claim::kNone)),
      surplus_(std::exchange(other.surplus_, Surplus::kNo)),
      complete_(other.complete_),
      taken_(other.taken_),
      in_hand_(std::exchange(other.in_hand_, nullptr)) {}

VaReserve& VaReserve::operator=(VaReserve&& other) noexcept {
  if (this == &other) return *this;
  release();
  pool_ = std::exchange(other.pool_, nullptr);
  claim_ = std::exchange(other.claim_, Claim::kNone);
  surplus_ = std::exchange(other.surplus_, Surplus::kNo);
  complete_ = other.complete_;
  taken_ = other.taken_;
  in_hand_ = std::exchange(other.in_hand_, nullptr);
  return *this;
}

void VaReserve::release() noexcept {
  // In the middle of an operation.
  PANTRY_CHECK(!in_hand_);
  if (claim_ == Claim::kOpen) {
    MutexLock lock(pool_->mutex_);
    --pool_->counts_.operations;
    surplus_ = Surplus::kYes;  // of what it had asked for
  }
  if (surplus_ == Surplus::kYes) pool_->trim();
}

}  // namespace pantry::driver
