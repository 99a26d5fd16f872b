// SPDX-License-Identifier: MIT
#include "driver/sync/fence_array.h"

#include "base/check.h"

namespace pantry::driver {

Ref<FenceArray> FenceArray::create(std::vector<Ref<Fence>> fences) {
  PANTRY_CHECK(fences.size() >= 2);
  Ref<FenceArray> array = Ref<FenceArray>::adopt(new FenceArray(std::move(fences)));
  array->arm();
  return array;
}

FenceArray::FenceArray(std::vector<Ref<Fence>> fences)
    : DerivedFence(next_context(), 1),
      fences_(std::move(fences)),
      arrivals_(std::make_unique<Arrival[]>(fences_.size())),
      missing_(fences_.size()) {}

FenceArray::~FenceArray() {
  for (std::size_t i = 0; i < fences_.size(); ++i) fences_[i]->remove_callback(arrivals_[i]);
}

void FenceArray::arm() noexcept {
  for (std::size_t i = 0; i < fences_.size(); ++i) {
    arrivals_[i].array = this;
    if (!fences_[i]->add_callback(arrivals_[i])) arrived(*fences_[i]);
  }
}

void FenceArray::arrived(Fence& fence) noexcept {
  if (const int status = fence.status(); status < 0) {
    int none = 0;
    error_.compare_exchange_strong(none, -status, std::memory_order_relaxed);
  }
  if (missing_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  signal_in_turn(fence.timestamp(), error_.load(std::memory_order_relaxed));
}

int FenceArray::early_status() const noexcept {
  int result = 1;
  for (const Ref<Fence>& fence : fences_) {
    const int status = fence->status();
    if (status == kPending) return kPending;
    if (status < 0 && result == 1) result = status;
  }
  // The first to have failed, if that is known already.
  const int error = error_.load(std::memory_order_relaxed);
  return error != 0 ? -error : result;
}

}  // namespace pantry::driver
