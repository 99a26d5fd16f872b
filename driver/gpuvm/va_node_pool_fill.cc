// SPDX-License-Identifier: MIT
//
// The half of the pool that allocates and frees: before a run and after it.
#include "driver/gpuvm/va_node_pool.h"

namespace pantry::driver {

namespace {

// In 16 KiB: a tree of some hundred mappings. From 1 MiB on, large slabs.
constexpr std::uint32_t kSmallNodes = 9;
constexpr std::uint64_t kManyNodes = 655;

}  // namespace

VaNodePool::~VaNodePool() { PANTRY_CHECK(counts_.operations == 0 && counts_.used == 0); }

std::uint32_t VaNodePool::next_slab_nodes() const noexcept {
  if (growth_ == Growth::kByOne) return 1;
  return counts_.used + slabs_.free() < kManyNodes ? kSmallNodes : VaSlab::kLargeNodes;
}

bool VaNodePool::grow() noexcept {
  VaSlab* const slab = VaSlab::make(next_slab_nodes());
  if (!slab) return false;
  add(*slab);
  return true;
}

void VaNodePool::trim() noexcept {
  while (VaSlab* const slab = take_surplus()) VaSlab::destroy(*slab);
}

VaReserve::VaReserve(VaReserve&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)),
      claim_(std::exchange(other.claim_, Claim::kNone)),
      surplus_(std::exchange(other.surplus_, Surplus::kNo)),
      taken_(other.taken_),
      in_hand_(std::exchange(other.in_hand_, nullptr)) {}

VaReserve& VaReserve::operator=(VaReserve&& other) noexcept {
  if (this == &other) return *this;
  release();
  pool_ = std::exchange(other.pool_, nullptr);
  claim_ = std::exchange(other.claim_, Claim::kNone);
  surplus_ = std::exchange(other.surplus_, Surplus::kNo);
  taken_ = other.taken_;
  in_hand_ = std::exchange(other.in_hand_, nullptr);
  return *this;
}

void VaReserve::release() noexcept {
  // In the middle of an operation.
  PANTRY_CHECK(!in_hand_);
  abandon();
  if (forget_surplus()) pool_->trim();
}

}  // namespace pantry::driver
