// SPDX-License-Identifier: MIT
//
// Synchronous binds, the kernel's part, life and death.
#include "driver/vm/vm.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "driver/kernel/each_executor.h"
#include "driver/vm/vm_rig.h"

namespace pantry::driver {
namespace {

using Mapped = VmRig::Mapped;
using Page = VmRig::Page;

constexpr Prot kReadOnlyNoExec = Prot::kReadOnly | Prot::kNoExec;

struct VmTest {
  explicit VmTest(Executor& on) : executor(on), rig(on, VmRig::Placement::kCompact) {}
  Errno error(const Result<>& result) { return result ? Errno{} : result.error(); }
  Executor& executor;
  VmRig rig;
};

TEST_EACH_EXECUTOR(VmTest, MapShowsTheBuffersFramesWithItsRights) {
  const Ref<Vm> vm = rig.new_vm();
  const Ref<Buffer> buffer = rig.new_buffer(64 * kKiB);
  ASSERT_TRUE(vm->bind_now(VmRig::map({0x7000}, 0x3000, buffer, 0x2000, kReadOnlyNoExec)));
  for (std::uint64_t at = 0; at < 0x3000; at += kPageSize) {
    EXPECT_EQ(VmRig::page(*vm, GpuVa{0x7000} + at),
              (Page{VmRig::frame_of(*buffer, 0x2000 + at), kReadOnlyNoExec}));
  }
  EXPECT_FALSE(VmRig::page(*vm, {0x6000}));
  EXPECT_FALSE(VmRig::page(*vm, {0xa000}));
  EXPECT_EQ(VmRig::page(*vm, {0x7abc})->frame, VmRig::frame_of(*buffer, 0x2000));
  EXPECT_EQ(VmRig::mappings(*vm),
            (std::vector<Mapped>{{GpuRange::of_size({0x7000}, 0x3000), buffer.get(), 0x2000,
                                  kReadOnlyNoExec, MappingOwner::kUser}}));
}

TEST_EACH_EXECUTOR(VmTest, LargeBuffersAreMappedAsBlocksAndSplitWhereTheyAreCut) {
  const Ref<Vm> vm = rig.new_vm();
  const Ref<Buffer> buffer = rig.new_buffer(4 * kMiB);
  ASSERT_TRUE(vm->bind_now(VmRig::map({0x40000000}, 4 * kMiB, buffer, 0, Prot::kNone)));
  EXPECT_EQ(vm->translate({0x40000000})->leaf_size, 2 * kMiB);
  EXPECT_EQ(vm->tables().tables_by_level, (std::array<std::uint32_t, 4>{1, 1, 1, 0}));
  ASSERT_TRUE(vm->bind_now(VmRig::unmap({0x40001000}, 0x1000)));
  EXPECT_EQ(vm->translate({0x40000000})->leaf_size, kPageSize);
  EXPECT_EQ(vm->translate({0x40200000})->leaf_size, 2 * kMiB);
  EXPECT_FALSE(vm->translate({0x40001000}));
  EXPECT_EQ(vm->translate({0x40002000})->frame, VmRig::frame_of(*buffer, 0x2000));
  EXPECT_EQ(vm->tables().tables_by_level[3], 1u);
  EXPECT_EQ(VmRig::mappings(*vm).size(), 2u);
}

TEST_EACH_EXECUTOR(VmTest, RemaindersKeepBufferOffsetAndRights) {
  const Ref<Vm> vm = rig.new_vm();
  const Ref<Buffer> a = rig.new_buffer(64 * kKiB);
  const Ref<Buffer> b = rig.new_buffer(64 * kKiB);
  ASSERT_TRUE(vm->bind_now(VmRig::map({0x10000}, 0x8000, a, 0x1000, Prot::kReadOnly)));
  ASSERT_TRUE(vm->bind_now(VmRig::map({0x12000}, 0x2000, b, 0, Prot::kUncached)));
  EXPECT_EQ(VmRig::mappings(*vm),
            (std::vector<Mapped>{
                {GpuRange::of_size({0x10000}, 0x2000), a.get(), 0x1000, Prot::kReadOnly, {}},
                {GpuRange::of_size({0x12000}, 0x2000), b.get(), 0, Prot::kUncached, {}},
                {GpuRange::of_size({0x14000}, 0x4000), a.get(), 0x5000, Prot::kReadOnly, {}}}));
  EXPECT_EQ(VmRig::page(*vm, {0x14000}), (Page{VmRig::frame_of(*a, 0x5000), Prot::kReadOnly}));
}

TEST_EACH_EXECUTOR(VmTest, UnmappingNothingSucceeds) {
  const Ref<Vm> vm = rig.new_vm();
  EXPECT_TRUE(vm->bind_now(VmRig::unmap({0x1000}, 0x100000000)));
  EXPECT_EQ(VmRig::table_pages(*vm), 1u);
}

TEST_EACH_EXECUTOR(VmTest, OpsWithNothingToDoSucceed) {
  const Ref<Vm> vm = rig.new_vm();
  BindOp op;
  EXPECT_TRUE(vm->bind_now(BindOp(op)));
  op.type = BindType::kUnmap;
  EXPECT_TRUE(vm->bind_now(BindOp(op)));
}

TEST_EACH_EXECUTOR(VmTest, ABufferLivesAsLongAsItIsMapped) {
  const Ref<Vm> vm = rig.new_vm();
  Ref<Buffer> buffer = rig.new_buffer(64 * kKiB);
  ASSERT_TRUE(vm->bind_now(VmRig::map({0x10000}, 0x10000, buffer, 0, Prot::kNone)));
  buffer = nullptr;
  EXPECT_EQ(rig.buffers.totals().buffers, 1u);
  // Cut twice: three remainders in turn hold it.
  ASSERT_TRUE(vm->bind_now(VmRig::unmap({0x14000}, 0x1000)));
  ASSERT_TRUE(vm->bind_now(VmRig::unmap({0x10000}, 0x4000)));
  EXPECT_EQ(rig.buffers.totals().buffers, 1u);
  ASSERT_TRUE(vm->bind_now(VmRig::unmap({0}, 0x100000)));
  EXPECT_EQ(rig.buffers.totals().buffers, 0u);
}

TEST_EACH_EXECUTOR(VmTest, TablePagesComeBack) {
  const Ref<Vm> vm = rig.new_vm(Provisioning::kWorstCase);
  const Ref<Buffer> buffer = rig.new_buffer(4 * kMiB);
  EXPECT_EQ(rig.pages.statistics().lent, 1u) << "the root";
  // Over a 512 GiB boundary: two tables of each level.
  const GpuVa va{(std::uint64_t{1} << 39) - 0x1000};
  ASSERT_TRUE(vm->bind_now(VmRig::map(va, 0x2000, buffer, 0, Prot::kNone)));
  EXPECT_EQ(vm->tables().tables_by_level, (std::array<std::uint32_t, 4>{1, 2, 2, 2}));
  EXPECT_EQ(rig.pages.statistics().lent, 7u) << "what was reserved and not used is back";
  EXPECT_EQ(vm->tables().total.pages_reserved, 6u);
  EXPECT_EQ(vm->tables().total.pages_used, 6u);
  // A 2 MiB block needs one table less than the worst case.
  ASSERT_TRUE(vm->bind_now(VmRig::map({0x40000000}, 2 * kMiB, buffer, 0, Prot::kNone)));
  const auto tables = vm->tables();
  EXPECT_EQ(tables.binds, 2u);
  EXPECT_EQ(tables.total.pages_reserved, 9u);
  EXPECT_EQ(tables.total.pages_used, 7u);
  EXPECT_EQ(tables.total.pages_returned, 2u);
  EXPECT_EQ(rig.pages.statistics().lent, VmRig::table_pages(*vm));
  ASSERT_TRUE(vm->bind_now(VmRig::unmap({0}, std::uint64_t{1} << 40)));
  EXPECT_EQ(rig.pages.statistics().lent, 1u);
}

// Binds that run at once lay in what the last one did not use: a warm VM asks nobody for pages,
// and what it keeps for that counts as the pool's.
TEST_EACH_EXECUTOR(VmTest, AWarmVmNeedsNothingFromThePool) {
  for (const ProvisioningName& kind : kProvisioningNames) {
    const Ref<Vm> vm = rig.new_vm(kind.provisioning);
    const Ref<Buffer> buffer = rig.new_buffer(kMiB);
    ASSERT_TRUE(vm->bind_now(VmRig::map({0}, 0x1000, buffer, 0, Prot::kNone)));
    const auto again = [&] {
      ASSERT_TRUE(vm->bind_now(VmRig::map({0x10000}, 0x10000, buffer, 0, Prot::kNone)));
      ASSERT_TRUE(vm->bind_now(VmRig::unmap({0x14000}, 0x8000)));
      ASSERT_TRUE(vm->bind_now(VmRig::unmap({0x10000}, 0x10000)));
      EXPECT_EQ(rig.pages.statistics().lent, VmRig::table_pages(*vm)) << kind.name;
    };
    again();
    const PoolStatistics before = rig.pages.statistics();
    for (int i = 0; i < 10; ++i) again();
    EXPECT_EQ(rig.pages.statistics().taken, before.taken) << kind.name;
    EXPECT_EQ(rig.pages.statistics().returned, before.returned) << kind.name;
    const BindStatistics total = vm->tables().total;
    EXPECT_EQ(total.pages_reserved, total.pages_used + total.pages_returned) << kind.name;
  }
}

// A bind that fails when it runs gives its claims back, nodes of the tree included.
TEST_EACH_EXECUTOR(VmTest, ABindThatFailsWhenItRunsKeepsNothing) {
  const Ref<Vm> vm = rig.new_vm();
  const Ref<Buffer> buffer = rig.new_buffer(0x1000);
  const KernelMapping taken = vm->map_kernel_at({0x10000}, 0x1000, Prot::kNone).value();
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(vm->map_kernel_at({0x10000}, 0x2000, Prot::kNone).error(), Errno::kExist);
  EXPECT_EQ(rig.pages.statistics().lent, VmRig::table_pages(*vm));
}

// With the others nothing that is laid in is left over here; the pages that tables take are the
// same.
TEST_EACH_EXECUTOR(VmTest, TheStateOfTheTableSavesPages) {
  for (const Provisioning provisioning : {Provisioning::kExact, Provisioning::kRangeReserve}) {
    const Ref<Vm> vm = rig.new_vm(provisioning);
    const Ref<Buffer> buffer = rig.new_buffer(4 * kMiB);
    const GpuVa va{(std::uint64_t{1} << 39) - 0x1000};
    ASSERT_TRUE(vm->bind_now(VmRig::map(va, 0x2000, buffer, 0, Prot::kNone)));
    EXPECT_EQ(vm->tables().total.pages_reserved, 6u);
    EXPECT_EQ(vm->tables().total.pages_used, 6u);
    ASSERT_TRUE(vm->bind_now(VmRig::map({0x40000000}, 2 * kMiB, buffer, 0, Prot::kNone)));
    EXPECT_EQ(vm->tables().total.pages_reserved, 7u);
    ASSERT_TRUE(vm->bind_now(VmRig::map({0x40200000}, 2 * kMiB, buffer, 0x1000, Prot::kNone)));
    EXPECT_EQ(vm->tables().total.pages_reserved, 8u) << "no block fits";
    ASSERT_TRUE(vm->bind_now(VmRig::unmap({0x40001000}, 0x1000)));
    EXPECT_EQ(vm->tables().total.pages_reserved, 9u) << "both edges in one block";
    EXPECT_EQ(vm->tables().total.pages_used, 9u);
    ASSERT_TRUE(vm->bind_now(VmRig::unmap({0x40001000}, 0x10000)));
    ASSERT_TRUE(vm->bind_now(VmRig::map({0x40001000}, 0x10000, buffer, 0, Prot::kNone)));
    EXPECT_EQ(vm->tables().total.pages_reserved, 9u);
    ASSERT_TRUE(vm->bind_now(VmRig::unmap({0}, std::uint64_t{1} << 40)));
    EXPECT_EQ(vm->tables().total.pages_returned, 0u);
    EXPECT_EQ(rig.pages.statistics().lent, 1u);
  }
}

// VMs of one device and one pool, each provisioned its own way at the same time.
TEST_EACH_EXECUTOR(VmTest, EachVmHasTheProvisionerThatItWasMadeWith) {
  const Ref<Vm> worst = rig.new_vm(Provisioning::kWorstCase);
  const Ref<Vm> exact = rig.new_vm(Provisioning::kExact);
  const Ref<Vm> ranges = rig.new_vm(Provisioning::kRangeReserve);
  const Ref<Buffer> buffer = rig.new_buffer(64 * kKiB);
  for (std::uint64_t i = 0; i < 4; ++i)
    for (const Ref<Vm>& vm : {worst, exact, ranges})
      ASSERT_TRUE(vm->bind_now(VmRig::map({i * 64 * kKiB}, 64 * kKiB, buffer, 0, Prot::kNone)));
  EXPECT_EQ(worst->tables().total.pages_reserved, 12u);
  EXPECT_EQ(exact->tables().total.pages_reserved, 3u);
  EXPECT_EQ(ranges->tables().total.pages_reserved, 3u);
  // Queued, only one of them puts its tables in place at once.
  std::vector<Ref<Job>> queued;
  for (const Ref<Vm>& vm : {worst, exact, ranges})
    queued.push_back(
        vm->prepare_bind(VmRig::map({kGiB}, 64 * kKiB, buffer, 0, Prot::kNone)).value());
  EXPECT_EQ(VmRig::table_pages(*worst), 4u);
  EXPECT_EQ(VmRig::table_pages(*exact), 4u);
  EXPECT_EQ(VmRig::table_pages(*ranges), 6u);
}

TEST_EACH_EXECUTOR(VmTest, ItsLatestBindsAreKnownApartFromTheKernels) {
  const Ref<Vm> vm = rig.new_vm(Provisioning::kWorstCase);
  const Ref<Buffer> buffer = rig.new_buffer(4 * kMiB);
  {
    const KernelMapping own = vm->map_kernel(0x2000, Prot::kNone).value();
    EXPECT_EQ(vm->tables().kernel.pages_used, 3u);
  }
  EXPECT_EQ(vm->tables().kernel.pages_emptied, 3u);
  EXPECT_EQ(vm->tables().binds, 0u);
  EXPECT_TRUE(vm->latest_binds().empty());

  const GpuRange block = GpuRange::of_size({0x40000000}, 2 * kMiB);
  ASSERT_TRUE(vm->bind_now(VmRig::map(block.first, 2 * kMiB, buffer, 0, Prot::kNone)));
  BindOp failing = VmRig::map({0x1000}, 0x1000, buffer, 0, Prot::kNone);
  failing.fails_with = Errno::kInval;
  EXPECT_FALSE(vm->bind_now(BindOp(failing)));
  ASSERT_TRUE(vm->bind_now(VmRig::unmap(block.first, 2 * kMiB)));
  std::vector<BindRecord> binds = vm->latest_binds();
  ASSERT_EQ(binds.size(), 3u);
  EXPECT_EQ(binds[0].type, BindType::kMap);
  EXPECT_EQ(binds[0].range, block);
  EXPECT_EQ(binds[0].error, std::nullopt);
  EXPECT_EQ(binds[0].statistics.pages_reserved, 3u);
  EXPECT_EQ(binds[0].statistics.pages_used, 2u);
  EXPECT_EQ(binds[0].statistics.pages_returned, 1u);
  EXPECT_EQ(binds[0].statistics.pages_emptied, 0u);
  EXPECT_EQ(binds[1].error, Errno::kInval);
  EXPECT_EQ(binds[2].type, BindType::kUnmap);
  EXPECT_EQ(binds[2].statistics.pages_used, 0u);
  EXPECT_EQ(binds[2].statistics.pages_emptied, 2u);

  for (std::uint64_t i = 0; i < BindHistory::kKept; ++i)
    ASSERT_TRUE(vm->bind_now(VmRig::unmap({i * kPageSize}, kPageSize)));
  binds = vm->latest_binds();
  ASSERT_EQ(binds.size(), BindHistory::kKept);
  EXPECT_EQ(binds.front().range->first, GpuVa{0});
  EXPECT_EQ(binds.back().range->first, GpuVa{(BindHistory::kKept - 1) * kPageSize});
  EXPECT_EQ(vm->tables().binds, BindHistory::kKept + 3);
}

// What the device looks up once the region is unlocked is what the bind has left, also right away.
TEST_EACH_EXECUTOR(VmTest, EntriesAreWrittenBeforeTheFlush) {
  const Ref<Vm> vm = rig.new_vm();
  ASSERT_TRUE(vm->activate());
  const Ref<Buffer> buffer = rig.new_buffer(64 * kKiB);
  constexpr GpuVa kFirst{0x40000000};
  // The entry of the page that is found on the way from the root, as the device does; 0 for none.
  class Watch final : public FakeAsBlock::FlushObserver {
   public:
    Watch(VmRig& rig, GpuVa va) : rig_(rig), va_(va) {
      seen.reserve(4);  // inside the section nothing may be allocated
      rig_.block.set_flush_observer(this);
    }
    ~Watch() { rig_.block.set_flush_observer(nullptr); }
    void on_flush() noexcept override {
      std::uint64_t entry = rig_.block.space(1).committed.root.value | 3;
      for (int shift = 39; shift >= 12 && entry != 0; shift -= 9) {
        const PhysAddr table{entry & 0xffff'ffff'f000};
        entry = static_cast<const std::uint64_t*>(
            rig_.dram.at(table, kPageSize))[va_.value >> shift & 511];
      }
      seen.push_back({entry & 0xffff'ffff'f000});
    }
    std::vector<PhysAddr> seen;

   private:
    VmRig& rig_;
    const GpuVa va_;
  };
  Watch first(rig, kFirst);
  const auto frame = [&](std::uint64_t offset) { return VmRig::frame_of(*buffer, offset); };
  ASSERT_TRUE(vm->bind_now(VmRig::map(kFirst, 0x8000, buffer, 0, Prot::kNone)));
  EXPECT_EQ(first.seen, (std::vector<PhysAddr>{frame(0)}));
  ASSERT_TRUE(vm->bind_now(VmRig::map(kFirst, 0x1000, buffer, 0x9000, Prot::kNone)));
  EXPECT_EQ(first.seen, (std::vector<PhysAddr>{frame(0), frame(0x9000)}));
  ASSERT_TRUE(vm->bind_now(VmRig::unmap(kFirst, 0x1000)));
  EXPECT_EQ(first.seen, (std::vector<PhysAddr>{frame(0), frame(0x9000), {}}));
  // With the last page goes the way to its table.
  Watch last(rig, kFirst + 0x7000);
  ASSERT_TRUE(vm->bind_now(VmRig::unmap(kFirst, 0x8000)));
  EXPECT_EQ(last.seen, std::vector<PhysAddr>{PhysAddr{}});
  vm->deactivate();
}

// The device may walk a table until the flush is done: till then its content and its owner stay.
TEST_EACH_EXECUTOR(VmTest, ATableIsNotTouchedBeforeTheFlush) {
  const Ref<Vm> vm = rig.new_vm();
  ASSERT_TRUE(vm->activate());
  const Ref<Buffer> buffer = rig.new_buffer(64 * kKiB);
  ASSERT_TRUE(vm->bind_now(VmRig::map({0x40000000}, 0x10000, buffer, 0, Prot::kNone)));
  // The table of 2 MiB entries and the one below it, found as the device does: from the root.
  const auto next = [&](PhysAddr table, unsigned index) {
    const auto* entries = static_cast<const std::uint64_t*>(rig.dram.at(table, kPageSize));
    return PhysAddr{entries[index] & 0xffff'ffff'f000};
  };
  const PhysAddr root = rig.block.space(1).committed.root;
  const PhysAddr upper = next(root, 0);
  const PhysAddr middle = next(upper, 1);
  const PhysAddr leaves = next(middle, 0);
  const std::uint64_t lent = rig.pages.statistics().lent;
  // Emptied tables may be cleared entry by entry in the edit, but are still lent at the flush.
  class StillLent final : public FakeAsBlock::FlushObserver {
   public:
    explicit StillLent(PagePool& pages) : pages_(pages) {}
    void on_flush() noexcept override {
      at_flush = pages_.statistics().lent;
      ++flushes;
    }
    PagePool& pages_;
    std::uint64_t at_flush = 0;
    int flushes = 0;
  } still_lent(rig.pages);
  rig.block.set_flush_observer(&still_lent);
  ASSERT_TRUE(vm->bind_now(VmRig::unmap({0x40000000}, 0x10000)));
  rig.block.set_flush_observer(nullptr);
  EXPECT_EQ(still_lent.flushes, 1) << "one flush per op";
  EXPECT_EQ(still_lent.at_flush, lent + vm->latest_binds().back().statistics.pages_reserved)
      << "the three tables, and the page laid in for a split if there is one";
  EXPECT_EQ(rig.pages.statistics().lent, lent - 3);
  for (const PhysAddr table : {upper, middle, leaves}) {
    const auto* bytes = static_cast<const std::uint8_t*>(rig.dram.at(table, kPageSize));
    EXPECT_EQ(std::count(bytes, bytes + kPageSize, 0), static_cast<std::ptrdiff_t>(kPageSize));
  }
  vm->deactivate();
}

TEST_EACH_EXECUTOR(VmTest, TheLockedRegionCoversTheBlockThatIsSplit) {
  const Ref<Vm> vm = rig.new_vm();
  ASSERT_TRUE(vm->activate());
  const Ref<Buffer> buffer = rig.new_buffer(2 * kMiB);
  ASSERT_TRUE(vm->bind_now(VmRig::map({0x40000000}, 2 * kMiB, buffer, 0, Prot::kNone)));
  rig.block.take_events();
  ASSERT_TRUE(vm->bind_now(VmRig::unmap({0x40100000}, 0x1000)));
  const auto events = rig.block.take_events();
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].command, FakeAsBlock::Command::kLock);
  EXPECT_EQ(datasheet::lock_region::decode(events[0].lockaddr),
            GpuRange::of_size({0x40000000}, 2 * kMiB));
  EXPECT_EQ(events[1].kind, FakeAsBlock::Event::Kind::kCacheFlush);
  EXPECT_EQ(events[2].command, FakeAsBlock::Command::kUnlock);
  vm->deactivate();
}

