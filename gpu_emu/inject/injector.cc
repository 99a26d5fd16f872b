// SPDX-License-Identifier: MIT
#include "gpu_emu/inject/injector.h"

#include "base/check.h"

namespace pantry::emu {
namespace {

constexpr auto kAlways = [](const FaultPlan&) { return true; };

// A driver that cannot reach its firmware's memory has lost before it began.
bool means(const FaultPlan& plan, std::uint32_t as) { return plan.as ? *plan.as == as : as != 0; }

}  // namespace

void Injector::add(const FaultPlan& plan) {
  PANTRY_CHECK(plan.every != 0);
  MutexLock lock(mutex_);
  PANTRY_CHECK(active_.size() < kMaxActive);
  active_.push_back({plan});
  kinds_.fetch_or(bit(plan.kind));
}

void Injector::clear() {
  MutexLock lock(mutex_);
  kinds_ = 0;
  active_.clear();
}

std::uint64_t Injector::hits(FaultKind kind) const {
  MutexLock lock(mutex_);
  return hits_[static_cast<std::size_t>(kind)];
}

template <class Applies>
std::optional<FaultPlan> Injector::hit(FaultKind kind, Applies applies) {
  if ((kinds_.load(std::memory_order_relaxed) & bit(kind)) == 0) return std::nullopt;
  MutexLock lock(mutex_);
  std::optional<FaultPlan> found;
  for (Active& active : active_) {
    const FaultPlan& plan = active.plan;
    if (plan.kind != kind || !applies(plan)) continue;
    const std::uint64_t occasion = active.occasions++;
    if (plan.times != 0 && active.hits == plan.times) continue;
    if (occasion < plan.after || (occasion - plan.after) % plan.every != 0) continue;
    ++active.hits;
    found = plan;
  }
  if (found) ++hits_[static_cast<std::size_t>(kind)];
  return found;
}

bool Injector::loses_interrupt(Line line) {
  return hit(FaultKind::kLostInterrupt, [&](const FaultPlan& plan) { return plan.line == line; })
      .has_value();
}

bool Injector::as_command_sticks(std::uint32_t as) {
  return hit(FaultKind::kStuckAsCommand, [&](const FaultPlan& plan) { return means(plan, as); })
      .has_value();
}

Duration Injector::extra_flush_time() {
  const auto plan = hit(FaultKind::kSlowFlush, kAlways);
  return plan ? plan->delay : Duration{};
}

Duration Injector::acknowledge_delay() {
  const auto plan = hit(FaultKind::kLateAcknowledge, kAlways);
  return plan ? plan->delay : Duration{};
}

bool Injector::firmware_hangs() { return hit(FaultKind::kFirmwareHang, kAlways).has_value(); }

bool Injector::corrupts_suspend_buffer() {
  return hit(FaultKind::kCorruptedSuspendBuffer, kAlways).has_value();
}

std::uint64_t Injector::flipped_pte_bits(std::uint32_t as) {
  const auto plan =
      hit(FaultKind::kPteBitFlip, [&](const FaultPlan& plan) { return means(plan, as); });
  return plan ? std::uint64_t{1} << plan->bit : 0;
}

}  // namespace pantry::emu
