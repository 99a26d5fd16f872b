// SPDX-License-Identifier: MIT
#include "driver/csf/heap_growth.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "driver/csf/csf_rig.h"
#include "driver/csf/heap_pool.h"
#include "driver/memory/reclaimer.h"
#include "gpu_emu/datasheet/tiler_heap.h"

namespace pantry::driver {
namespace {

using Kind = FakeFirmware::Script::Kind;

constexpr std::uint32_t kStride = 64;
constexpr std::uint32_t kChunk = 128 * kKiB;

// A VM with a heap of one chunk that may grow to `max_chunks`, and a stream that asks for more.
class HeapRig {
 public:
  HeapRig(CsfRig& rig, std::uint32_t max_chunks) : rig_(rig), vm_(rig.new_vm()) {
    pool_ = HeapPool::of(*vm_, kStride).value();
    GpuVa first;
    heap_ = pool_->create({1, kChunk, max_chunks, 10}, first).value();
    script({.kind = Kind::kTilerOom, .object = heap_.context});
  }
  ~HeapRig() {
    rig_.settle();
    vm_->destroy();
  }
  void script(const FakeFirmware::Script& script) { rig_.script(kOther, script); }
  Ref<Group> new_group(std::uint32_t queues) { return rig_.new_group(vm_, kMedium, queues); }
  std::vector<std::uint64_t> grants() {
    std::vector<std::uint64_t> grants;
    rig_.gpu.with_firmware([&](FakeFirmware& fake) { grants = fake.grants; });
    return grants;
  }
  HeapPool& pool() { return *pool_; }
  Vm& vm() { return *vm_; }
  GpuVa context() const { return heap_.context; }

