// SPDX-License-Identifier: MIT
//
// For tests only: a plain fence, and callbacks that count or call a function object.
#pragma once

#include <utility>

#include "driver/sync/fence.h"

namespace pantry::driver {

class TestFence final : public Fence {
 public:
  TestFence() : Fence(next_context(), 1) {}
  TestFence(std::uint64_t context, std::uint64_t seqno) : Fence(context, seqno) {}
  const char* driver_name() const noexcept override { return "test"; }
  const char* timeline_name() const noexcept override { return "test-line"; }
};

template <class Function>
class TestCallback final : public FenceCallback {
 public:
  explicit TestCallback(Function function) : function_(std::move(function)) {}
  void on_signalled(Fence& fence) noexcept override { function_(fence); }

 private:
  Function function_;
};

}  // namespace pantry::driver
