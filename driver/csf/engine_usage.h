// SPDX-License-Identifier: MIT
//
// What the jobs of one client have taken of the GPU, as far as they were profiled. Read for fdinfo,
// added to where jobs finish; outlives the client as long as a job of its does.
//
// Any thread, no lock. Allocates nothing but itself.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/ref.h"

namespace pantry::driver {

class EngineUsage final : public RefCounted {
 public:
  struct Totals {
    std::uint64_t cycles = 0;  // of the GPU's clock, while they are counted
    std::uint64_t ticks = 0;   // of the system counter
  };

  void add(const Totals& job) noexcept {
    cycles_.fetch_add(job.cycles, std::memory_order_relaxed);
    ticks_.fetch_add(job.ticks, std::memory_order_relaxed);
  }
  Totals totals() const noexcept {
    return {cycles_.load(std::memory_order_relaxed), ticks_.load(std::memory_order_relaxed)};
  }

 private:
  ~EngineUsage() override = default;

  std::atomic<std::uint64_t> cycles_{0};
  std::atomic<std::uint64_t> ticks_{0};
};

}  // namespace pantry::driver
