// SPDX-License-Identifier: MIT
//
// What a VM remembers of its client's binds, for reports: the latest ones, and the sum of all.
// Adding is part of running a bind, so it allocates nothing.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "driver/vm/bind_plan.h"

namespace pantry::driver {

struct BindRecord {
  BindType type = BindType::kSyncOnly;
  BindMode mode = BindMode::kSync;
  std::optional<GpuRange> range;
  std::optional<Errno> error;
  BindStatistics statistics;
};

// Sees each of them.
class BindWatcher {
 public:
  // As the bind has run: under the operation lock of the VM and inside a SignallingSection, so
  // neither allocates nor waits.
  virtual void on_bind(const BindRecord& record) noexcept = 0;

 protected:
  ~BindWatcher() = default;
};

class BindHistory {
 public:
  static constexpr std::size_t kKept = 64;

  // Written where it stays: a bind is short enough for a copy to be seen.
  void add(const BindOp& op, BindMode mode, std::optional<Errno> error,
           const BindStatistics& statistics) noexcept {
    BindRecord& record = ring_[count_++ % kKept];
    record.type = op.type;
    record.mode = mode;
    record.range = op.range;
    record.error = error;
    // Field by field, since they have just been computed: a copy of the whole would wait for that
    // to reach memory.
    record.statistics = {};
    record.statistics.add(statistics);
    total_.add(statistics);
    if (watcher_) watcher_->on_bind(record);
  }
  // Null: nobody.
  void watch(BindWatcher* watcher) noexcept { watcher_ = watcher; }
  std::uint64_t count() const { return count_; }
  const BindStatistics& total() const { return total_; }
  // Copies the latest, oldest first; returns how many.
  std::size_t latest(std::span<BindRecord, kKept> to) const noexcept {
    const std::size_t kept = std::min<std::uint64_t>(count_, kKept);
    for (std::size_t i = 0; i < kept; ++i) to[i] = ring_[(count_ - kept + i) % kKept];
    return kept;
  }

 private:
  std::array<BindRecord, kKept> ring_;
  std::uint64_t count_ = 0;
  BindStatistics total_;
  BindWatcher* watcher_ = nullptr;
};

}  // namespace pantry::driver
