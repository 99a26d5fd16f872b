// SPDX-License-Identifier: MIT
//
// That short cuts and held pages change nothing but time: an MMU that takes them and one that does
// not (since it is watched) give the same answers, count the same and, having the same small TLB,
// drop the same entries, whatever happens to tables and regions meanwhile.
#include "gpu_emu/mmu/recent_pages.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <memory>
#include <random>

#include "gpu_emu/mmu/blind_watch.h"
#include "gpu_emu/mmu/mmu_rig.h"

namespace pantry::emu {
namespace {

using Random = std::mt19937_64;
std::uint64_t below(Random& random, std::uint64_t limit) { return random() % limit; }

// So few that most are cached: pages of two regions of 2 MiB, at times the same in the 1 GiB above.
std::uint64_t any_address(Random& random) {
  constexpr std::uint64_t kPages[] = {0, 1, 2, 511};
  const std::uint64_t gib = below(random, 8) == 0 ? 1 : 0;
  return 0x40'0000'0000 + gib * kGiB + below(random, 2) * 2 * kMiB +
         kPages[below(random, 4)] * kPageSize;
}

class Twins {
 public:
  Twins(const Quirks& quirks, std::uint64_t seed)
      : random_(seed),
        quick_(std::make_unique<MmuRig>(quirks)),
        searching_(std::make_unique<MmuRig>(quirks)) {
    searching_->mmu.attach(watch_, watch_);
    on_both([](MmuRig& rig) {
      rig.enable(1);
      rig.enable(2);
    });
  }

  void step() {
    const std::uint64_t what = below(random_, 100);
    if (what < 75) {
      access();
    } else if (what < 90) {
      edit();
    } else {
      command();
    }
  }
  bool counted_the_same() const {
    const Mmu::Counters a = quick_->mmu.counters();
    const Mmu::Counters b = searching_->mmu.counters();
    return a.hits == b.hits && a.walks == b.walks && a.fetches == b.fetches &&
           a.stalls == b.stalls && a.faults == b.faults;
  }
  bool answered_the_same() const { return answered_the_same_; }

 private:
  template <class Do>
  void on_both(Do act) {
    act(*quick_);
    act(*searching_);
  }
  std::uint8_t any_space() { return static_cast<std::uint8_t>(1 + below(random_, 2)); }

  void access() {
    const std::uint64_t va = any_address(random_) + 8 * below(random_, 512);
    const std::uint8_t as = any_space();
    const Access access = below(random_, 2) == 0 ? Access::kRead : Access::kWrite;
    HeldPage& held = held_[as][access == Access::kWrite];
    const Translation a = below(random_, 2) == 0
                              ? quick_->mmu.translate({as}, {va}, access)
                              : quick_->mmu.translate_held({as}, {va}, access, held);
    const Translation b = searching_->mmu.translate({as}, {va}, access);
    answered_the_same_ &= a.status == b.status && a.bytes == b.bytes;
    if (a.status == MemoryStatus::kOk)
      answered_the_same_ &=
          a.host - quick_->memory.dram().host == b.host - searching_->memory.dram().host;
    // Or all that follows would wait.
    if (quick_->mmu.fault_unanswered()) on_both([&](MmuRig& rig) { rig.enable(as); });
  }
  void edit() {
    const std::uint64_t va = any_address(random_);
    const std::uint64_t pa = SparseMemory::kBase + 0x1000'0000 + below(random_, 8) * 2 * kMiB;
    const std::uint64_t kind = below(random_, 2) == 0 ? kPageRw : kPageRo;
    const std::uint64_t what = below(random_, 10);
    on_both([&](MmuRig& rig) {
      std::uint64_t& above = rig.memory.word(rig.entry_at(rig.root, va, 2));
      if (what < 3) {
        above = pa | kBlockRw;
      } else {
        if ((above & 3) == 1) above = 0;  // a table takes the block's place
        rig.map(va, what == 9 ? 0 : pa, what == 9 ? 0 : kind);
      }
    });
  }
  void command() {
    const std::uint64_t va = any_address(random_);
    const GpuRange region = below(random_, 2) == 0
                                ? GpuRange::of_size({va}, kPageSize)
                                : GpuRange::of_size({align_down(va, 2 * kMiB)}, 2 * kMiB);
    const std::uint8_t as = any_space();
    const bool stays_locked = below(random_, 8) == 0;
    const auto end = below(random_, 2) == 0 ? MmuRig::Command::kUnlock : MmuRig::Command::kFlushPt;
    on_both([&](MmuRig& rig) {
      rig.lock(as, region);
      if (!stays_locked) rig.command(as, end);
    });
  }

  Random random_;
  BlindWatch watch_;
  std::unique_ptr<MmuRig> quick_;
  std::unique_ptr<MmuRig> searching_;
  // Held longer than the device does, where a run is the end of it.
  std::array<std::array<HeldPage, 2>, 3> held_;
  bool answered_the_same_ = true;
};

RC_GTEST_PROP(RecentPages, AreNoCacheOfTheirOwn, (std::uint64_t seed)) {
  Quirks quirks;
  quirks.tlb_sets = 4;
  quirks.tlb_ways = 3;
  quirks.caching = seed % 4 == 0 ? Quirks::Caching::kSticky : Quirks::Caching::kReal;
  quirks.invalid_entries =
      seed % 3 == 0 ? Quirks::InvalidEntries::kCached : Quirks::InvalidEntries::kNotCached;
  Twins twins(quirks, seed);
  for (int step = 0; step < 1000; ++step) {
    twins.step();
    RC_ASSERT(twins.answered_the_same());
    RC_ASSERT(twins.counted_the_same());
  }
}

}  // namespace
}  // namespace pantry::emu
