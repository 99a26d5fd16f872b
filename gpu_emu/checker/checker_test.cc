// SPDX-License-Identifier: MIT
//
// Every mistake by its name, each beside the nearest thing that is none; and a correct driver,
// which gets no report with any kind of caching.
#include "gpu_emu/checker/checker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "gpu_emu/checker/checker_rig.h"

namespace pantry::emu {
namespace {

namespace regs = datasheet::address_space;
using Command = regs::Command;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t kVa = 0x1234'5000;
constexpr std::uint64_t kFar = 0x5234'5000;  // in another 1 GiB
constexpr std::uint64_t kOld = SparseMemory::kBase + 512 * kMiB;
constexpr std::uint64_t kNew = SparseMemory::kBase + 514 * kMiB;

GpuRange page_at(std::uint64_t va) { return GpuRange::of_size({va}, kPageSize); }
GpuRange block_at(std::uint64_t va) { return GpuRange::of_size({va}, 2 * kMiB); }

class CheckerTest : public testing::Test {
 protected:
  // A page, its translation cached.
  void start() {
    rig.map(kVa, kOld, kPageRw);
    rig.enable(1);
    ASSERT_EQ(rig.reach(1, kVa), kOld);
  }
  CheckerRig rig;
};

// --- Stale entries

TEST_F(CheckerTest, AnUpdateUnderALockIsNoMistake) {
  start();
  rig.update(1, page_at(kVa), [&] { rig.leaf(kVa) = kNew | kPageRw; });
  EXPECT_EQ(rig.reach(1, kVa), kNew);
  rig.update(1, page_at(kVa), [&] { rig.leaf(kVa) = 0; });
  EXPECT_EQ(rig.reach(1, kVa), 0u);
  EXPECT_THAT(rig.found(), IsEmpty());
}

TEST_F(CheckerTest, AStaleEntryIsAMistakeWhenItIsUsed) {
  start();
  rig.leaf(kVa) = 0;
  EXPECT_THAT(rig.found(), IsEmpty());
  EXPECT_EQ(rig.reach(1, kVa), kOld);
  ASSERT_THAT(rig.found(), ElementsAre(Mistake::kMissingFlush));
  const CheckerReport report = rig.checker.reports()[0];
  EXPECT_EQ(report.as, AsIndex{1});
  EXPECT_EQ(report.va, GpuVa{kVa});
  EXPECT_EQ(report.difference, Difference::kUnmapped);
  ASSERT_TRUE(report.was);
  EXPECT_EQ(report.was->place.value, rig.entry_at(rig.root, kVa, 3));
  EXPECT_EQ(report.was->word, kOld | kPageRw);
  EXPECT_EQ(report.is, 0u);
}

TEST_F(CheckerTest, RightsAloneAreADifference) {
  start();
  rig.leaf(kVa) = kOld | kPageRo;
  rig.reach(1, kVa);
  ASSERT_THAT(rig.found(), ElementsAre(Mistake::kMissingFlush));
  EXPECT_EQ(rig.checker.reports()[0].difference, Difference::kPermissions);
}

TEST_F(CheckerTest, AnotherTableThatSaysTheSameIsNoDifferenceToALeaf) {
  start();
  const std::uint64_t copy = rig.new_table();
  rig.memory.word(copy + 8 * (kVa >> 12 & 0x1ff)) = kOld | kPageRw;
  rig.memory.word(rig.entry_at(rig.root, kVa, 2)) = copy | 3;
  EXPECT_EQ(rig.reach(1, kVa), kOld);
  EXPECT_THAT(rig.found(), IsEmpty());
  // But it is to a walk that uses the cached table.
  rig.reach(1, kVa + kPageSize);
  ASSERT_THAT(rig.found(), ElementsAre(Mistake::kMissingFlush));
  EXPECT_EQ(rig.checker.reports()[0].difference, Difference::kOtherTable);
}

TEST_F(CheckerTest, FlushOfAnotherPlace) {
  rig.map(kFar, kNew, kPageRw);
  start();
  rig.lock(1, page_at(kFar));
  rig.leaf(kVa) = 0;
  rig.command(1, Command::kUnlock);
  EXPECT_THAT(rig.found(), ElementsAre(Mistake::kFlushTooSmall));
}

TEST_F(CheckerTest, FlushOfAnotherSpace) {
  start();
  rig.enable(2);
  rig.lock(2, page_at(kVa));
  rig.leaf(kVa) = 0;
  rig.command(2, Command::kUnlock);
  rig.reach(1, kVa);
  EXPECT_THAT(rig.found(), ElementsAre(Mistake::kFlushOfOtherSpace));
}

TEST_F(CheckerTest, FlushBeforeTheEdit) {
  start();
  rig.update(1, page_at(kVa), [] {});
  rig.reach(1, kVa);
  rig.leaf(kVa) = 0;
  rig.reach(1, kVa);
  EXPECT_THAT(rig.found(), ElementsAre(Mistake::kEarlyFlush));
}

TEST_F(CheckerTest, LockAfterTheEdit) {
  start();
  rig.leaf(kVa) = 0;
  rig.update(1, page_at(kVa), [] {});
  EXPECT_THAT(rig.found(), ElementsAre(Mistake::kEditBeforeLock));
}

TEST_F(CheckerTest, BlockToTableWithoutAFlush) {
  rig.block(kVa) = kOld | kBlockRw;
  rig.enable(1);
  rig.reach(1, kVa);
  const std::uint64_t table = rig.new_table();
  for (std::uint64_t n = 0; n < 512; ++n)
    rig.memory.word(table + 8 * n) = (kOld + n * kPageSize) | kPageRw;
  rig.block(kVa) = table | 3;
  rig.reach(1, kVa);
  EXPECT_THAT(rig.found(), ElementsAre(Mistake::kSwapWithoutBreak));
}

TEST_F(CheckerTest, BlockToTableWithoutItsFirstPage) {
  rig.block(kVa) = kOld | kBlockRw;
  rig.enable(1);
  rig.reach(1, kVa);
  rig.block(kVa) = rig.new_table() | 3;
  rig.reach(1, kVa);
  EXPECT_THAT(rig.found(), ElementsAre(Mistake::kSwapWithoutBreak));
}

TEST_F(CheckerTest, BlockToTableUnderALock) {
  const std::uint64_t start = align_down(kVa, 2 * kMiB);
  rig.block(kVa) = kOld | kBlockRw;
  rig.enable(1);
  rig.reach(1, kVa);
  rig.update(1, block_at(start), [&] {
    const std::uint64_t table = rig.new_table();
    rig.memory.word(table + 8 * (kVa >> 12 & 0x1ff)) = kNew | kPageRw;
    rig.block(kVa) = table | 3;
  });
  EXPECT_EQ(rig.reach(1, kVa), kNew);
  EXPECT_THAT(rig.found(), IsEmpty());
}

TEST_F(CheckerTest, ABlockOverCachedLeaves) {
  Quirks quirks;
  quirks.walk_cache_sets = 1;
  quirks.walk_cache_ways = 1;
  CheckerRig small(quirks);
  small.map(kVa, kOld, kPageRw);
  small.map(kFar, kNew, kPageRw);
  small.enable(1);
  small.reach(1, kVa);
  small.reach(1, kFar);  // the table of kVa leaves the walk cache
  small.block(kVa) = kOld | kBlockRw;
  small.reach(1, kVa + kPageSize);
  EXPECT_THAT(small.found(), ElementsAre(Mistake::kOverlappingEntries));
}

// The order of Linux 6.12: stale entries may be used until the flush, but not past the next one.
TEST_F(CheckerTest, EditsMayComeFirst) {
  CheckerRig linux_rig({}, CheckerRig::Order::kEditLockFlush);
  linux_rig.map(kVa, kOld, kPageRw);
  linux_rig.map(kFar, kOld, kPageRw);
  linux_rig.enable(1);
  linux_rig.reach(1, kVa);
  linux_rig.leaf(kVa) = 0;
  linux_rig.reach(1, kVa);
  linux_rig.lock(1, page_at(kVa));
  linux_rig.command(1, Command::kFlushPt);
  EXPECT_THAT(linux_rig.found(), IsEmpty());
  linux_rig.reach(1, kFar);
  linux_rig.leaf(kFar) = 0;
  linux_rig.lock(1, page_at(kVa));
  linux_rig.command(1, Command::kFlushPt);
  EXPECT_THAT(linux_rig.found(), ElementsAre(Mistake::kFlushTooSmall));
}

// A flush that leaves out what was used in its changed state before its LOCK was meant for another
// edit: that one had no flush at all, or one of another space.
TEST_F(CheckerTest, WhatAnEarlierEditLackedShowsAtTheNextFlush) {
  CheckerRig linux_rig({}, CheckerRig::Order::kEditLockFlush);
  linux_rig.map(kVa, kOld, kPageRw);
  linux_rig.enable(1);
  linux_rig.enable(2);
  linux_rig.reach(1, kVa);
  linux_rig.leaf(kVa) = 0;
  linux_rig.reach(1, kVa);
  EXPECT_THAT(linux_rig.found(), IsEmpty());
  linux_rig.lock(1, page_at(kFar));
  linux_rig.command(1, Command::kFlushPt);
  ASSERT_THAT(linux_rig.found(), ElementsAre(Mistake::kMissingFlush));

  linux_rig.map(kFar, kNew, kPageRw);
  linux_rig.reach(1, kFar);
  linux_rig.leaf(kFar) = 0;
  linux_rig.lock(2, page_at(kFar));
  linux_rig.command(2, Command::kFlushPt);
  linux_rig.reach(1, kFar);
  linux_rig.lock(1, page_at(kVa));
  linux_rig.command(1, Command::kFlushPt);
  EXPECT_THAT(linux_rig.found(), ElementsAre(Mistake::kMissingFlush, Mistake::kFlushOfOtherSpace));
}

// A running job may use the old entry between LOCK and the flush that leaves it out.
TEST_F(CheckerTest, UseDuringTheFlushDoesNotMakeItsEditOlder) {
  CheckerRig linux_rig({}, CheckerRig::Order::kEditLockFlush);
  linux_rig.map(kVa, kOld, kPageRw);
  linux_rig.enable(1);
  linux_rig.reach(1, kVa);
  linux_rig.leaf(kVa) = 0;
  linux_rig.lock(1, page_at(kFar));
  linux_rig.reach(1, kVa);
  linux_rig.command(1, Command::kFlushPt);
  EXPECT_THAT(linux_rig.found(), ElementsAre(Mistake::kFlushTooSmall));
}

TEST_F(CheckerTest, InvalidEntriesThatAreCached) {
  Quirks quirks;
  quirks.invalid_entries = Quirks::InvalidEntries::kCached;
  CheckerRig caching(quirks);
  caching.map(kVa, kOld, kPageRw);
  caching.enable(1);
  caching.reach(1, kVa);  // the neighbour in the same line is remembered as invalid
  caching.update(1, page_at(kVa + kPageSize),
                 [&] { caching.leaf(kVa + kPageSize) = kNew | kPageRw; });
  EXPECT_EQ(caching.reach(1, kVa + kPageSize), kNew);
  EXPECT_THAT(caching.found(), IsEmpty());
  caching.leaf(kVa + 2 * kPageSize) = kNew | kPageRw;
  caching.reach(1, kVa + 2 * kPageSize);
  ASSERT_THAT(caching.found(), ElementsAre(Mistake::kMissingFlush));
  EXPECT_EQ(caching.checker.reports()[0].difference, Difference::kMapped);
}

TEST_F(CheckerTest, TheSameMistakeIsReportedOnce) {
  start();
  rig.leaf(kVa) = 0;
  for (int i = 0; i < 3; ++i) rig.reach(1, kVa);
  EXPECT_EQ(rig.checker.reports().size(), 1u);
}

// --- Owners

TEST_F(CheckerTest, AFrameGivenBackWhileCached) {
  start();
  rig.leaf(kVa) = 0;
  rig.ledger.changed({{kOld}, kPageSize}, 0);
  rig.reach(1, kVa);
  ASSERT_THAT(rig.found(), ElementsAre(Mistake::kFreedFrameAccess));
  const CheckerReport report = rig.checker.reports()[0];
  EXPECT_EQ(report.cause, Mistake::kMissingFlush);
  EXPECT_EQ(report.frame, PhysAddr{kOld});
  EXPECT_EQ(report.owner_then, 2u);
  EXPECT_EQ(report.owner_now, 0u);
}

TEST_F(CheckerTest, AFrameOfABlockThatHasAnotherOwner) {
  rig.block(kVa) = kOld | kBlockRw;
  rig.enable(1);
  rig.reach(1, kVa);
  const std::uint64_t inside = kVa & (2 * kMiB - 1);
  rig.ledger.changed({{kOld + inside + kPageSize}, kPageSize}, 7);
  rig.reach(1, kVa);
  EXPECT_THAT(rig.found(), IsEmpty()) << "this page is still the old owner's";
  rig.reach(1, kVa + kPageSize);
  ASSERT_THAT(rig.found(), ElementsAre(Mistake::kReusedFrameAccess));
  EXPECT_EQ(rig.checker.reports()[0].owner_now, 7u);
}

TEST_F(CheckerTest, ATableGivenBackWhileCached) {
  start();
  const std::uint64_t table = align_down(rig.entry_at(rig.root, kVa, 3), kPageSize);
  rig.memory.word(rig.entry_at(rig.root, kVa, 2)) = 0;
  rig.ledger.changed({{table}, kPageSize}, 0);
  rig.reach(1, kVa + kPageSize);
  ASSERT_FALSE(rig.found().empty());
  EXPECT_EQ(rig.found()[0], Mistake::kFreedTableWalk);
}

TEST_F(CheckerTest, ATableThatIsSomebodyElsesNow) {
  start();
  const std::uint64_t table = align_down(rig.entry_at(rig.root, kVa, 3), kPageSize);
  rig.ledger.changed({{table}, kPageSize}, 9);
  rig.reach(1, kVa + kPageSize);
  EXPECT_THAT(rig.found(), ElementsAre(Mistake::kReusedTableWalk));
}

TEST_F(CheckerTest, TheRootGivenBack) {
  rig.map(kFar, kNew, kPageRw);
  start();
  rig.ledger.changed({{rig.root}, kPageSize}, 0);
  rig.reach(1, kFar);
  EXPECT_THAT(rig.found(), IsEmpty()) << "the walk began below the root";
  rig.reach(1, kFar + 512 * kGiB);
  EXPECT_THAT(rig.found(), ElementsAre(Mistake::kFreedTableWalk));
}

TEST_F(CheckerTest, AnEntryThatLeadsToAFreeFrame) {
  rig.map(kVa, SparseMemory::kBase + 2 * kGiB, kPageRw);
  rig.enable(1);
  rig.reach(1, kVa);
  EXPECT_THAT(rig.found(), ElementsAre(Mistake::kFreeFrameMapped));
}

TEST_F(CheckerTest, WithoutALedgerOwnersDoNotMatter) {
  MmuRig mmu_rig{Quirks{}};
  Checker checker(mmu_rig.memory.dram(), {});
  struct Nobody final : AddressSpaceUsers {
    std::uint32_t address_spaces_in_use() override { return 0; }
  } nobody;
  mmu_rig.mmu.attach(checker, nobody);
  mmu_rig.map(kVa, SparseMemory::kBase + 2 * kGiB, kPageRw);
  mmu_rig.enable(1);
  EXPECT_NE(mmu_rig.reach(1, kVa), 0u);
  EXPECT_EQ(checker.total(), 0u);
}

// --- Commands and registers

TEST_F(CheckerTest, FlushAndUnlockWithoutALock) {
  start();
  rig.command(1, Command::kUnlock);
  rig.command(1, Command::kFlushPt);
  EXPECT_THAT(rig.found(), ElementsAre(Mistake::kFlushWithoutLock));
  EXPECT_EQ(rig.checker.total(), 2u);
}

TEST_F(CheckerTest, ALockOverALock) {
  start();
  rig.lock(1, page_at(kVa));
  rig.lock(1, block_at(align_down(kVa, 2 * kMiB)));
  EXPECT_THAT(rig.found(), IsEmpty()) << "a larger one is an extension";
  rig.lock(1, page_at(kFar));
  EXPECT_THAT(rig.found(), ElementsAre(Mistake::kMissingUnlock));
}

TEST_F(CheckerTest, UpdateWhileLocked) {
  start();
  rig.lock(1, page_at(kVa));
  rig.command(1, Command::kUpdate);
  EXPECT_THAT(rig.found(), ElementsAre(Mistake::kUpdateWhileLocked));
}

TEST_F(CheckerTest, TablesThatWereNeverCommitted) {
  rig.map(kVa, kOld, kPageRw);
  rig.configure(1, rig.root, kMemattr, kTranscfg48);
  rig.reach(1, kVa);
  EXPECT_THAT(rig.found(), ElementsAre(Mistake::kMissingUpdate));
}

TEST_F(CheckerTest, ADisabledSpaceThatWasNeverCommitted) {
  start();
  rig.configure(1, 0, 0, 1);
  rig.lock(1, page_at(kVa));
  EXPECT_THAT(rig.found(), ElementsAre(Mistake::kMissingUpdate));
}

TEST_F(CheckerTest, ASpaceTakenFromWhatRuns) {
  start();
  rig.in_use = 1 << 1;
  rig.enable(1);
  EXPECT_THAT(rig.found(), IsEmpty()) << "the same tables again";
  rig.disable(1);
  EXPECT_THAT(rig.found(), ElementsAre(Mistake::kSpaceChangedInUse));
}

TEST_F(CheckerTest, ASpaceThatFaultedMayBeTaken) {
  start();
  rig.in_use = 1 << 1;
  EXPECT_EQ(rig.access(1, kFar, Access::kRead), MemoryStatus::kStall);
  rig.disable(1);
  EXPECT_THAT(rig.found(), IsEmpty());
}

TEST_F(CheckerTest, CommandsAndRegistersWhileOneIsActive) {
  Quirks quirks;
  quirks.as_command_time = microseconds(5);
  CheckerRig slow(quirks);
  slow.lock(1, page_at(kVa));
  slow.write64(regs::kLockaddr, 1, 0x3f);
  slow.command(1, Command::kUnlock);
  EXPECT_THAT(slow.found(),
              ElementsAre(Mistake::kRegisterWriteWhileActive, Mistake::kCommandWhileActive));
  // What the command works on was taken when it was given.
  slow.clock.time = slow.clock.time + quirks.as_command_time;
  slow.mmu.advance(slow.clock.time);
  slow.command(1, Command::kUnlock);
  EXPECT_EQ(slow.found().size(), 2u);
}

TEST_F(CheckerTest, ACommandThatDoesNotExist) {
  rig.file.write(regs::offset_of(1, regs::kCommand), 9);
  EXPECT_THAT(rig.found(), ElementsAre(Mistake::kUnknownCommand));
}

TEST_F(CheckerTest, AResetForgets) {
  start();
  rig.leaf(kVa) = 0;
  rig.lock(1, page_at(kVa));
  rig.mmu.reset();
  rig.enable(1);
  rig.reach(1, kVa);
  EXPECT_THAT(rig.found(), ElementsAre(Mistake::kEditBeforeLock)) << "from before the reset";
}

TEST(CheckerDeath, AbortSaysWhy) {
  EXPECT_DEATH(
      {
        SparseMemory memory;
        Checker checker(memory.dram(), {.on_mistake = Checker::OnMistake::kAbort});
        const ConfigWords words;
        const TranslationConfig config;
        checker.on_lost_command({{3}, words, words, config, std::nullopt, {}}, 9);
      },
      "unknown-command.*\n.*address space 3");
}

// --- Any correct driver

// Maps, unmaps and replaces pages and blocks of two address spaces in the order that is asked for,
// with accesses to anything in between; frames and tables change owners as soon as they may.
class CorrectDriver {
 public:
  CorrectDriver(CheckerRig& rig, CheckerRig::Order order) : rig_(rig), order_(order) {
    root_[0] = rig.root;
    root_[1] = rig.new_table();
    for (std::uint32_t n = 0; n < 2; ++n) enable(n);
  }

