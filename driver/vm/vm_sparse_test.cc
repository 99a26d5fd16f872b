// SPDX-License-Identifier: MIT
//
// Sparse ranges of a VM: what they cost, what is left of them when they are cut, and that they go
// as a whole.
#include <gtest/gtest.h>

#include <cstdio>
#include <vector>

#include "driver/kernel/each_executor.h"
#include "driver/vm/vm_rig.h"

namespace pantry::driver {
namespace {

using Mapped = VmRig::Mapped;

constexpr GpuVa kVa{8 * kGiB};
constexpr std::uint64_t kLarge = 256 * kGiB;

struct VmSparse {
  explicit VmSparse(Executor& on) : executor(on), rig(on, VmRig::Placement::kCompact) {
    buffer = rig.buffers.create(2 * kMiB, 0, make_ref<Reservation>()).value();
  }
  BindOp sparse(GpuVa va, std::uint64_t size) const {
    BindOp op = VmRig::map(va, size, buffer, 0, Prot::kNoExec);
    op.content = BindOp::Content::kRepeated;
    op.among = BindOp::Among::kRepeated;
    return op;
  }
  static BindOp among(BindOp op) {
    op.among = BindOp::Among::kRepeated;
    return op;
  }
  static BindOp unmap(GpuVa va, std::uint64_t size) { return among(VmRig::unmap(va, size)); }
  bool shows(const Vm& vm, GpuVa va) const {
    const auto page = VmRig::page(vm, va);
    return page &&
           page->frame == VmRig::frame_of(*buffer, align_down(va.value, kPageSize) % (2 * kMiB)) &&
           page->prot == Prot::kNoExec;
  }
  Executor& executor;
  VmRig rig;
  Ref<Buffer> buffer;
};

// [C3.6]
TEST_EACH_EXECUTOR(VmSparse, ALargeRangeTakesOnePagePerLevelAndAHoleWhatWasReserved) {
  for (const ProvisioningName& kind : kProvisioningNames) {
    const Ref<Vm> vm = rig.new_vm(kind.provisioning);
    ASSERT_TRUE(vm->bind_now(sparse(kVa, kLarge)));
    const Vm::TableView mapped = vm->tables();
    const auto& levels = mapped.tables_by_level;
    std::printf("%s: 256 GiB of sparse range: tables by level %u %u %u %u\n", kind.name.data(),
                levels[0], levels[1], levels[2], levels[3]);
    for (const std::uint32_t tables : levels) EXPECT_LE(tables, 1u);
    EXPECT_TRUE(shows(*vm, kVa));
    EXPECT_TRUE(shows(*vm, kVa + 100 * kGiB + 0x5000));
    EXPECT_TRUE(shows(*vm, kVa + (kLarge - 1)));
    EXPECT_FALSE(vm->translate(kVa + kLarge));
    EXPECT_FALSE(vm->translate(kVa - kPageSize));

    const GpuVa hole = kVa + (77 * kGiB + 6 * kMiB + 0x3000);
    ASSERT_TRUE(vm->bind_now(unmap(hole, kPageSize)));
    const Vm::TableView cut = vm->tables();
    const std::uint64_t reserved = cut.total.pages_reserved - mapped.total.pages_reserved;
    const std::uint64_t used = cut.total.pages_used - mapped.total.pages_used;
    std::printf("%s: a hole of 4 KiB: %llu pages reserved, %llu used\n", kind.name.data(),
                static_cast<unsigned long long>(reserved), static_cast<unsigned long long>(used));
    EXPECT_EQ(used, 2u) << "1 GiB and 2 MiB";
    // WorstCase cannot know that the table of 512 GiB is its own already.
    EXPECT_EQ(reserved, kind.provisioning == Provisioning::kWorstCase ? 3u : 2u);
    EXPECT_FALSE(vm->translate(hole));
    for (const std::uint64_t away : {kPageSize, std::uint64_t{2 * kMiB}, std::uint64_t{kGiB}}) {
      EXPECT_TRUE(shows(*vm, hole + away));
      EXPECT_TRUE(shows(*vm, hole - away));
    }
    ASSERT_TRUE(vm->bind_now(unmap({0}, 512 * kGiB)));
    EXPECT_EQ(VmRig::table_pages(*vm), 1u);
  }
}

// [C3.7]
TEST_EACH_EXECUTOR(VmSparse, RemaindersKeepTheirPlaceInTheTwoMegabytes) {
  const Ref<Vm> vm = rig.new_vm();
  const Ref<Buffer> other = rig.new_buffer(64 * kKiB);
  const GpuVa va = kVa + 0x3000;
  ASSERT_TRUE(vm->bind_now(sparse(va, 8 * kMiB)));
  ASSERT_TRUE(
      vm->bind_now(among(VmRig::map(va + 0x1ff000, 0x2000, other, 0x1000, Prot::kReadOnly))));
  ASSERT_TRUE(vm->bind_now(unmap(va + 0x500000, 0x4000)));
  EXPECT_EQ(
      VmRig::mappings(*vm),
      (std::vector<Mapped>{
          {GpuRange::of_size(va, 0x1ff000), buffer.get(), 0x3000, Prot::kNoExec, {}},
          {GpuRange::of_size(va + 0x1ff000, 0x2000), other.get(), 0x1000, Prot::kReadOnly, {}},
          {GpuRange::of_size(va + 0x201000, 0x2ff000), buffer.get(), 0x4000, Prot::kNoExec, {}},
          {GpuRange::of_size(va + 0x504000, 0x2fc000),
           buffer.get(),
           0x107000,
           Prot::kNoExec,
           {}}}));
  EXPECT_TRUE(shows(*vm, va + 0x1fe000));
  EXPECT_TRUE(shows(*vm, va + 0x201000));
  EXPECT_FALSE(vm->translate(va + 0x502000));
  EXPECT_TRUE(shows(*vm, va + 0x7ff000));
}

TEST_EACH_EXECUTOR(VmSparse, OverAndUnderOtherMappingsInAnyOrder) {
  for (const ProvisioningName& kind : kProvisioningNames) {
    const Ref<Vm> vm = rig.new_vm(kind.provisioning);
    const Ref<Buffer> other = rig.new_buffer(4 * kMiB);
    ASSERT_TRUE(vm->bind_now(among(VmRig::map(kVa + kGiB, 4 * kMiB, other, 0, Prot::kNone))));
    ASSERT_TRUE(vm->bind_now(sparse(kVa, kLarge)));
    EXPECT_TRUE(shows(*vm, kVa + kGiB));
    ASSERT_TRUE(vm->bind_now(among(VmRig::map(kVa + 2 * kGiB, 4 * kMiB, other, 0, Prot::kNone))));
    EXPECT_EQ(VmRig::page(*vm, kVa + 2 * kGiB)->frame, VmRig::frame_of(*other, 0));
    EXPECT_TRUE(shows(*vm, kVa + 2 * kGiB + 4 * kMiB));
    // Half over the first half under another.
    ASSERT_TRUE(vm->bind_now(sparse(kVa + kLarge / 2, kLarge)));
    EXPECT_TRUE(shows(*vm, kVa + kLarge));
    vm->destroy();
    EXPECT_EQ(VmRig::table_pages(*vm), 1u);
  }
}

// [C3.7]
TEST_EACH_EXECUTOR(VmSparse, HolesAtBothEdgesUpToTheEndOfTheClientsPart) {
  for (const ProvisioningName& kind : kProvisioningNames) {
    const Ref<Vm> vm = rig.new_vm(kind.provisioning);
    GpuVa end{vm->split().user_size};
    GpuVa first{end.value - 5 * kGiB - 0x3000};
    ASSERT_TRUE(vm->bind_now(sparse(first, end - first)));
    // From pages to blocks of 2 MiB and on to what a table covers, whole and not.
    for (const std::uint64_t size : {kPageSize, std::uint64_t{0x2000}, std::uint64_t{2 * kMiB},
                                     2 * kMiB + kPageSize, std::uint64_t{kGiB}}) {
      ASSERT_TRUE(vm->bind_now(unmap(first, size)));
      first = first + size;
      end = {end.value - size};
      ASSERT_TRUE(vm->bind_now(unmap(end, size)));
      EXPECT_FALSE(vm->translate(first - kPageSize)) << kind.name << ' ' << size;
      EXPECT_TRUE(shows(*vm, first)) << kind.name << ' ' << size;
      EXPECT_TRUE(shows(*vm, end - kPageSize)) << kind.name << ' ' << size;
      EXPECT_FALSE(vm->translate(end)) << kind.name << ' ' << size;
    }
    ASSERT_TRUE(vm->bind_now(unmap(first, end - first)));
    EXPECT_EQ(VmRig::table_pages(*vm), 1u) << kind.name;
  }
}

// What was prepared before a sparse range came finds the pages that it needs to cut it.
TEST_EACH_EXECUTOR(VmSparse, SyncOvertakesQueuedCuts) {
  for (const ProvisioningName& kind : kProvisioningNames) {
    const Ref<Vm> vm = rig.new_vm(kind.provisioning);
    const Ref<ManualFence> gate = make_ref<ManualFence>();
    const auto queue = [&](BindOp op) {
      Ref<Job> job = vm->prepare_bind(std::move(op)).value();
      ASSERT_TRUE(job->add_dependency(gate));
      vm->push(std::move(job));
    };
    queue(unmap(kVa + 3 * kGiB + 0x5000, kPageSize));
    queue(sparse(kVa + 600 * kGiB, 700 * kGiB));
    queue(unmap(kVa + 1000 * kGiB + 0x7000, 300 * kGiB));
    ASSERT_TRUE(vm->bind_now(sparse(kVa, 1200 * kGiB)));
    Ref<Job> dropped = vm->prepare_bind(sparse(kVa + kGiB, kLarge)).value();
    dropped = nullptr;
    EXPECT_TRUE(shows(*vm, kVa + 3 * kGiB + 0x5000));
    gate->signal(executor.clock().now(), 0);
    rig.settle();
    EXPECT_FALSE(vm->translate(kVa + 3 * kGiB + 0x5000));
    EXPECT_TRUE(shows(*vm, kVa + 3 * kGiB + 0x6000));
    EXPECT_FALSE(vm->translate(kVa + 1100 * kGiB));
    EXPECT_FALSE(vm->unusable());
  }
}

}  // namespace
}  // namespace pantry::driver
