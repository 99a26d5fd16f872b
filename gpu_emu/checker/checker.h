// SPDX-License-Identifier: MIT
//
// The MMU checker: a sanitizer for GPU MMU drivers. It stands beside the MMU, sees what is cached
// and what the driver commands, and reports what would go wrong on hardware, whether or not it went
// wrong this time.
//
//   1. By the device alone. A cached entry, leaf or table, that memory no longer has is a mistake
//      when it is used, or when it outlives the flush that the driver made for its change. It is
//      none while the driver is at work: as long as the region around it is locked, or, for drivers
//      that edit first, until the next flush of the address space. Also: commands without a lock,
//      while another one is active, or that UPDATE was forgotten after; an address space that is
//      changed under a running group.
//   2. By the owners of frames, for drivers whose allocator feeds the FrameLedger. A walk through a
//      table that was given back, a cached translation to a frame that has changed hands since.
//
// A driver that keeps the rules gets no report, whatever the interleaving, with every kind of
// caching (Quirks::Caching). The reverse does not hold: a mistake that never meets a cached entry
// is not seen, which is what sticky and speculative caching are for.
//
// The watch half runs under the device's lock and allocates nothing. Reports are under a leaf lock:
// reports() and total() from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <vector>

#include "gpu_emu/checker/command_history.h"
#include "gpu_emu/checker/comparison.h"
#include "gpu_emu/checker/frame_ledger.h"
#include "gpu_emu/checker/report.h"
#include "gpu_emu/mmu/mmu_watch.h"
#include "gpu_emu/ports.h"

namespace pantry::emu {

class Checker final : public MmuWatch {
 public:
  // In which order the driver changes tables of an address space that is on.
  enum class EditOrder : std::uint8_t {
    kLockEditUnlock,  // the newest Panthor, and ours
    kEditLockFlush,   // Panthor of Linux 6.12
  };
  enum class OnMistake : std::uint8_t {
    kKeep,   // for reports()
    kAbort,  // text to stderr, and the process ends
  };
  struct Config {
    EditOrder order = EditOrder::kLockEditUnlock;
    OnMistake on_mistake = OnMistake::kKeep;
    // Layer 2. Whoever allocates frames of this memory tells it; null: nobody does. Outlives the
    // checker.
    const FrameLedger* ledger = nullptr;
  };
  static constexpr std::size_t kMaxReports = 256;

  // Allocates room for the reports.
  Checker(const Dram& dram, const Config& config);
  Checker(const Checker&) = delete;
  Checker& operator=(const Checker&) = delete;

  // The first kMaxReports different ones, in order. Allocates.
  std::vector<CheckerReport> reports() const;
  // Those that were not kept included.
  std::uint64_t total() const;

  // MmuWatch.
  void on_command(const WatchedSpace& space, const WatchedCommand& command) override;
  void examine(const WatchedSpace& space, const CachedTranslation& cached) override;
  void examined() override;
  void on_lost_command(const WatchedSpace& space, std::uint32_t command) override;
  void on_disturbed_command(const WatchedSpace& space, std::uint32_t offset) override;
  void on_fetch(const WatchedSpace& space, GpuVa va, FetchedEntry entry) override;
  void on_cached(const WatchedSpace& space, GpuVa va, const CachedTranslation& cached) override;
  void on_overlap(const WatchedSpace& space, const CachedTranslation& cached) override;
  void on_used(const WatchedSpace& space, GpuVa va, const CachedTranslation& cached) override;
  void on_fault(const WatchedSpace& space, GpuVa va) override;
  void on_reset() override;

 private:
  using Command = CommandRecord::Command;

  // What the checker knows of one address space.
  struct Space {
    std::uint64_t lock_number = 0;     // of the latest LOCK
    std::uint64_t release_number = 0;  // of the latest flush
    std::uint64_t root_stamp = 0;      // changes of owners when UPDATE committed the tables
    std::uint64_t root_owner = 0;
  };
  // What was seen of a cached entry.
  struct CachedWord {
    CacheTag tag;
    std::uint64_t word = 0;
    std::uint64_t number = 0;  // of the latest command then; 0: empty
  };
  // The command being examined.
  struct Current {
    CommandRecord record;
    std::uint32_t changed_dropped = 0;    // entries that it drops and that had changed
    std::uint32_t unchanged_dropped = 0;  // and that had not
    std::size_t first_drop = 0;           // in drops_
  };

  void check_command(const WatchedSpace& space, const WatchedCommand& command);
  void examine_lock(const WatchedSpace& space, const CachedTranslation& cached);
  void examine_release(const WatchedSpace& space, const CachedTranslation& cached);
  // Whether the owner of the frame at `pa` has changed since `cached` was, and reports it.
  bool check_owner(const WatchedSpace& space, GpuVa va, const CachedTranslation& cached,
                   PhysAddr pa);
  Mistake name_of_uncovered(const CachedTranslation& cached, Difference difference) const;
  void note_use(const CachedTranslation& cached);
  Mistake diagnose(const CachedTranslation& cached, Difference difference) const;
  CheckerReport describe(Mistake mistake, GpuVa va, const CachedTranslation& cached,
                         const Comparison& comparison) const;
  void report(CheckerReport report);
  void report_command(Mistake mistake, const WatchedSpace& space, std::uint32_t value);
  void report_entry(Mistake mistake, GpuVa va, const CachedTranslation& cached,
                    const Comparison& comparison);

  const Dram dram_;
  const Config config_;

  // Under the device's lock.
  CommandHistory history_;
  std::array<Space, datasheet::address_space::kMaxCount> spaces_{};
  Current current_;
  // Flushes that dropped an entry which was as it had been.
  std::array<CachedWord, 64> drops_{};
  std::size_t next_drop_ = 0;
  // First uses of entries that had changed, by drivers that edit first.
  std::array<CachedWord, 64> uses_{};
  std::size_t next_use_ = 0;

  // No simulated thread gives the baton away under it.
  mutable std::mutex mutex_;
  std::vector<CheckerReport> reports_;
  std::uint64_t total_ = 0;
};

}  // namespace pantry::emu