TEST_EACH_EXECUTOR(VmTest, ActivationProgramsItsTable) {
  const Ref<Vm> vm = rig.new_vm();
  EXPECT_EQ(vm->activate().value(), 1u);
  const AsConfig config = rig.block.space(1).committed;
  EXPECT_EQ(config.transcfg, 0x420001c6u);
  EXPECT_EQ(config.memattr, 0x9f9f'9f9f'9c4c'9f4cu);
  EXPECT_TRUE(rig.dram.contains(config.root, kPageSize));
  rig.block.raise_fault(1, 0x3c0, 0x1000);
  rig.spaces.handle_interrupt();
  EXPECT_EQ(rig.faults, 1);
  EXPECT_TRUE(vm->faulted());
  ASSERT_TRUE(vm->slot());
  EXPECT_EQ(vm->slot()->slot, 1u);
  EXPECT_TRUE(vm->slot()->faulted);
  EXPECT_FALSE(rig.new_vm()->slot());
  EXPECT_FALSE(vm->unusable()) << "a fault is not a failed bind";
  vm->deactivate();
  EXPECT_EQ(vm->activate().value(), 1u);
  EXPECT_FALSE(vm->faulted());
  vm->deactivate();
}

TEST_EACH_EXECUTOR(VmTest, TheMcuHasFourGiBSlotZeroAndAnAreaForItsOwn) {
  const Ref<Vm> mcu = Vm::create_mcu(rig.device).value();
  EXPECT_EQ(mcu->activate().value(), 0u);
  {
    const KernelMapping section = mcu->map_kernel_at({0}, 0x3000, Prot::kReadOnly).value();
    EXPECT_EQ(section.va(), GpuVa{0});
    EXPECT_EQ(mcu->map_kernel_at({0x2000}, 0x1000, Prot::kNone).error(), Errno::kExist);
    EXPECT_EQ(mcu->map_kernel_at({0xfffff000}, 0x2000, Prot::kNone).error(), Errno::kInval);
    EXPECT_EQ(mcu->map_kernel_at({0x800}, 0x1000, Prot::kNone).error(), Errno::kInval);
    const KernelMapping last = mcu->map_kernel_at({0xfffff000}, 0x1000, Prot::kNone).value();
    const KernelMapping placed = mcu->map_kernel(0x1001, Prot::kNone).value();
    EXPECT_EQ(placed.va(), GpuVa{0x04000000});
    EXPECT_EQ(placed.size(), 0x2000u);
    const KernelMapping most = mcu->map_kernel(32 * kMiB, Prot::kNone).value();
    EXPECT_EQ(most.va(), GpuVa{0x04200000}) << "a multiple of 2 MiB";
    EXPECT_EQ(mcu->map_kernel(32 * kMiB, Prot::kNone).error(), Errno::kNoMem)
        << "of frames; a full area is tested below";
  }
  EXPECT_TRUE(VmRig::mappings(*mcu).empty());
  mcu->deactivate();
}

TEST_EACH_EXECUTOR(VmTest, TheKernelsPartIsHandedOutBestFit) {
  const Ref<Vm> vm = rig.new_vm();
  const std::uint64_t start = vm->split().user_size;
  KernelMapping a = vm->map_kernel(0x4000, Prot::kNoExec).value();
  KernelMapping b = vm->map_kernel(0x1000, Prot::kNoExec).value();
  KernelMapping c = vm->map_kernel(0x2000, Prot::kNoExec).value();
  KernelMapping d = vm->map_kernel(0x1000, Prot::kNoExec).value();
  EXPECT_EQ(a.va().value, start);
  EXPECT_EQ(b.va().value, start + 0x4000);
  EXPECT_EQ(c.va().value, start + 0x5000);
  EXPECT_EQ(d.va().value, start + 0x7000);
  a = KernelMapping();
  c = KernelMapping();
  // Holes of 0x4000 and 0x2000: the smaller one fits.
  KernelMapping e = vm->map_kernel(0x2000, Prot::kNoExec).value();
  EXPECT_EQ(e.va().value, start + 0x5000);
  const auto page = VmRig::page(*vm, e.va());
  EXPECT_EQ(page, (Page{e.buffer().frames()[0].start, Prot::kNoExec}));
  EXPECT_EQ(VmRig::mappings(*vm)[0].owner, MappingOwner::kKernel);
  KernelMapping large = vm->map_kernel(2 * kMiB, Prot::kNone).value();
  EXPECT_TRUE(is_aligned(large.va().value, 2 * kMiB));
  EXPECT_EQ(vm->translate(large.va())->leaf_size, 2 * kMiB);
  static_cast<std::uint8_t*>(large.cpu())[0] = 1;
}

TEST_EACH_EXECUTOR(VmTest, AFullKernelPartIsNoSpace) {
  // The smallest kernel part, filled by maps that a client could not ask for: they take its place
  // without taking memory.
  const Ref<Vm> vm = Vm::create(rig.device, (std::uint64_t{1} << 48) - 256 * kMiB).value();
  const Ref<Buffer> buffer = rig.new_buffer(32 * kMiB);
  const GpuRange kernel = vm->split().kernel;
  for (std::uint64_t at = 0; at < 256 * kMiB; at += 32 * kMiB) {
    ASSERT_TRUE(vm->bind_now(
        VmRig::map(kernel.first + at, at == 0 ? 31 * kMiB : 32 * kMiB, buffer, 0, Prot::kNone)));
  }
  EXPECT_TRUE(vm->map_kernel(1 * kMiB, Prot::kNone));
  const KernelMapping held = vm->map_kernel(1 * kMiB, Prot::kNone).value();
  EXPECT_EQ(vm->map_kernel(kPageSize, Prot::kNone).error(), Errno::kNoSpc);
}

TEST_EACH_EXECUTOR(VmTest, DestroyingUnmapsEverythingAndLateBindsStillRun) {
  const Ref<Vm> vm = rig.new_vm();
  ASSERT_TRUE(vm->activate());
  KernelMapping ring = vm->map_kernel(0x1000, Prot::kNone).value();
  Ref<Buffer> buffer = rig.new_buffer(64 * kKiB);
  ASSERT_TRUE(vm->bind_now(VmRig::map({0x10000}, 0x10000, buffer, 0, Prot::kNone)));
  vm->destroy();
  EXPECT_TRUE(vm->destroyed());
  EXPECT_FALSE(vm->unusable());
  EXPECT_TRUE(VmRig::mappings(*vm).empty());
  EXPECT_FALSE(vm->translate(ring.va()));
  EXPECT_EQ(VmRig::table_pages(*vm), 1u);
  EXPECT_EQ(vm->prepare_bind(VmRig::unmap({0}, 0x1000)).error(), Errno::kInval);
  EXPECT_EQ(vm->map_kernel(0x1000, Prot::kNone).error(), Errno::kInval);
  // Its buffer is the group's until the mapping goes.
  static_cast<std::uint8_t*>(ring.cpu())[0] = 1;
  ring = KernelMapping();
  EXPECT_TRUE(vm->bind_now(VmRig::map({0x10000}, 0x10000, buffer, 0, Prot::kNone)));
  buffer = nullptr;
  vm->deactivate();
  // What is mapped now goes with the VM (the rig looks).
}

TEST_EACH_EXECUTOR(VmTest, RoomsForFencesAreUsedOrGivenBack) {
  const Ref<Vm> vm = rig.new_vm();
  const Ref<Buffer> shared = rig.new_buffer(64 * kKiB);
  const Ref<Buffer> elsewhere = rig.new_buffer(64 * kKiB);
  ASSERT_TRUE(vm->bind_now(VmRig::map({0x10000}, 0x10000, shared, 0, Prot::kNone)));
  const auto fence = make_ref<ManualFence>();
  {
    FenceRooms rooms = vm->reserve_fences(3).value();
    for (const Reservation* all : {vm->reservation().get(), shared->reservation().get()})
      EXPECT_EQ(all->view().reserved, 3u);
    rooms.add(fence);
    // What is unmapped meanwhile still gets its rooms back.
    ASSERT_TRUE(vm->bind_now(VmRig::unmap({0}, 0x100000)));
  }
  for (const Reservation* all : {vm->reservation().get(), shared->reservation().get()}) {
    EXPECT_EQ(all->view().reserved, 0u);
    EXPECT_EQ(all->view().fences, 1u);
    EXPECT_FALSE(all->idle(Reservation::Use::kBookkeeping));
  }
  EXPECT_TRUE(elsewhere->reservation()->idle(Reservation::Use::kBookkeeping));
  fence->signal(executor.clock().now(), 0);
}

// The kernel's part of a VM whose destruction overtakes the making of a mapping there: the place of
// an older mapping must not be given to a new one, which that would then unmap.
TEST(VmDestruction, MayOvertakeTheMakingOfKernelMappings) {
  for_each_executor(2, [](Executor& executor) {
    VmRig rig(executor, VmRig::Placement::kCompact);
    const Ref<Vm> vm = rig.new_vm();
    KernelMapping small = vm->map_kernel(0x1000, Prot::kNone).value();
    KernelMapping large;
    auto maker = test_thread([&] {
      if (Result<KernelMapping> made = vm->map_kernel(0x4000, Prot::kNone))
        large = *std::move(made);
      else
        EXPECT_EQ(made.error(), Errno::kInval);
    });
    executor.spawn("maker", maker);
    vm->destroy();
    executor.join_spawned();
    small = KernelMapping();
    large = KernelMapping();
    EXPECT_TRUE(VmRig::mappings(*vm).empty());
  });
}

TEST_EACH_EXECUTOR(VmTest, VisitorsMayUnmapWhatTheyAreShown) {
  // Where a buffer's memory goes back; in builds with traps it says whether a lock was held then.
  class Watching final : public Backing {
   public:
    explicit Watching(Backing& below) : below_(below) {}
    std::uint64_t min_extent() const noexcept override { return below_.min_extent(); }
    Result<OwnedFd> place(std::span<const PhysExtent> frames, std::uint64_t size) override {
      return below_.place(frames, size);
    }
    void withdraw(std::span<const PhysExtent> frames) noexcept override {
      ++withdrawn;
      EXPECT_EQ(Mutex::held_by_this_thread(), 0u);
      below_.withdraw(frames);
    }
    Result<ParkedContent> park(std::span<const PhysExtent> frames, std::uint64_t size) override {
      return below_.park(frames, size);
    }
    Result<> unpark(std::span<const PhysExtent> frames, std::uint64_t size, int memfd,
                    const ParkedContent& content) override {
      return below_.unpark(frames, size, memfd, content);
    }
    bool read_parked(int memfd, const ParkedContent& content, std::uint64_t offset, void* to,
                     std::uint64_t bytes) override {
      return below_.read_parked(memfd, content, offset, to, bytes);
    }
    bool write_parked(int memfd, const ParkedContent& content, std::uint64_t offset,
                      const void* from, std::uint64_t bytes) override {
      return below_.write_parked(memfd, content, offset, from, bytes);
    }
    int withdrawn = 0;

   private:
    Backing& below_;
  } watching(rig.backing);
  BufferStore store(rig.frames, rig.dram, watching);
  const Ref<Vm> vm = rig.new_vm();
  constexpr int kMappings = 40;
  for (std::uint64_t i = 0; i < kMappings; ++i) {
    const Ref<Buffer> buffer = store.create(kPageSize, 0, nullptr).value();
    ASSERT_TRUE(vm->bind_now(VmRig::map({i * 2 * kPageSize}, kPageSize, buffer, 0, Prot::kNone)));
  }
  class UnmapIt final : public Vm::MappingVisitor {
   public:
    explicit UnmapIt(Vm& vm) : vm_(vm) {}
    void visit(const Vm::MappingView& view) override {
      EXPECT_TRUE(vm_.bind_now(VmRig::unmap(view.range.first, view.range.size())));
      ++visits;
    }
    int visits = 0;

   private:
    Vm& vm_;
  } unmap_it(*vm);
  vm->for_each_mapping(unmap_it);
  EXPECT_EQ(unmap_it.visits, kMappings);
  EXPECT_EQ(watching.withdrawn, kMappings);
}

TEST_EACH_EXECUTOR(VmTest, ImpossibleSplitsAreInvalid) {
  EXPECT_EQ(Vm::create(rig.device, UINT64_MAX).error(), Errno::kInval);
}

// Every allocation fails once: the errno is ENOMEM and nothing has changed.
class Snapshot {
 public:
  Snapshot(VmRig& rig, const Vm* vm) {
    rig.settle();
    rig.pages.trim(0);
    used = rig.frames.statistics().used;
    lent = rig.pages.statistics().lent;
    totals = rig.buffers.totals();
    if (!vm) return;
    mappings = VmRig::mappings(*vm);
    tables = vm->tables().tables_by_level;
  }
  bool operator==(const Snapshot&) const = default;

  std::uint64_t used = 0;
  std::uint64_t lent = 0;
  BufferStore::Totals totals;
  std::vector<Mapped> mappings;
  std::array<std::uint32_t, 4> tables{};
};

template <class Attempt>
void expect_clean_failures(VmRig& rig, const Vm* vm, std::uint64_t at_least, Attempt attempt) {
  const Snapshot before(rig, vm);
  std::uint64_t sites = 0;
  for (std::uint64_t n = 1;; ++n) {
    rig.frames.faults().fail_nth(n);
    const std::optional<Errno> error = attempt();
    const bool fired = rig.frames.faults().fired();
    rig.frames.faults().fail_nth(0);
    if (!fired) {
      EXPECT_FALSE(error);
      break;
    }
    ++sites;
    EXPECT_EQ(error, Errno::kNoMem) << "allocation " << n;
    EXPECT_EQ(Snapshot(rig, vm), before) << "allocation " << n;
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GE(sites, at_least);
}

template <class T>
std::optional<Errno> error_of(const Result<T>& result) {
  return result ? std::nullopt : std::optional(result.error());
}

TEST_EACH_EXECUTOR(VmTest, EachFailedAllocationLeavesNoTrace) {
  expect_clean_failures(rig, nullptr, 2, [&] { return error_of(Vm::create(rig.device, 0)); });
  const Ref<Vm> vm = rig.new_vm();
  const Ref<Buffer> buffer = rig.new_buffer(4 * kMiB);
  ASSERT_TRUE(vm->bind_now(VmRig::map({0x40000000}, 4 * kMiB, buffer, 0, Prot::kNone)));
  expect_clean_failures(rig, vm.get(), 3, [&] {
    return error_of(vm->bind_now(VmRig::map({0x40100000}, 0x1000, buffer, 0, Prot::kReadOnly)));
  });
  expect_clean_failures(rig, vm.get(), 2,
                        [&] { return error_of(vm->bind_now(VmRig::unmap({0x40300000}, 0x1000))); });
  // The first mapping of a VM takes the first node of its tree.
  const Ref<Vm> fresh = rig.new_vm();
  expect_clean_failures(rig, fresh.get(), 5, [&] {
    return error_of(fresh->bind_now(VmRig::map({0x40000000}, 0x1000, buffer, 0, Prot::kNone)));
  });
  // Where no table stands, so that three are laid in by any provisioner.
  const GpuVa elsewhere{std::uint64_t{1} << 40};
  const Ref<Buffer> other = rig.new_buffer(0x1000);  // that the VM does not know yet
  expect_clean_failures(rig, vm.get(), 6, [&] {
    return error_of(vm->prepare_bind(VmRig::map(elsewhere, 0x1000, other, 0, Prot::kNone)));
  });
  expect_clean_failures(rig, vm.get(), 8,
                        [&] { return error_of(vm->map_kernel(0x1000, Prot::kNone)); });
  expect_clean_failures(rig, vm.get(), 1, [&] { return error_of(vm->reserve_fences(2)); });
}

}  // namespace
}  // namespace pantry::driver
