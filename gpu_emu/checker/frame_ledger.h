// SPDX-License-Identifier: MIT
//
// Who owns which frame of DRAM, as the host's allocator reports it, and when that last changed. For
// the ownership layer of the checker.
//
// Two words per frame, of which only those that are touched cost memory. No lock: changed() may be
// called from any thread, also inside a SignallingSection, and may run beside the look-ups; it
// allocates nothing and costs two stores per frame. Allocates in the constructor.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "gpu_emu/ports.h"

namespace pantry::emu {

class FrameLedger final : public FrameOwner {
 public:
  // At first nobody owns any frame of `dram`.
  explicit FrameLedger(const Dram& dram);

  // Parts outside of DRAM are ignored.
  void changed(PhysExtent frames, std::uint64_t owner) override;

  // The number of changes so far.
  std::uint64_t now() const { return changes_.load(std::memory_order_acquire); }
  struct Entry {
    std::uint64_t owner = 0;       // 0: nobody
    std::uint64_t changed_at = 0;  // the number of the latest change; 0: never
  };
  // Of the frame around `pa`. {0, 0} outside of DRAM.
  Entry at(PhysAddr pa) const;

 private:
  struct Word {
    std::atomic<std::uint64_t> owner;
    std::atomic<std::uint64_t> changed_at;
  };
  struct Release {
    std::size_t bytes = 0;
    void operator()(Word* words) const;
  };

  const PhysExtent range_;
  std::unique_ptr<Word[], Release> words_;
  std::atomic<std::uint64_t> changes_{0};
};

}  // namespace pantry::emu
