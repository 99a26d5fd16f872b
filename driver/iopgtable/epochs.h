// SPDX-License-Identifier: MIT
//
// When nobody can be in a freed table any more. Whoever walks a page table without a lock does it
// inside an EpochSection. A writer that has unlinked tables, and whose flush is done, ends the
// epoch; once epochs up to that one have no section left, no walk that began before can still be
// under way, and later ones do not find the tables.
//
// Entering is one compare-and-swap and a fence, leaving one store. Nothing blocks, nothing
// allocates; both are allowed anywhere. A section that lasts only keeps pages from being used
// again.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <thread>

#include "base/sanitizer.h"

namespace pantry::driver {

class Epochs {
 public:
  Epochs() = default;
  Epochs(const Epochs&) = delete;
  Epochs& operator=(const Epochs&) = delete;

  // Ends the current epoch and returns its number.
  std::uint64_t end() noexcept {
    const std::uint64_t ended = current_.fetch_add(1, std::memory_order_seq_cst);
    fence();
    return ended;
  }
  // Whether every section that began in `epoch`, which has ended, or before has ended as well.
  bool has_passed(std::uint64_t epoch) const noexcept {
    for (const Slot& slot : slots_) {
      const std::uint64_t entered = slot.epoch.load(std::memory_order_seq_cst);
      if (entered != kFree && entered <= epoch) return false;
    }
    return true;
  }

 private:
  friend class EpochSection;
  static constexpr std::uint64_t kFree = 0;
  struct alignas(64) Slot {
    std::atomic<std::uint64_t> epoch{kFree};
  };

  // Between entering and the first entry that is read, and between the last entry that was cleared
  // and looking for sections: one of the two sees the other. ThreadSanitizer has no fences, and
  // needs none, as far as x86 goes, after an atomic read-modify-write.
  static void fence() noexcept {
#if !PANTRY_THREAD_SANITIZER
    std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
  }
  std::atomic<std::uint64_t>& enter() noexcept {
    static thread_local std::size_t last = 0;  // where this thread was before
    for (std::size_t i = last;; i = (i + 1) % slots_.size()) {
      std::uint64_t free = kFree;
      const std::uint64_t now = current_.load(std::memory_order_seq_cst);
      if (slots_[i].epoch.compare_exchange_strong(free, now, std::memory_order_seq_cst)) {
        fence();
        last = i;
        return slots_[i].epoch;
      }
      // All taken, by more threads than there are processors: wait for one.
      if ((i + 1) % slots_.size() == last) std::this_thread::yield();
    }
  }

  std::atomic<std::uint64_t> current_{1};
  std::array<Slot, 64> slots_{};
};

// Its scope is a section. Sections of one thread may nest.
class EpochSection {
 public:
  explicit EpochSection(Epochs& epochs) noexcept : slot_(epochs.enter()) {}
  ~EpochSection() { slot_.store(Epochs::kFree, std::memory_order_release); }
  EpochSection(const EpochSection&) = delete;
  EpochSection& operator=(const EpochSection&) = delete;

 private:
  std::atomic<std::uint64_t>& slot_;
};

}  // namespace pantry::driver
