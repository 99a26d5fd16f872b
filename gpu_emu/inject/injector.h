// SPDX-License-Identifier: MIT
//
// Makes a device misbehave by plan. Plans may be added and taken back at any time, from any thread;
// several may be in force, and each counts its own occasions from when it was added.
//
// Own leaf lock, taken under the device's. While no plan of a kind is in force, its question costs
// one relaxed load. Allocates in add() alone.
#pragma once

#include <atomic>
#include <cstdint>
#include <iterator>
#include <optional>
#include <vector>

#include "base/mutex.h"
#include "gpu_emu/inject/fault_plan.h"

namespace pantry::emu {

class Injector final : public Misbehaviour {
 public:
  Injector() { active_.reserve(kMaxActive); }
  ~Injector() = default;

  // CHECK: `every` is at least 1, and no more than kMaxActive plans are in force.
  void add(const FaultPlan& plan);
  // No plan is in force any more. What was hit stays hit.
  void clear();
  // How often the kind has been hit, ever.
  std::uint64_t hits(FaultKind kind) const;
  static constexpr std::size_t kMaxActive = 64;

  bool loses_interrupt(Line line) override;
  bool as_command_sticks(std::uint32_t as) override;
  Duration extra_flush_time() override;
  Duration acknowledge_delay() override;
  bool firmware_hangs() override;
  bool corrupts_suspend_buffer() override;
  std::uint64_t flipped_pte_bits(std::uint32_t as) override;

 private:
  struct Active {
    FaultPlan plan;
    std::uint64_t occasions = 0;
    std::uint64_t hits = 0;
  };
  static constexpr std::uint32_t bit(FaultKind kind) { return 1u << static_cast<unsigned>(kind); }
  // Counts an occasion for the plans of `kind` that `applies(plan)`: one that hits it, if any does.
  template <class Applies>
  std::optional<FaultPlan> hit(FaultKind kind, Applies applies);

  std::atomic<std::uint32_t> kinds_{0};  // with a plan in force
  mutable Mutex mutex_;
  std::vector<Active> active_ PANTRY_GUARDED_BY(mutex_);
  std::uint64_t hits_[std::size(kFaultKinds)] PANTRY_GUARDED_BY(mutex_) = {};
};

}  // namespace pantry::emu
