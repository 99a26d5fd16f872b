// SPDX-License-Identifier: MIT
//
// Who owns which frame of DRAM, as the host's allocator reports it, and when that last changed. For
// the ownership layer of the checker.
//
// Two words per frame, of which only those that are touched cost memory. No lock: changed() may be
// called from any thread, also inside a SignallingSection, and may run beside the look-ups; it
// allocates nothing and costs two stores per frame. Allocates in the constructor; a ledger whose
// words are lent is written by whoever lends them (pantry_frame in gpu_emu/remote/wire.h), and by
// changed() as well.
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
  // Words of somebody else's, at least bytes_for(dram) and of any content, which outlive the
  // ledger.
  FrameLedger(const Dram& dram, void* words);
  // A multiple of 4 KiB.
  static std::uint64_t bytes_for(const Dram& dram);

  // Parts outside of DRAM are ignored.
  void changed(PhysExtent frames, std::uint64_t owner) override;

  // The number of changes so far.
  std::uint64_t now() const { return words_[0].changed_at.load(std::memory_order_acquire); }
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
    std::size_t bytes = 0;  // 0: lent
    void operator()(Word* words) const;
  };

  Word& word_of(PhysAddr pa) const { return words_[1 + (pa - range_.start) / kPageSize]; }

  const PhysExtent range_;
  // The first has the number of changes, those of the frames follow.
  std::unique_ptr<Word[], Release> words_;
};

}  // namespace pantry::emu
