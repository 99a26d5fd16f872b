// SPDX-License-Identifier: MIT
//
// That a held page is good no more after each event that could give the same access another answer.
#include "gpu_emu/mmu/held_page.h"

#include <gtest/gtest.h>

#include <ostream>

#include "gpu_emu/mmu/mmu_rig.h"

namespace pantry::emu {
namespace {

constexpr std::uint8_t kAs = 1;
constexpr GpuVa kPage{0x40'0000'0000};
constexpr GpuVa kOther{kPage.value + 0x1000'0000};
constexpr std::uint64_t kFrame = SparseMemory::kBase + 0x1000'0000;

struct HeldPageRig : MmuRig {
  HeldPageRig() : MmuRig(Quirks{}) {
    map(kPage.value, kFrame, kPageRw);
    map(kOther.value, kFrame + kPageSize, kPageRw);
    enable(kAs);
    enable(kAs + 1);
    mmu.translate({kAs}, kPage, Access::kWrite);  // the walk
    mmu.translate_held({kAs}, kPage, Access::kWrite, held);
  }
  bool is_good() const { return mmu.use_held(held, kPage, 4) != nullptr; }

  HeldPage held;
};

struct Event {
  const char* name;
  void (*happen)(HeldPageRig&);
};
std::ostream& operator<<(std::ostream& out, const Event& event) { return out << event.name; }

constexpr GpuRange kRegion{{0x40'0000'0000}, {0x40'0000'7fff}};

class HeldPages : public testing::TestWithParam<Event> {};

TEST_P(HeldPages, EndWith) {
  HeldPageRig rig;
  ASSERT_TRUE(rig.is_good());
  GetParam().happen(rig);
  EXPECT_FALSE(rig.is_good());
}

INSTANTIATE_TEST_SUITE_P(
    Each, HeldPages,
    testing::Values(Event{"Lock", [](HeldPageRig& rig) { rig.lock(kAs, kRegion); }},
                    Event{"FlushPtWithoutLock",
                          [](HeldPageRig& rig) {
                            rig.write64(datasheet::address_space::kLockaddr, kAs,
                                        datasheet::lock_region::encode(kRegion));
                            rig.command(kAs, MmuRig::Command::kFlushPt);
                          }},
                    Event{"FlushMemWithoutLock",
                          [](HeldPageRig& rig) {
                            rig.write64(datasheet::address_space::kLockaddr, kAs,
                                        datasheet::lock_region::encode(kRegion));
                            rig.command(kAs, MmuRig::Command::kFlushMem);
                          }},
                    Event{"UnlockWithoutLock",
                          [](HeldPageRig& rig) {
                            rig.write64(datasheet::address_space::kLockaddr, kAs,
                                        datasheet::lock_region::encode(kRegion));
                            rig.command(kAs, MmuRig::Command::kUnlock);
                          }},
                    Event{"UpdateToOtherTables",
                          [](HeldPageRig& rig) {
                            rig.configure(kAs, rig.new_table(), kMemattr, kTranscfg48);
                            rig.command(kAs, MmuRig::Command::kUpdate);
                          }},
                    Event{"UpdateToUnmapped",
                          [](HeldPageRig& rig) {
                            rig.configure(kAs, 0, 0, 1);
                            rig.command(kAs, MmuRig::Command::kUpdate);
                          }},
                    // After which the address space stalls all accesses.
                    Event{"FaultElsewhere",
                          [](HeldPageRig& rig) {
                            rig.mmu.translate({kAs}, kOther + 0x1000'0000, Access::kRead);
                          }},
                    Event{
                        "ReplacementInTheTlb",
                        [](HeldPageRig& rig) { rig.mmu.translate({kAs}, kOther, Access::kRead); }},
                    Event{"Reset", [](HeldPageRig& rig) { rig.mmu.reset(); }}),
    [](const auto& about) { return std::string(about.param.name); });

// What follows the faults that a stream goes on without: the answer is the new table's.
TEST(HeldPage, AfterAnUpdateTheNewFrameIsReached) {
  HeldPageRig rig;
  rig.map(kPage.value, kFrame + 5 * kPageSize, kPageRw);
  EXPECT_TRUE(rig.is_good());  // as the TLB, which was not told
  rig.lock(kAs, kRegion);
  EXPECT_EQ(rig.mmu.translate_held({kAs}, kPage, Access::kWrite, rig.held).status,
            MemoryStatus::kStall);
  rig.command(kAs, MmuRig::Command::kUnlock);
  const Translation t = rig.mmu.translate_held({kAs}, kPage, Access::kWrite, rig.held);
  ASSERT_EQ(t.status, MemoryStatus::kOk);
  EXPECT_EQ(t.host - rig.memory.dram().host,
            std::ptrdiff_t{0x1000'0000 + 5 * std::ptrdiff_t{kPageSize}});
}

TEST(HeldPage, IsNotHeldForWritesThatAreForbidden) {
  HeldPageRig rig;
  rig.map(kOther.value, kFrame, kPageRo);
  EXPECT_EQ(rig.mmu.translate_held({kAs}, kOther, Access::kRead, rig.held).status,
            MemoryStatus::kOk);
  HeldPage writes;
  EXPECT_EQ(rig.mmu.translate_held({kAs}, kOther, Access::kWrite, writes).status,
            MemoryStatus::kStall);
  EXPECT_EQ(rig.mmu.use_held(writes, kOther, 4), nullptr);
}

}  // namespace
}  // namespace pantry::emu