  void step(std::uint32_t space, std::uint32_t slot, std::uint32_t action) {
    const std::uint64_t block = kFirst + slot % 3 * 2 * kMiB;
    const std::uint64_t page = block + slot / 3 % 5 * kPageSize;
    switch (action % 6) {
      case 0:
        return edit(space, page, kPageSize, [&] { set_page(space, block, page, frame()); });
      case 1:
        return edit(space, page, kPageSize, [&] { set_page(space, block, page, 0); });
      case 2:  // the locked region holds all of a block that goes or comes
        return edit(space, block, 2 * kMiB, [&] { set_block(space, block, kOld); });
      case 3:
        return edit(space, block, 2 * kMiB, [&] { set_block(space, block, 0); });
      case 4:
        rig_.mmu.translate({static_cast<std::uint8_t>(space + 1)}, {page}, Access::kRead);
        if (rig_.pending() != 0) answer_fault(space);
        return;
      case 5:
        rig_.mmu.advance(rig_.clock.time);
        return;
    }
  }

 private:
  static constexpr std::uint64_t kFirst = 0x4000'0000 - 2 * kMiB;  // across a border of 1 GiB

  void enable(std::uint32_t space) {
    rig_.flush_everything(space + 1);
    rig_.configure(space + 1, root_[space], kMemattr, kTranscfg48);
    rig_.command(space + 1, Command::kUpdate);
  }
  void answer_fault(std::uint32_t space) {
    rig_.file.write(datasheet::mmu_int::kClear, 0xffff);
    rig_.disable(space + 1);
    enable(space);
  }
  std::uint64_t frame() { return kNew + next_frame_++ % 256 * kPageSize; }

