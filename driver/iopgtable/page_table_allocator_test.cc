// SPDX-License-Identifier: MIT
//
// The conformance suite over the allocators of this room.
#include "driver/iopgtable/accounting_allocator.h"
#include "driver/iopgtable/arena_table_allocator.h"
#include "driver/iopgtable/fault_injecting_allocator.h"
#include "driver/iopgtable/page_table_allocator_conformance.h"

namespace pantry::driver {
namespace {

constexpr std::uint32_t kPages = 16;

class ArenaHarness {
 public:
  static constexpr bool kAtOnce = true;
  PageTableAllocator& allocator() { return arena_; }
  const emu::Dram& dram() const { return memory_.dram(); }
  std::uint32_t capacity() const { return kPages; }
  void after_flush() { arena_.after_flush(); }

 protected:
  TestDram memory_{kPages * kPageSize};
  ArenaTableAllocator arena_{memory_.dram()};
};

class DecoratedHarness : public ArenaHarness {
 public:
  static constexpr bool kAtOnce = false;
  ~DecoratedHarness() { EXPECT_EQ(accounting_.outstanding(), 0u); }
  PageTableAllocator& allocator() { return accounting_; }

 private:
  FaultInjectingAllocator faults_{arena_, UINT64_MAX};
  AccountingAllocator accounting_{faults_};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Arena, PageTableAllocatorConformance, ArenaHarness);
INSTANTIATE_TYPED_TEST_SUITE_P(Decorated, PageTableAllocatorConformance, DecoratedHarness);

TEST(FaultInjectingAllocator, LetsThroughSoManyAndNoMore) {
  TestDram memory(kPages * kPageSize);
  ArenaTableAllocator arena(memory.dram());
  FaultInjectingAllocator faults(arena, 2);
  AccountingAllocator accounting(faults);
  const Result<PhysAddr> first = accounting.alloc(kPageSize);
  const Result<PhysAddr> second = accounting.alloc(kPageSize);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(accounting.alloc(kPageSize).error(), Errno::kNoMem);
  EXPECT_EQ(faults.refused(), 1u);
  accounting.free(*first, kPageSize);
  accounting.free(*second, kPageSize);
  EXPECT_EQ(accounting.allocations(), 2u);
  EXPECT_EQ(accounting.failures(), 1u);
  EXPECT_EQ(accounting.frees(), 2u);
  EXPECT_EQ(accounting.outstanding(), 0u);
}

TEST(AccountingAllocatorDeathTest, CatchesAFreeThatDoesNotMatch) {
  TestDram memory(kPages * kPageSize);
  ArenaTableAllocator arena(memory.dram());
  AccountingAllocator accounting(arena);
  const PhysAddr page = *accounting.alloc(kPageSize);
  EXPECT_DEATH(accounting.free(page, 2 * kPageSize), "CHECK");
  accounting.free(page, kPageSize);
  EXPECT_DEATH(accounting.free(page, kPageSize), "CHECK");
}

}  // namespace
}  // namespace pantry::driver
