// SPDX-License-Identifier: MIT
//
// A campaign that compares snapshots is worth what they see: each trace that a failed bind could
// leave is left here on purpose.
#include "campaigns/hosts/vm_snapshot.h"

#include <gtest/gtest.h>

#include "base/sanitizer.h"
#include "campaigns/hosts/bind_scene.h"
#include "campaigns/hosts/call_sites.h"
#include "driver/heap_faults/heap_faults.h"
#include "driver/kernel/thread_executor.h"
#include "driver/provision/page_pool.h"

namespace pantry::campaigns {
namespace {

using Cache = VmSnapshot::Cache;

class VmSnapshotTest : public testing::Test {
 protected:
  static uapi::MachineConfig config() {
    uapi::MachineConfig small;
    small.dram_bytes = 64 * kMiB;
    small.memory = uapi::MachineConfig::Memory::kArena;
    return small;
  }
  std::string difference(Cache cache) { return before.difference(scene.snapshot(), cache); }
  driver::File& file() { return scene.client().file(); }
  Ref<driver::Vm> vm() { return file().vm(scene.vm()); }

  driver::ThreadExecutor executor{1};
  std::unique_ptr<uapi::Machine> machine = uapi::Machine::create(executor, config()).value();
  BindScene scene{*machine};
  VmSnapshot before = scene.snapshot();
};

TEST_F(VmSnapshotTest, NothingHasChangedWhereNothingHappened) {
  EXPECT_EQ(difference(Cache::kCompare), "");
  std::vector<BindScene::Op> bad{scene.map_fresh(1, 0, kPageSize)};
  EXPECT_EQ(scene.bind(0, bad), -EINVAL);
  EXPECT_EQ(difference(Cache::kCompare), "");
}

TEST_F(VmSnapshotTest, SeesABind) {
  std::vector<BindScene::Op> ops{scene.map_fresh(BindScene::kFreshVa, 0, kPageSize)};
  ASSERT_EQ(scene.bind(0, ops), 0);
  EXPECT_EQ(difference(Cache::kIgnore), "the VA tree");
}

TEST_F(VmSnapshotTest, SeesAWordOfTheTables) {
  const PhysAddr root = vm()->tables().root;
  auto* const entries =
      static_cast<std::uint64_t*>(machine->device().vm_device().dram.at(root, kPageSize));
  entries[300] = 1 << 20;  // an invalid entry that is not zero
  EXPECT_EQ(difference(Cache::kIgnore), "the page table");
  entries[300] = 0;
}

TEST_F(VmSnapshotTest, SeesAPreparedBindThatNobodyDropped) {
  driver::BindOp op;
  op.type = driver::BindType::kUnmap;
  op.range = GpuRange::of_size({BindScene::kOldVa + kPageSize}, kPageSize);
  const Ref<driver::Job> job = vm()->prepare_bind(std::move(op)).value();
  EXPECT_EQ(difference(Cache::kIgnore), "the pages of pending binds");
}

TEST_F(VmSnapshotTest, SeesPagesThatAreNotGivenBack) {
  driver::PagePool& pool = machine->device().pages();
  driver::PageList page = pool.take(1).value();
  EXPECT_EQ(difference(Cache::kIgnore), "frames in use");
  pool.give_back(std::move(page), driver::PagePool::Content::kZero);
  EXPECT_EQ(difference(Cache::kCompare), "");
  pool.trim(0);
  EXPECT_EQ(difference(Cache::kIgnore), "");
  EXPECT_EQ(difference(Cache::kCompare), "pages in the pool");
}

TEST_F(VmSnapshotTest, SeesReferencesAndRoomForFences) {
  {
    const Ref<driver::Vm> kept = vm();
    EXPECT_EQ(difference(Cache::kIgnore), "references to the VM, or room for its fences");
  }
  {
    const driver::FenceRooms rooms = vm()->reserve_fences(1).value();
    EXPECT_EQ(difference(Cache::kIgnore), "references to the VM, or room for its fences");
  }
  {
    const Ref<driver::Buffer> kept = file().buffer(1);
    EXPECT_EQ(difference(Cache::kIgnore), "references to a buffer, or room for its fences");
  }
  EXPECT_EQ(difference(Cache::kIgnore), "");
}

TEST_F(VmSnapshotTest, SeesASignalOfASyncobj) {
  const std::uint32_t handle = scene.signal_link().handle;
  file().syncobj(handle)->replace(driver::stub_fence());
  EXPECT_EQ(difference(Cache::kIgnore), "a syncobj");
}

TEST_F(VmSnapshotTest, SeesAVmThatBecameUnusable) {
  vm()->destroy();
  EXPECT_NE(difference(Cache::kIgnore), "");
}

// The name of the line below is what a campaign tells of a finding.
TEST(CallSites, NamesTheDriversLineThatAskedForMemory) {
#if PANTRY_THREAD_SANITIZER
  GTEST_SKIP() << "ThreadSanitizer keeps operator new to itself";
#endif
  driver::heap_faults().fail_nth(1);
  EXPECT_THROW(driver::FenceChain::create(), std::bad_alloc);
  ASSERT_TRUE(driver::heap_faults().fired());
  const std::string site = CallSites::name(driver::heap_faults().where());
  EXPECT_TRUE(site.starts_with("driver/sync/fence_chain.cc:")) << site;
}

}  // namespace
}  // namespace pantry::campaigns