  template <class Edit>
  void edit(std::uint32_t space, std::uint64_t va, std::uint64_t size, Edit change) {
    const GpuRange range = GpuRange::of_size({va}, size);
    // Half a block is never changed, so splitting one covers all of it.
    const bool splits = (word(space, va, 2) & 3) == 1;
    const GpuRange whole = splits ? GpuRange::of_size({align_down(va, 2 * kMiB)}, 2 * kMiB) : range;
    if (order_ == CheckerRig::Order::kLockEditUnlock) {
      rig_.lock(space + 1, whole);
      change();
      rig_.command(space + 1, Command::kUnlock);
    } else {
      change();
      rig_.lock(space + 1, whole);
      rig_.command(space + 1, Command::kFlushPt);
    }
    for (const auto& [frame, owner] : freed_) rig_.ledger.changed({{frame}, kPageSize}, owner);
    freed_.clear();
  }
  std::uint64_t& word(std::uint32_t space, std::uint64_t va, unsigned level) {
    return rig_.memory.word(rig_.entry_at(root_[space], va, level));
  }
  void set_page(std::uint32_t space, std::uint64_t block, std::uint64_t page, std::uint64_t frame) {
    if ((word(space, block, 2) & 3) == 1) split(space, block);
    std::uint64_t& entry = word(space, page, 3);
    if (entry != 0) give_back(entry & 0xffff'ffff'f000);
    entry = frame == 0 ? 0 : frame | kPageRw;
  }
  void split(std::uint32_t space, std::uint64_t block) {
    const std::uint64_t table = rig_.new_table();
    std::uint64_t& entry = word(space, block, 2);
    for (std::uint64_t n = 0; n < 512; ++n)
      rig_.memory.word(table + 8 * n) = ((entry & 0xffff'ffe0'0000) + n * kPageSize) | kPageRw;
    entry = table | 3;
  }
  void set_block(std::uint32_t space, std::uint64_t block, std::uint64_t frame) {
    std::uint64_t& entry = word(space, block, 2);
    if ((entry & 3) == 3) freed_[entry & 0xffff'ffff'f000] = 0;
    entry = frame == 0 ? 0 : frame | kBlockRw;
  }
  // Frames of kNew are used again and again, so the owner changes with each.
  void give_back(std::uint64_t frame) {
    if (frame >= kNew) freed_[frame] = ++next_owner_;
  }

