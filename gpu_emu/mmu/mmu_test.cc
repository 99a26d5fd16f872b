// SPDX-License-Identifier: MIT
//
// Caches that are really stale and really flushed, region locks, faults, and the address-space
// registers.
#include "gpu_emu/mmu/mmu.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>

#include "gpu_emu/mmu/mmu_rig.h"

namespace pantry::emu {
namespace {

namespace regs = datasheet::address_space;
using Command = regs::Command;
using Fault = AddressSpaceDump::Fault;

constexpr std::uint64_t kVa = 0x1234'5000;
constexpr std::uint64_t kOld = 0x6000'0000;
constexpr std::uint64_t kNew = 0x6100'0000;

GpuRange page_at(std::uint64_t va) { return GpuRange::of_size({va}, kPageSize); }

class MmuTest : public testing::Test {
 protected:
  MmuRig rig{Quirks{}};
};

TEST_F(MmuTest, TranslatesAfterEnableAndSaysHowFarTheLeafGoes) {
  rig.map(kVa, kOld, kPageRw);
  rig.enable(1);
  EXPECT_EQ(rig.reach(1, kVa + 0x123), kOld + 0x123);
  EXPECT_EQ(rig.mmu.translate({1}, {kVa + 0x123}, Access::kWrite).bytes, 0x1000u - 0x123);
  EXPECT_EQ(rig.mmu.counters().walks, 1u);
  EXPECT_EQ(rig.pending(), 0u);
  EXPECT_EQ(rig.mmu.counters().mistakes, 0u);
}

TEST_F(MmuTest, BlocksOf2MibAnd1Gib) {
  rig.memory.word(rig.entry_at(rig.root, 0x20'0000, 2)) = 0x6020'0000 | kBlockRw;
  rig.memory.word(rig.entry_at(rig.root, kGiB, 1)) = 0x8000'0000 | kBlockRw;
  rig.enable(1);
  EXPECT_EQ(rig.reach(1, 0x3f'fff8), 0x603f'fff8u);
  EXPECT_EQ(rig.mmu.translate({1}, {0x20'1000}, Access::kRead).bytes, 2 * kMiB - 0x1000);
  EXPECT_EQ(rig.reach(1, kGiB + 0x1234'5678), 0x9234'5678u);
  EXPECT_EQ(rig.mmu.translate({1}, {kGiB}, Access::kRead).bytes, kGiB);
  EXPECT_EQ(rig.mmu.counters().walks, 2u) << "each block takes one TLB entry";
}

TEST_F(MmuTest, RegistersReadBackByHalves) {
  rig.configure(2, 0x11'2233'4455, 0x8877'6655'4433'2211, 0x1'4200'01c6);
  EXPECT_EQ(rig.read64(regs::kTranstab, 2), 0x11'2233'4455u);
  EXPECT_EQ(rig.read64(regs::kMemattr, 2), 0x8877'6655'4433'2211u);
  EXPECT_EQ(rig.read64(regs::kTranscfg, 2), 0x1'4200'01c6u);
  rig.write64(regs::kLockaddr, 2, 0x7f'ffff'f00e);
  EXPECT_EQ(rig.read64(regs::kLockaddr, 2), 0x7f'ffff'f00eu);
  EXPECT_EQ(rig.read32(regs::kStatus, 2), 0u);
  EXPECT_EQ(rig.read64(regs::kFaultExtra, 2), 0u);
  EXPECT_EQ(rig.read64(regs::kTranstab, 3), 0u) << "blocks are apart";
  EXPECT_EQ(rig.file.misses(), RegisterFile::Misses{});
  // AS_PRESENT has eight.
  rig.read32(regs::kStatus, 8);
  EXPECT_EQ(rig.file.misses().unknown, 1u);
}

TEST_F(MmuTest, ConfigTakesEffectOnlyWithUpdate) {
  rig.map(kVa, kOld, kPageRw);
  rig.enable(1);
  ASSERT_EQ(rig.reach(1, kVa), kOld);
  const std::uint64_t other_root = rig.new_table();
  rig.map_in(other_root, kVa, kNew, kPageRw);
  rig.configure(1, other_root, kMemattr, kTranscfg48);
  rig.flush_everything(1);
  EXPECT_EQ(rig.reach(1, kVa), kOld);
  EXPECT_NE(rig.mmu.dump()[1].committed, rig.mmu.dump()[1].written);
  rig.command(1, Command::kUpdate);
  EXPECT_EQ(rig.reach(1, kVa), kNew)
      << "and UPDATE drops what was cached under the old configuration";
  EXPECT_EQ(rig.mmu.dump()[1].committed, rig.mmu.dump()[1].written);
}

// --- Stale entries
// ------------------------------------------------------------------------------------------------

class ReleaseTest : public testing::TestWithParam<Command> {
 protected:
  void lock_and_release(std::uint32_t as, GpuRange range) {
    rig.lock(as, range);
    rig.command(as, GetParam());
  }
  MmuRig rig{Quirks{}};
};

TEST_P(ReleaseTest, AStaleLeafIsServedUntilItsRegionIsReleased) {
  rig.map(kVa, kOld, kPageRw);
  rig.enable(1);
  ASSERT_EQ(rig.reach(1, kVa), kOld);
  rig.map(kVa, kNew, kPageRw);
  EXPECT_EQ(rig.reach(1, kVa), kOld) << "really cached";
  lock_and_release(1, page_at(kVa + 0x8000));  // the next 32 KiB
  EXPECT_EQ(rig.reach(1, kVa), kOld) << "another region";
  lock_and_release(2, page_at(kVa));
  EXPECT_EQ(rig.reach(1, kVa), kOld) << "another address space";
  lock_and_release(1, page_at(kVa));
  EXPECT_EQ(rig.reach(1, kVa), kNew);
  EXPECT_EQ(rig.mmu.counters().mistakes, 0u);
}

TEST_P(ReleaseTest, AnUnmappedPageIsServedUntilItsRegionIsReleased) {
  rig.map(kVa, kOld, kPageRw);
  rig.enable(1);
  ASSERT_EQ(rig.reach(1, kVa), kOld);
  rig.map(kVa, 0, 0);
  EXPECT_EQ(rig.reach(1, kVa), kOld);
  lock_and_release(1, page_at(kVa));
  EXPECT_EQ(rig.access(1, kVa, Access::kRead), MemoryStatus::kStall);
  EXPECT_EQ(rig.read32(regs::kFaultStatus, 1), 0x2c3u);
}

TEST_P(ReleaseTest, AStaleTableIsWalkedUntilItsRegionIsReleased) {
  rig.map(kVa, kOld, kPageRw);
  rig.map(kVa + 0x1000, kOld + 0x1000, kPageRw);
  rig.enable(1);
  ASSERT_EQ(rig.reach(1, kVa), kOld);
  // Another last-level table for the 2 MiB, with other pages. The neighbour has never been
  // translated.
  const std::uint64_t table = rig.new_table();
  rig.memory.word(table + ((kVa + 0x1000) >> 12 & 0x1ff) * 8) = (kNew + 0x1000) | kPageRw;
  rig.memory.word(rig.entry_at(rig.root, kVa, 2)) = table | 3;
  EXPECT_EQ(rig.reach(1, kVa + 0x1000), kOld + 0x1000) << "the walk cache still has the old table";
  rig.map_in(rig.root, kVa + 0x1000, kNew + 0x1000, kPageRw);
  lock_and_release(1, page_at(kVa + 2 * kMiB));
  EXPECT_EQ(rig.reach(1, kVa + 0x1000), kOld + 0x1000);
  // Any region inside of what the table covers drops it: one page of 512, and not the neighbour's
  // own leaf.
  lock_and_release(1, page_at(kVa & ~(2 * kMiB - 1)));
  EXPECT_EQ(rig.reach(1, kVa + 0x1000), kOld + 0x1000) << "its leaf is outside of the region";
  EXPECT_EQ(rig.access(1, kVa + 0x10'0000 - 0x5000, Access::kRead), MemoryStatus::kStall)
      << "walks the new table, where this page is not";
}

TEST_P(ReleaseTest, ABlockGoesWhenAnyPartOfItIsInTheRegion) {
  const std::uint64_t entry = rig.entry_at(rig.root, kVa, 2);
  rig.memory.word(entry) = (kOld & ~(2 * kMiB - 1)) | kBlockRw;
  rig.enable(1);
  const std::uint64_t first = kVa & ~(2 * kMiB - 1);
  ASSERT_EQ(rig.reach(1, first), kOld);
  rig.memory.word(entry) = kNew | kBlockRw;
  EXPECT_EQ(rig.reach(1, first), kOld);
  lock_and_release(1, page_at(first + kMiB));
  EXPECT_EQ(rig.reach(1, first), kNew);
}

TEST_P(ReleaseTest, PermissionsAreCachedToo) {
  rig.map(kVa, kOld, kPageRo);
  rig.enable(1);
  ASSERT_EQ(rig.access(1, kVa, Access::kRead), MemoryStatus::kOk);
  rig.map(kVa, kOld, kPageRw);
  lock_and_release(1, page_at(kVa));
  EXPECT_EQ(rig.access(1, kVa, Access::kWrite), MemoryStatus::kOk);
  rig.map(kVa, kOld, kPageRo);
  EXPECT_EQ(rig.access(1, kVa, Access::kWrite), MemoryStatus::kOk);
  lock_and_release(1, page_at(kVa));
  EXPECT_EQ(rig.access(1, kVa, Access::kWrite), MemoryStatus::kStall);
  EXPECT_EQ(rig.read32(regs::kFaultStatus, 1), 0x3cbu);
}

TEST_P(ReleaseTest, WorksOnTheRegionThatWasLocked) {
  rig.map(kVa, kOld, kPageRw);
  rig.enable(1);
  ASSERT_EQ(rig.reach(1, kVa), kOld);
  rig.map(kVa, kNew, kPageRw);
  rig.lock(1, page_at(kVa));
  // LOCKADDR moves on; the locked region does not.
  rig.write64(regs::kLockaddr, 1, datasheet::lock_region::encode(page_at(kVa + kGiB)));
  EXPECT_EQ(rig.access(1, kVa, Access::kRead), MemoryStatus::kStall);
  rig.command(1, GetParam());
  EXPECT_EQ(rig.reach(1, kVa), kNew);
}

TEST_P(ReleaseTest, WithoutALockIsAMistakeThatWorksOnLockaddr) {
  rig.map(kVa, kOld, kPageRw);
  rig.enable(1);
  ASSERT_EQ(rig.reach(1, kVa), kOld);
  rig.map(kVa, kNew, kPageRw);
  rig.write64(regs::kLockaddr, 1, datasheet::lock_region::encode(page_at(kVa)));
  rig.command(1, GetParam());
  EXPECT_EQ(rig.reach(1, kVa), kNew);
  EXPECT_EQ(rig.mmu.counters().mistakes, 1u);
}

// What Linux writes: the whole space (field 63), and a base with a bit below the size.
TEST_P(ReleaseTest, GoldenLockaddrWords) {
  rig.map(0x1000, kOld, kPageRw);
  rig.map(0x8000, kOld + 0x8000, kPageRw);
  rig.enable(1);
  ASSERT_EQ(rig.reach(1, 0x1000), kOld);
  ASSERT_EQ(rig.reach(1, 0x8000), kOld + 0x8000);
  rig.map(0x1000, kNew, kPageRw);
  rig.map(0x8000, kNew + 0x8000, kPageRw);
  rig.write64(regs::kLockaddr, 1, 0x400e);
  rig.command(1, Command::kLock);
  EXPECT_EQ(rig.access(1, 0x1000, Access::kRead), MemoryStatus::kStall) << "0x400e is 0 to 0x7fff";
  EXPECT_EQ(rig.reach(1, 0x8000), kOld + 0x8000);
  rig.command(1, GetParam());
  EXPECT_EQ(rig.reach(1, 0x1000), kNew);
  EXPECT_EQ(rig.reach(1, 0x8000), kOld + 0x8000);
  rig.write64(regs::kLockaddr, 1, 0x3f);
  rig.command(1, Command::kLock);
  EXPECT_EQ(rig.access(1, 0x8000, Access::kRead), MemoryStatus::kStall);
  rig.command(1, GetParam());
  EXPECT_EQ(rig.reach(1, 0x8000), kNew + 0x8000);
}

INSTANTIATE_TEST_SUITE_P(Commands, ReleaseTest,
                         testing::Values(Command::kUnlock, Command::kFlushPt, Command::kFlushMem),
                         [](const auto& info) {
                           return info.param == Command::kUnlock    ? "Unlock"
                                  : info.param == Command::kFlushPt ? "FlushPt"
                                                                    : "FlushMem";
                         });

TEST_F(MmuTest, TheTlbIsFinite) {
  const Quirks sizes;
  const std::uint64_t pages = 2ull * sizes.tlb_sets * sizes.tlb_ways;
  for (std::uint64_t n = 0; n < pages; ++n)
    rig.map(kGiB + n * kPageSize, kOld + n * kPageSize, kPageRw);
  rig.enable(1);
  for (std::uint64_t n = 0; n < pages; ++n)
    ASSERT_EQ(rig.reach(1, kGiB + n * kPageSize), kOld + n * kPageSize);
  EXPECT_EQ(rig.mmu.counters().walks, pages);
  rig.map(kGiB, kNew, kPageRw);
  EXPECT_EQ(rig.reach(1, kGiB), kNew) << "was replaced long ago";
  rig.map(kGiB, kOld, kPageRw);
  EXPECT_EQ(rig.reach(1, kGiB), kNew) << "and is cached again";
}

// Any answer must be one that the table has given since the page was last flushed.
RC_GTEST_PROP(Mmu, AnswersNothingOlderThanTheLastFlush, ()) {
  Quirks quirks;
  quirks.tlb_sets = 2;
  quirks.tlb_ways = 2;
  quirks.walk_cache_sets = 1;
  quirks.walk_cache_ways = 1;
  MmuRig rig(quirks);
  constexpr std::uint64_t kPages = 24;  // three lock regions of eight pages
  std::vector<std::set<std::uint64_t>> since(kPages);
  std::vector<std::uint64_t> now(kPages);
  for (std::uint64_t n = 0; n < kPages; ++n) {
    now[n] = kOld + n * kPageSize;
    since[n] = {now[n]};
    rig.map(n * kPageSize, now[n], kPageRw);
  }
  rig.enable(1);
  std::uint64_t next = kNew;
  int stale = 0;
  const auto steps = *rc::gen::container<std::vector<std::pair<int, int>>>(
      rc::gen::pair(rc::gen::inRange(0, 8), rc::gen::inRange<int>(0, kPages)));
  for (const auto& [what, page] : steps) {
    const std::uint64_t va = static_cast<std::uint64_t>(page) * kPageSize;
    if (what < 4) {
      const std::uint64_t pa = rig.reach(1, va);
      RC_ASSERT(since[page].contains(pa));
      if (pa != now[page]) ++stale;
    } else if (what < 7) {
      now[page] = next += kPageSize;
      since[page].insert(now[page]);
      rig.map(va, now[page], kPageRw);
    } else {
      rig.lock(1, page_at(va));
      rig.command(1, page % 2 ? Command::kFlushPt : Command::kUnlock);
      for (int n = page / 8 * 8; n < page / 8 * 8 + 8; ++n) since[n] = {now[n]};
    }
  }
  RC_CLASSIFY(stale > 0, "met stale entries");
}

// --- Locks
// --------------------------------------------------------------------------------------------------------

TEST_F(MmuTest, ALockedRegionStallsCachedTranslationsAndNothingElse) {
  rig.map(0x7000, kOld, kPageRw);
  rig.map(0x8000, kOld + 0x1000, kPageRw);
  rig.map(0x1'0000, kOld + 0x2000, kPageRw);
  rig.enable(1);
  rig.enable(2);
  ASSERT_EQ(rig.reach(1, 0x8000), kOld + 0x1000);
  rig.lock(1, {{0x8000}, {0xffff}});
  EXPECT_EQ(rig.access(1, 0x8000, Access::kRead), MemoryStatus::kStall);
  EXPECT_EQ(rig.access(1, 0xffff, Access::kWrite), MemoryStatus::kStall);
  EXPECT_EQ(rig.reach(1, 0x7fff), kOld + 0xfff);
  EXPECT_EQ(rig.reach(1, 0x1'0000), kOld + 0x2000);
  EXPECT_EQ(rig.reach(2, 0x8000), kOld + 0x1000);
  EXPECT_EQ(rig.pending(), 0u) << "a stall is no fault";
  EXPECT_EQ(rig.mmu.dump()[1].locked, (GpuRange{{0x8000}, {0xffff}}));
}

TEST_F(MmuTest, ReleasingALockWakesTheDeviceOnlyIfSomethingWaited) {
  rig.map(kVa, kOld, kPageRw);
  rig.enable(1);
  rig.lock(1, page_at(kVa));
  rig.command(1, Command::kUnlock);
  EXPECT_EQ(rig.clock.wakes, 0);
  rig.lock(1, page_at(kVa));
  ASSERT_EQ(rig.access(1, kVa, Access::kRead), MemoryStatus::kStall);
  EXPECT_EQ(rig.clock.wakes, 0);
  rig.command(1, Command::kUnlock);
  EXPECT_EQ(rig.clock.wakes, 1);
  EXPECT_EQ(rig.reach(1, kVa), kOld);
}

TEST_F(MmuTest, ABlockIsUsableUpToTheLockedPartOfIt) {
  rig.memory.word(rig.entry_at(rig.root, 0x20'0000, 2)) = 0x6020'0000 | kBlockRw;
  rig.enable(1);
  rig.lock(1, {{0x30'0000}, {0x30'7fff}});
  const Translation before = rig.mmu.translate({1}, {0x2f'0000}, Access::kRead);
  EXPECT_EQ(before.status, MemoryStatus::kOk);
  EXPECT_EQ(before.bytes, 0x1'0000u);
  EXPECT_EQ(rig.access(1, 0x30'0000, Access::kRead), MemoryStatus::kStall);
  EXPECT_EQ(rig.mmu.translate({1}, {0x30'8000}, Access::kRead).bytes, 0xf'8000u);
}

// LOCK, edit, GPU-wide cache flush (not the MMU's), UNLOCK: as the newest Panthor does it.
TEST_F(MmuTest, AnEditUnderTheLockIsSeenWholeAfterUnlock) {
  rig.memory.word(rig.entry_at(rig.root, 0x20'0000, 2)) = 0x6020'0000 | kBlockRw;
  rig.enable(1);
  ASSERT_EQ(rig.reach(1, 0x20'1000), 0x6020'1000u);
  rig.lock(1, GpuRange::of_size({0x20'0000}, 2 * kMiB));
  const std::uint64_t table = rig.new_table();
  rig.memory.word(rig.entry_at(rig.root, 0x20'0000, 2)) = 0;
  EXPECT_EQ(rig.access(1, 0x20'1000, Access::kRead), MemoryStatus::kStall);
  for (std::uint64_t n = 2; n < 512; ++n)
    rig.memory.word(table + 8 * n) = (0x6020'0000 + n * kPageSize) | kPageRw;
  rig.memory.word(rig.entry_at(rig.root, 0x20'0000, 2)) = table | 3;
  rig.command(1, Command::kUnlock);
  EXPECT_EQ(rig.reach(1, 0x20'2000), 0x6020'2000u);
  EXPECT_EQ(rig.access(1, 0x20'1000, Access::kRead), MemoryStatus::kStall);
  EXPECT_EQ(rig.read32(regs::kFaultStatus, 1), 0x2c3u);
}

// --- Commands that take time
// --------------------------------------------------------------------------------------

TEST(MmuCommandTime, StatusIsActiveUntilTheEffect) {
  Quirks slow;
  slow.as_command_time = microseconds(50);
  MmuRig rig(slow);
  rig.map(kVa, kOld, kPageRw);
  const auto settle = [&] {
    rig.clock.time = rig.clock.time + microseconds(50);
    EXPECT_EQ(rig.mmu.advance(rig.clock.time), TimePoint::never());
    EXPECT_EQ(rig.read32(regs::kStatus, 1), 0u);
  };
  rig.configure(1, rig.root, kMemattr, kTranscfg48);
  rig.command(1, Command::kUpdate);
  EXPECT_EQ(rig.read32(regs::kStatus, 1), 1u);
  EXPECT_EQ(rig.read32(regs::kStatus, 2), 0u);
  EXPECT_EQ(rig.clock.wakes, 1);
  // Sampled when the command was given.
  rig.configure(1, 0, 0, 1);
  EXPECT_EQ(rig.mmu.advance(rig.clock.time + microseconds(49)), rig.clock.time + microseconds(50));
  EXPECT_EQ(rig.read32(regs::kStatus, 1), 1u);
  settle();
  EXPECT_EQ(rig.reach(1, kVa), kOld);

  rig.lock(1, page_at(kVa));
  EXPECT_EQ(rig.reach(1, kVa), kOld) << "not locked yet";
  rig.command(1, Command::kFlushPt);
  EXPECT_EQ(rig.mmu.counters().mistakes, 1u) << "a command while another is active is lost";
  settle();
  EXPECT_EQ(rig.access(1, kVa, Access::kRead), MemoryStatus::kStall);
  rig.command(1, Command::kUnlock);
  EXPECT_EQ(rig.access(1, kVa, Access::kRead), MemoryStatus::kStall);
  settle();
  EXPECT_EQ(rig.reach(1, kVa), kOld);
}

TEST_F(MmuTest, CommandsThatDoNotExistAreMistakes) {
  rig.map(kVa, kOld, kPageRw);
  rig.enable(1);
  rig.file.write(regs::offset_of(1, regs::kCommand), 6);
  rig.file.write(regs::offset_of(1, regs::kCommand), 0x101);
  EXPECT_EQ(rig.mmu.counters().mistakes, 2u);
  rig.command(1, Command::kNop);
  EXPECT_EQ(rig.mmu.counters().mistakes, 2u);
  EXPECT_EQ(rig.reach(1, kVa), kOld);
}

TEST(MmuCompletionIrq, IsRaisedOnlyByQuirk) {
  for (const auto quirk : {Quirks::MmuCompletionIrq::kNever, Quirks::MmuCompletionIrq::kRaise}) {
    Quirks quirks;
    quirks.mmu_completion_irq = quirk;
    MmuRig rig(quirks);
    rig.enable(3);
    EXPECT_EQ(rig.pending(), quirk == Quirks::MmuCompletionIrq::kRaise ? 0x8'0000u : 0u);
  }
}

TEST_F(MmuTest, ResetForgetsEverything) {
  rig.map(kVa, kOld, kPageRw);
  rig.enable(1);
  ASSERT_EQ(rig.reach(1, kVa), kOld);
  rig.lock(1, page_at(kVa));
  ASSERT_EQ(rig.access(1, kVa + kGiB, Access::kRead), MemoryStatus::kStall);
  rig.mmu.reset();
  const AddressSpaceDump dump = rig.mmu.dump()[1];
  EXPECT_EQ(dump.committed, ConfigWords{});
  EXPECT_EQ(dump.written, ConfigWords{});
  EXPECT_EQ(dump.locked, std::nullopt);
  EXPECT_EQ(dump.fault, Fault::kNone);
  EXPECT_EQ(dump.fault_status, 0u);
  EXPECT_EQ(rig.read64(regs::kTranscfg, 1), 1u);
  // Nothing of the caches is left either.
  rig.map(kVa, kNew, kPageRw);
  rig.configure(1, rig.root, kMemattr, kTranscfg48);
  rig.command(1, Command::kUpdate);
  EXPECT_EQ(rig.reach(1, kVa), kNew);
}

}  // namespace
}  // namespace pantry::emu