 private:
  CsfRig& rig_;
  Ref<Vm> vm_;
  Ref<HeapPool> pool_;
  HeapPool::Created heap_;
};

TEST(HeapGrowth, AStreamGetsAChunkThatIsMapped) {
  for_each_rig([](CsfRig& rig) {
    HeapRig heap(rig, 3);
    const Ref<Group> group = heap.new_group(1);
    EXPECT_EQ(rig.result(*CsfRig::submit(*group, 0, kOther)), 1);
    EXPECT_EQ(rig.result(*CsfRig::submit(*group, 0, kOther)), 1);
    const auto grants = heap.grants();
    ASSERT_EQ(grants.size(), 2u);
    EXPECT_NE(grants[0], grants[1]);
    for (const std::uint64_t word : grants) {
      EXPECT_EQ(datasheet::tiler_heap::chunk_bytes(word), kChunk);
      EXPECT_TRUE(heap.vm().translate(datasheet::tiler_heap::chunk_address(word)).has_value());
    }
    EXPECT_EQ(heap.pool().totals().chunks, 3u);
  });
}

TEST(HeapGrowth, AtItsLimitTheAnswerIsNoChunk) {
  for_each_rig([](CsfRig& rig) {
    HeapRig heap(rig, 1);
    const Ref<Group> group = heap.new_group(1);
    EXPECT_EQ(rig.result(*CsfRig::submit(*group, 0, kOther)), 1);
    EXPECT_EQ(heap.grants(), std::vector<std::uint64_t>{0});
    EXPECT_TRUE(group->can_run());
  });
}

TEST(HeapGrowth, SeveralQueuesAskAtOnce) {
  for_each_rig([](CsfRig& rig) {
    HeapRig heap(rig, 4);
    const Ref<Group> group = heap.new_group(3);
    std::vector<Ref<Fence>> fences;
    for (std::uint32_t queue = 0; queue < 3; ++queue)
      fences.push_back(CsfRig::submit(*group, queue, kOther));
    for (const Ref<Fence>& fence : fences) EXPECT_EQ(rig.result(*fence), 1);
    EXPECT_EQ(heap.grants().size(), 3u);
    EXPECT_EQ(heap.pool().totals().chunks, 4u);
  });
}

TEST(HeapGrowth, NoMemoryIsNoMistakeOfTheClients) {
  for_each_rig([](CsfRig& rig) {
    HeapRig heap(rig, 3);
    const Ref<Group> group = heap.new_group(1);
    EXPECT_EQ(rig.result(*CsfRig::submit(*group, 0, kDone)), 1);
    rig.settle();
    rig.pages.faults().fail_nth(2);  // the first is the job
    EXPECT_EQ(rig.result(*CsfRig::submit(*group, 0, kOther)), 1);
    EXPECT_TRUE(rig.pages.faults().fired());
    rig.pages.faults().fail_nth(0);
    EXPECT_EQ(heap.grants(), std::vector<std::uint64_t>{0});
    EXPECT_EQ(heap.pool().totals().chunks, 1u);
  });
}

// The job that asks is waited for, so it may not wait for others to give memory up.
TEST(HeapGrowth, WithoutMemoryNobodyIsAskedForAny) {
  for_each_rig([](CsfRig& rig) {
    class Asked final : public Reclaimer {
     public:
      std::uint64_t reclaim(std::uint64_t) override {
        ++times;
        return 0;
      }
      std::atomic<int> times{0};
    } asked;
    HeapRig heap(rig, 3);
    const Ref<Group> group = heap.new_group(1);
    EXPECT_EQ(rig.result(*CsfRig::submit(*group, 0, kDone)), 1);
    rig.settle();
    std::vector<PhysAddr> hogged;
    while (const Result<PhysAddr> page = rig.frames.alloc({0}, rig.frames.new_owner()))
      hogged.push_back(*page);
    rig.frames.set_reclaimer(&asked);
    EXPECT_EQ(rig.result(*CsfRig::submit(*group, 0, kOther)), 1);
    EXPECT_EQ(heap.grants(), std::vector<std::uint64_t>{0});
    EXPECT_EQ(asked.times, 0);
    rig.frames.set_reclaimer(nullptr);
    for (const PhysAddr page : hogged) rig.frames.free({page, kPageSize});
  });
}

TEST(HeapGrowth, AWrongHeapOrWrongCountsAreFatal) {
  for_each_rig([](CsfRig& rig) {
    HeapRig heap(rig, 3);
    const FakeFirmware::Script wrong[] = {
        {.kind = Kind::kTilerOom, .object = heap.context() + kStride},
        {.kind = Kind::kTilerOom, .object = heap.context(), .passes_begun = 0},
    };
    for (const auto& script : wrong) {
      heap.script(script);
      const Ref<Group> group = heap.new_group(2);
      EXPECT_EQ(rig.result(*CsfRig::submit(*group, 1, kOther)), negative(Errno::kInval));
      EXPECT_EQ(group->state().fatal_queues, 2u);
    }
    EXPECT_TRUE(heap.grants().empty());
    EXPECT_EQ(rig.resets_wanted(), 0u);
  });
}

// More groups than slots, all of which ask: whoever is evicted meanwhile asks again.
TEST(HeapGrowth, GroupsThatComeAndGo) {
  for_each_rig([](CsfRig& rig) {
    constexpr std::uint32_t kGroups = 12;
    HeapRig heap(rig, 1000);
    rig.script(kHang, {.kind = Kind::kHang});
    std::vector<Ref<Group>> groups;
    std::vector<Ref<Fence>> fences;
    std::vector<Ref<Fence>> hung;
    for (std::uint32_t i = 0; i < kGroups; ++i) {
      groups.push_back(heap.new_group(2));
      hung.push_back(CsfRig::submit(*groups.back(), 0, kHang));
      fences.push_back(CsfRig::submit(*groups.back(), 1, kOther));
    }
    for (const Ref<Fence>& fence : fences) EXPECT_EQ(rig.result(*fence), 1);
    rig.script(kHang, {.kind = Kind::kDone});
    rig.gpu.poke();
    for (const Ref<Fence>& fence : hung) EXPECT_EQ(rig.result(*fence), 1);
    rig.settle();
    // No chunk is lost: each that the pool counts was granted to somebody.
    EXPECT_EQ(heap.pool().totals().chunks, 1 + heap.grants().size());
  });
}

TEST(HeapGrowth, DestroyedWhileItAsks) {
  for_each_rig([](CsfRig& rig) {
    HeapRig heap(rig, 3);
    Ref<Group> group = rig.new_unowned_group(Ref<Vm>::share(heap.vm()), kMedium, 1);
    const Ref<Fence> done = CsfRig::submit(*group, 0, kOther);
    group->destroy();
    group = nullptr;
    heap.vm().destroy();
    EXPECT_NE(rig.result(*done), 0) << "it signals, whoever was faster";
  });
}

}  // namespace
}  // namespace pantry::driver