  CheckerRig& rig_;
  const CheckerRig::Order order_;
  std::uint64_t root_[2] = {};
  std::uint64_t next_frame_ = 0;
  std::uint64_t next_owner_ = 100;
  std::map<std::uint64_t, std::uint64_t> freed_;
};

void no_report(CheckerRig::Order order) {
  Quirks quirks;
  quirks.caching = *rc::gen::element(Quirks::Caching::kCoherent, Quirks::Caching::kReal,
                                     Quirks::Caching::kSticky, Quirks::Caching::kSpeculative);
  quirks.invalid_entries =
      *rc::gen::element(Quirks::InvalidEntries::kNotCached, Quirks::InvalidEntries::kCached);
  quirks.speculation_seed = *rc::gen::arbitrary<std::uint64_t>();
  quirks.tlb_sets = *rc::gen::element(1u, 4u, 64u);
  quirks.walk_cache_sets = *rc::gen::element(1u, 16u);
  CheckerRig rig(quirks, order);
  CorrectDriver driver(rig, order);
  const auto steps = *rc::gen::container<std::vector<std::array<std::uint8_t, 3>>>(
      200, rc::gen::container<std::array<std::uint8_t, 3>>(rc::gen::arbitrary<std::uint8_t>()));
  for (const auto& [space, slot, action] : steps) driver.step(space % 2, slot, action);
  if (rig.checker.total() != 0) RC_FAIL(text_of(rig.checker.reports()[0]));
}

RC_GTEST_PROP(CheckerProperty, ACorrectDriverThatLocksFirstGetsNoReport, ()) {
  no_report(CheckerRig::Order::kLockEditUnlock);
}
RC_GTEST_PROP(CheckerProperty, ACorrectDriverThatEditsFirstGetsNoReport, ()) {
  no_report(CheckerRig::Order::kEditLockFlush);
}

}  // namespace
}  // namespace pantry::emu
