// SPDX-License-Identifier: MIT
//
// A fence that signals when all of its fences have. As in Linux it carries the first error that one
// of them signalled. Made by merge() (fence_merge.h); allocates at creation only.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "driver/sync/derived_fence.h"

namespace pantry::driver {

class FenceArray final : public DerivedFence {
 public:
  // `fences`: two or more, none of them a container. Throws bad_alloc.
  static Ref<FenceArray> create(std::vector<Ref<Fence>> fences) PANTRY_MAY_ALLOCATE;

  const char* driver_name() const noexcept override { return "dma_fence_array"; }
  const char* timeline_name() const noexcept override { return "unbound"; }

  std::span<const Ref<Fence>> fences() const noexcept { return fences_; }

 private:
  class Arrival final : public FenceCallback {
   public:
    void on_signalled(Fence& fence) noexcept override { array->arrived(fence); }
    FenceArray* array = nullptr;
  };
  explicit FenceArray(std::vector<Ref<Fence>> fences) PANTRY_MAY_ALLOCATE;
  ~FenceArray() override;
  int early_status() const noexcept override;
  void arm() noexcept;
  void arrived(Fence& fence) noexcept;

  const std::vector<Ref<Fence>> fences_;
  const std::unique_ptr<Arrival[]> arrivals_;
  std::atomic<std::size_t> missing_;
  std::atomic<int> error_{0};
};

}  // namespace pantry::driver
