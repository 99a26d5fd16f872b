// SPDX-License-Identifier: MIT
//
// What goes wrong and how it is reported: every fault code, the latch, the life of a fault, and the
// bus.
#include <gtest/gtest.h>

#include "gpu_emu/mmu/mmu_rig.h"

namespace pantry::emu {
namespace {

namespace regs = datasheet::address_space;
namespace mmu_int = datasheet::mmu_int;
using Command = regs::Command;
using Fault = AddressSpaceDump::Fault;

constexpr std::uint64_t kVa = 0x1234'5000;
constexpr std::uint64_t kPa = 0x6000'0000;

class MmuFaultTest : public testing::Test {
 protected:
  // The FAULTSTATUS that an access latches in address space 1, which is then ready for the next.
  std::uint32_t fault_of(std::uint64_t va, Access access) {
    const MemoryStatus status = rig.access(1, va, access);
    if (status == MemoryStatus::kOk) return 0;
    EXPECT_EQ(status, MemoryStatus::kStall);
    EXPECT_EQ(rig.pending(), 2u);
    EXPECT_TRUE(rig.line.level);
    EXPECT_EQ(rig.read64(regs::kFaultAddress, 1), va);
    const std::uint32_t fault = rig.read32(regs::kFaultStatus, 1);
    rig.file.write(mmu_int::kClear, 2);
    EXPECT_FALSE(rig.line.level);
    rig.disable(1);
    rig.enable(1);
    return fault;
  }
  MmuRig rig{Quirks{}};
};

TEST_F(MmuFaultTest, TranslationFaultsNameTheLevel) {
  rig.memory.word(rig.entry_at(rig.root, 0, 3)) = kPa | kPageRw;
  rig.enable(1);
  EXPECT_EQ(fault_of(0x1000, Access::kRead), 0x2c3u);
  EXPECT_EQ(fault_of(2 * kMiB, Access::kWrite), 0x3c2u);
  EXPECT_EQ(fault_of(kGiB, Access::kExecute), 0x1c1u);
  EXPECT_EQ(fault_of(std::uint64_t{1} << 39, Access::kAtomic), 0x0c0u);
  EXPECT_EQ(fault_of(0, Access::kRead), 0u);
}

TEST_F(MmuFaultTest, PermissionFaults) {
  rig.map(0x1000, kPa, kPageRo);
  rig.map(0x2000, kPa, kPageRw | kNoExecute);
  rig.memory.word(rig.entry_at(rig.root, 4 * kMiB, 2)) = kPa | (kBlockRw | 0x80);
  rig.memory.word(rig.entry_at(rig.root, 3 * kGiB, 1)) = 0x8000'0000 | (kBlockRw | 0x80);
  rig.enable(1);
  EXPECT_EQ(fault_of(0x1000, Access::kRead), 0u);
  EXPECT_EQ(fault_of(0x1000, Access::kExecute), 0u);
  EXPECT_EQ(fault_of(0x1000, Access::kWrite), 0x3cbu);
  EXPECT_EQ(fault_of(0x1000, Access::kAtomic), 0x0cbu);
  EXPECT_EQ(fault_of(0x2000, Access::kWrite), 0u);
  EXPECT_EQ(fault_of(0x2000, Access::kExecute), 0x1cbu);
  EXPECT_EQ(fault_of(4 * kMiB, Access::kWrite), 0x3cau);
  EXPECT_EQ(fault_of(3 * kGiB, Access::kWrite), 0x3c9u);
}

TEST_F(MmuFaultTest, EntriesThatCannotBeUsed) {
  rig.map(0x1000, kPa, kPageRw & ~std::uint64_t{0x400});
  rig.map(0x2000, std::uint64_t{1} << 40, kPageRw);
  rig.map(0x3000, kPa, kPageRw | 7 << 2);
  rig.memory.word(rig.entry_at(rig.root, 4 * kMiB, 2)) = kPa | (kBlockRw & ~std::uint64_t{0x400});
  rig.memory.word(rig.entry_at(rig.root, 6 * kMiB, 2)) = (std::uint64_t{1} << 40) | 3;
  rig.flush_everything(1);
  // Attribute 7 of this MEMATTR is of class 3.
  rig.configure(1, rig.root, 0xff9f'9f9f'9c4c'9f4c, kTranscfg48);
  rig.command(1, Command::kUpdate);
  ASSERT_EQ(rig.access(1, 0x3000, Access::kRead), MemoryStatus::kStall);
  EXPECT_EQ(rig.read32(regs::kFaultStatus, 1), 0x2ebu);
  rig.file.write(mmu_int::kClear, 2);
  rig.disable(1);
  rig.enable(1);
  EXPECT_EQ(fault_of(0x1000, Access::kRead), 0x2dbu);
  EXPECT_EQ(fault_of(0x2000, Access::kRead), 0x2e7u);
  EXPECT_EQ(fault_of(0x3000, Access::kRead), 0u) << "attribute 7 is write-back here";
  EXPECT_EQ(fault_of(4 * kMiB, Access::kWrite), 0x3dau);
  EXPECT_EQ(fault_of(6 * kMiB, Access::kWrite), 0x3e6u);
  EXPECT_EQ(fault_of(std::uint64_t{1} << 48, Access::kRead), 0x2e0u);
}

TEST_F(MmuFaultTest, SmallerAddressSpaces) {
  const std::uint64_t root39 = rig.new_table();
  const std::uint64_t table = rig.new_table();
  const std::uint64_t leaves = rig.new_table();
  rig.memory.word(root39 + 8 * 5) = table | 3;
  rig.memory.word(table) = leaves | 3;
  rig.memory.word(leaves) = kPa | kPageRw;
  for (const auto& [transcfg, va_bits] :
       {std::pair{0x4200'0406, 39u}, std::pair{0x4200'0586, 33u}}) {
    rig.configure(1, root39, kMemattr, transcfg);
    rig.command(1, Command::kUpdate);
    EXPECT_EQ(rig.reach(1, 5 * kGiB), kPa);
    EXPECT_EQ(rig.access(1, std::uint64_t{1} << va_bits, Access::kRead), MemoryStatus::kStall);
    EXPECT_EQ(rig.read32(regs::kFaultStatus, 1), 0x2e0u);
  }
}

TEST_F(MmuFaultTest, TheWholeAddressSpaceWaitsAndTheLatchKeepsTheFirst) {
  rig.map(kVa, kPa, kPageRw);
  rig.enable(1);
  rig.enable(2);
  ASSERT_EQ(rig.reach(1, kVa), kPa);
  ASSERT_EQ(rig.access(1, 0x7000, Access::kWrite), MemoryStatus::kStall);
  EXPECT_EQ(rig.access(1, kVa, Access::kRead), MemoryStatus::kStall)
      << "a good access waits as well";
  EXPECT_EQ(rig.access(1, 0x9000, Access::kRead), MemoryStatus::kStall);
  EXPECT_EQ(rig.read64(regs::kFaultAddress, 1), 0x7000u);
  EXPECT_EQ(rig.read32(regs::kFaultStatus, 1), 0x3c2u);
  EXPECT_EQ(rig.mmu.counters().faults, 1u);
  EXPECT_EQ(rig.reach(2, kVa), kPa) << "another address space goes on";
  EXPECT_TRUE(rig.mmu.fault_unanswered());
}

// Linux 6.12 clears RAWSTAT, then reads the latch, then disables; it masks the bit until the space
// is used again.
TEST_F(MmuFaultTest, LifeOfAFaultUnder612) {
  rig.map(kVa, kPa, kPageRw);
  rig.enable(1);
  ASSERT_EQ(rig.access(1, 0x7000, Access::kWrite), MemoryStatus::kStall);
  rig.file.write(mmu_int::kMask, 0);
  rig.file.write(mmu_int::kClear, 2);
  EXPECT_EQ(rig.access(1, 0x9000, Access::kRead), MemoryStatus::kStall);
  EXPECT_EQ(rig.pending(), 0u) << "cleared, but not answered: nothing new is latched";
  EXPECT_EQ(rig.read64(regs::kFaultAddress, 1), 0x7000u);
  rig.file.write(mmu_int::kMask, ~2u);

  const int wakes = rig.clock.wakes;
  rig.disable(1);
  EXPECT_GT(rig.clock.wakes, wakes) << "what was stalled must be told";
  EXPECT_EQ(rig.access(1, 0x7000, Access::kWrite), MemoryStatus::kAborted);
  EXPECT_EQ(rig.access(1, kVa, Access::kRead), MemoryStatus::kAborted);
  EXPECT_EQ(rig.pending(), 0u) << "an abort is no new fault";
  EXPECT_FALSE(rig.mmu.fault_unanswered());
  EXPECT_EQ(rig.read32(regs::kFaultStatus, 1), 0x3c2u) << "the latch stays readable";
  // Disabling twice changes nothing.
  rig.disable(1);
  EXPECT_EQ(rig.access(1, kVa, Access::kRead), MemoryStatus::kAborted);

  rig.file.write(mmu_int::kClear, 2);
  rig.file.write(mmu_int::kMask, 0xffff);
  rig.enable(1);
  EXPECT_EQ(rig.reach(1, kVa), kPa);
  EXPECT_EQ(rig.mmu.dump()[1].fault, Fault::kNone);
  ASSERT_EQ(rig.access(1, 0xb000, Access::kRead), MemoryStatus::kStall);
  EXPECT_EQ(rig.read64(regs::kFaultAddress, 1), 0xb000u) << "a new fault is latched";
}

// 7.3 reads the latch, disables with neither lock nor flush, and clears the bit last.
TEST_F(MmuFaultTest, LifeOfAFaultUnder73) {
  rig.map(kVa, kPa, kPageRw);
  rig.configure(1, rig.root, kMemattr, kTranscfg48);
  rig.command(1, Command::kUpdate);
  ASSERT_EQ(rig.reach(1, kVa), kPa);
  ASSERT_EQ(rig.access(1, 0x7000, Access::kWrite), MemoryStatus::kStall);
  rig.configure(1, 0, 0, 1);
  rig.command(1, Command::kUpdate);
  EXPECT_EQ(rig.access(1, kVa, Access::kRead), MemoryStatus::kAborted);
  rig.file.write(mmu_int::kClear, 2);
  EXPECT_FALSE(rig.line.level);
  EXPECT_EQ(rig.mmu.counters().mistakes, 0u);
}

TEST_F(MmuFaultTest, AnAddressSpaceThatWasNeverEnabledFaultsAtLevel0) {
  EXPECT_EQ(rig.access(1, kVa, Access::kRead), MemoryStatus::kStall);
  EXPECT_EQ(rig.read32(regs::kFaultStatus, 1), 0x2c0u);
  rig.disable(1);
  EXPECT_EQ(rig.access(1, kVa, Access::kRead), MemoryStatus::kAborted);

  Quirks level4;
  level4.unmapped_fault_level = 4;
  MmuRig other(level4);
  EXPECT_EQ(other.access(1, kVa, Access::kRead), MemoryStatus::kStall);
  EXPECT_EQ(other.read32(regs::kFaultStatus, 1), 0x2c4u);
}

TEST(MmuFaultQuirks, OnlyTheOffenderStalls) {
  Quirks quirks;
  quirks.fault_stalls = Quirks::FaultStalls::kOffender;
  MmuRig rig(quirks);
  rig.map(kVa, kPa, kPageRw);
  rig.enable(1);
  ASSERT_EQ(rig.access(1, 0x7000, Access::kWrite), MemoryStatus::kStall);
  EXPECT_EQ(rig.reach(1, kVa), kPa);
  EXPECT_EQ(rig.access(1, 0x9000, Access::kRead), MemoryStatus::kStall);
  EXPECT_EQ(rig.read64(regs::kFaultAddress, 1), 0x7000u);
  EXPECT_EQ(rig.mmu.counters().faults, 1u);
}

TEST(MmuFaultQuirks, TheLatchMayTakeTheLast) {
  Quirks quirks;
  quirks.fault_stalls = Quirks::FaultStalls::kOffender;
  quirks.fault_latch = Quirks::FaultLatch::kTakesLast;
  MmuRig rig(quirks);
  rig.enable(1);
  ASSERT_EQ(rig.access(1, 0x7000, Access::kWrite), MemoryStatus::kStall);
  rig.file.write(mmu_int::kClear, 2);
  ASSERT_EQ(rig.access(1, 0x7000, Access::kWrite), MemoryStatus::kStall);
  EXPECT_EQ(rig.pending(), 0u) << "the same access met again is no new fault";
  ASSERT_EQ(rig.access(1, 0x9000, Access::kRead), MemoryStatus::kStall);
  EXPECT_EQ(rig.read64(regs::kFaultAddress, 1), 0x9000u);
  EXPECT_EQ(rig.pending(), 2u);
}

TEST(MmuFaultQuirks, SourceId) {
  Quirks quirks;
  quirks.fault_source_id = 0xbeef;
  MmuRig rig(quirks);
  rig.enable(1);
  ASSERT_EQ(rig.access(1, 0x7000, Access::kWrite), MemoryStatus::kStall);
  EXPECT_EQ(rig.read32(regs::kFaultStatus, 1), 0xbeef'03c0u);
}

TEST(MmuFaultQuirks, InvalidEntriesMayBeCachedWithTheirLine) {
  for (const auto quirk : {Quirks::InvalidEntries::kNotCached, Quirks::InvalidEntries::kCached}) {
    Quirks quirks;
    quirks.invalid_entries = quirk;
    MmuRig rig(quirks);
    rig.map(kVa, kPa, kPageRw);
    rig.enable(1);
    ASSERT_EQ(rig.reach(1, kVa), kPa);
    // The neighbour in the same 64 bytes of table is mapped afterwards, without a flush.
    rig.map(kVa + kPageSize, kPa + kPageSize, kPageRw);
    const bool cached = quirk == Quirks::InvalidEntries::kCached;
    EXPECT_EQ(rig.access(1, kVa + kPageSize, Access::kRead),
              cached ? MemoryStatus::kStall : MemoryStatus::kOk);
    EXPECT_EQ(rig.read32(regs::kFaultStatus, 1), cached ? 0x2c3u : 0u);
  }
}

TEST(MmuFaultQuirks, AFlushDropsCachedInvalidEntries) {
  Quirks quirks;
  quirks.invalid_entries = Quirks::InvalidEntries::kCached;
  MmuRig rig(quirks);
  rig.map(kVa, kPa, kPageRw);
  rig.enable(1);
  ASSERT_EQ(rig.reach(1, kVa), kPa);
  rig.map(kVa + kPageSize, kPa + kPageSize, kPageRw);
  rig.lock(1, GpuRange::of_size({kVa + kPageSize}, kPageSize));
  rig.command(1, Command::kFlushPt);
  EXPECT_EQ(rig.reach(1, kVa + kPageSize), kPa + kPageSize);
}

// --- The bus
// ------------------------------------------------------------------------------------------------------

TEST_F(MmuFaultTest, ALeafOutsideOfMemoryIsABusFaultAndNoMmuFault) {
  rig.map(kVa, 0x1000, kPageRw);
  rig.enable(1);
  EXPECT_EQ(rig.access(1, kVa + 8, Access::kWrite), MemoryStatus::kAborted);
  ASSERT_EQ(rig.clock.bus_faults.size(), 1u);
  EXPECT_EQ(rig.clock.bus_faults[0], (ManualClock::BusFault{{0x1008}, Access::kWrite, {1}}));
  EXPECT_EQ(rig.pending(), 0u);
}

TEST_F(MmuFaultTest, ATableOutsideOfMemoryIsBoth) {
  rig.memory.word(rig.root) = 0x1000 | 3;
  rig.enable(1);
  EXPECT_EQ(rig.access(1, 0x5000, Access::kRead), MemoryStatus::kStall);
  ASSERT_EQ(rig.clock.bus_faults.size(), 1u);
  EXPECT_EQ(rig.clock.bus_faults[0].address.value, 0x1000u);
  EXPECT_EQ(rig.read32(regs::kFaultStatus, 1), 0x2c1u);

  Quirks bus;
  bus.table_fetch_abort = Quirks::TableFetchAbort::kBusFault;
  MmuRig other(bus);
  other.memory.word(other.root) = 0x1000 | 3;
  other.enable(1);
  EXPECT_EQ(other.access(1, 0x5000, Access::kRead), MemoryStatus::kStall);
  EXPECT_EQ(other.read32(regs::kFaultStatus, 1), 0x280u);
}

TEST_F(MmuFaultTest, ABlockThatReachesPastTheEndOfMemoryIsCutOff) {
  constexpr std::uint64_t kEnd = SparseMemory::kBase + SparseMemory::kBytes;
  rig.memory.word(rig.entry_at(rig.root, 0, 1)) = align_down(kEnd - kPageSize, kGiB) | kBlockRw;
  rig.enable(1);
  EXPECT_EQ(rig.mmu.translate({1}, {kGiB - kPageSize}, Access::kRead).bytes, kPageSize);
  rig.memory.word(rig.entry_at(rig.root, kGiB, 1)) = kEnd | kBlockRw;
  EXPECT_EQ(rig.access(1, kGiB, Access::kRead), MemoryStatus::kAborted);
}

TEST_F(MmuFaultTest, Identity) {
  rig.configure(1, 0, 0, 2);
  rig.command(1, Command::kUpdate);
  EXPECT_EQ(rig.reach(1, kPa + 5), kPa + 5);
  EXPECT_EQ(rig.access(1, 0x1000, Access::kRead), MemoryStatus::kAborted);
  EXPECT_EQ(rig.clock.bus_faults.size(), 1u);
  EXPECT_EQ(rig.access(1, std::uint64_t{1} << 40, Access::kRead), MemoryStatus::kStall);
  EXPECT_EQ(rig.read32(regs::kFaultStatus, 1), 0x2e4u);
}

TEST_F(MmuFaultTest, LegacyTables) {
  // Read 0x40, write 0x80; a leaf is of type 1 at every level.
  rig.memory.word(rig.entry_at(rig.root, 0x1000, 3)) = kPa | 0xc1;
  rig.memory.word(rig.entry_at(rig.root, 0x2000, 3)) = kPa | 0x41;
  rig.memory.word(rig.entry_at(rig.root, 0x3000, 3)) = kPa | 0xc3;
  rig.configure(1, rig.root | 4 | 3, 0x88'8d88, 0);
  rig.command(1, Command::kUpdate);
  EXPECT_EQ(rig.reach(1, 0x1234), kPa + 0x234);
  EXPECT_EQ(rig.access(1, 0x1000, Access::kAtomic), MemoryStatus::kOk);
  EXPECT_EQ(rig.access(1, 0x2000, Access::kRead), MemoryStatus::kOk);
  EXPECT_EQ(rig.access(1, 0x2000, Access::kWrite), MemoryStatus::kStall);
  EXPECT_EQ(rig.read32(regs::kFaultStatus, 1), 0x3cbu);
  rig.command(1, Command::kUpdate);
  EXPECT_EQ(rig.access(1, 0x3000, Access::kRead), MemoryStatus::kStall);
  EXPECT_EQ(rig.read32(regs::kFaultStatus, 1), 0x2c3u);
}

}  // namespace
}  // namespace pantry::emu
