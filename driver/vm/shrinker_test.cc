// SPDX-License-Identifier: MIT
//
// Idle buffers give their frames up and get others, with the same content, before a job can see it.
#include "driver/vm/shrinker.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "driver/kernel/each_executor.h"
#include "driver/vm/vm_rig.h"

namespace pantry::driver {
namespace {

struct ShrinkerTest {
  explicit ShrinkerTest(Executor& on) : executor(on), rig(on, VmRig::Placement::kCompact) {
    rig.buffers.set_swap(kGiB);
  }
  Ref<Buffer> private_buffer(Vm& vm, std::uint64_t size) {
    return rig.buffers.create(size, 0, vm.reservation()).value();
  }
  static void fill(Buffer& buffer, std::uint64_t seed) {
    for (std::uint64_t at = 0; at < buffer.size(); at += kPageSize) {
      const std::uint64_t word = seed << 32 | at;
      ASSERT_TRUE(buffer.write(at, &word, sizeof word));
    }
  }
  static std::uint64_t word_of(Buffer& buffer, std::uint64_t at) {
    std::uint64_t word = 0;
    EXPECT_TRUE(buffer.read(at, &word, sizeof word));
    return word;
  }
  // What the device would read: through the page table, from DRAM.
  std::optional<std::uint64_t> load(const Vm& vm, GpuVa va) {
    const auto page = VmRig::page(vm, va);
    if (!page) return std::nullopt;
    return *static_cast<const std::uint64_t*>(rig.dram.at(page->frame, sizeof(std::uint64_t)));
  }
  // Takes `bytes` of frames for good, so that nothing can come back.
  Ref<Buffer> hog(std::uint64_t bytes) { return rig.buffers.create_kernel(bytes).value(); }
  // All free frames.
  std::vector<Ref<Buffer>> hog_all() {
    std::vector<Ref<Buffer>> hogs;
    const std::uint64_t swap = rig.buffers.swap();
    rig.buffers.set_swap(0);
    for (std::uint64_t bytes = 32 * kMiB; bytes >= kPageSize;) {
      Result<Ref<Buffer>> one = rig.buffers.create_kernel(bytes);
      if (one)
        hogs.push_back(*std::move(one));
      else
        bytes /= 2;
    }
    rig.buffers.set_swap(swap);
    return hogs;
  }

  Executor& executor;
  VmRig rig;
};

constexpr GpuVa kVa{0x4000'0000};

TEST_EACH_EXECUTOR(ShrinkerTest, AnIdleMappedBufferGoesAndComesBackWithItsContent) {
  const Ref<Vm> vm = rig.new_vm();
  const Ref<Buffer> buffer = private_buffer(*vm, 4 * kMiB + 3 * kPageSize);
  fill(*buffer, 7);
  ASSERT_TRUE(vm->bind_now(VmRig::map(kVa, buffer->size(), buffer, 0, Prot::kReadOnly)));
  const auto before = VmRig::mappings(*vm);
  const std::uint64_t used = rig.frames.statistics().used;

  EXPECT_EQ(rig.shrinker.shrink(1), buffer->size() / kPageSize);
  EXPECT_EQ(rig.shrinker.last_shrunk_pages(), buffer->size() / kPageSize);
  EXPECT_FALSE(buffer->resident());
  EXPECT_EQ(buffer->evictions(), 1u);
  EXPECT_FALSE(VmRig::page(*vm, kVa));
  EXPECT_EQ(VmRig::mappings(*vm), before) << "only the page table has forgotten it";
  EXPECT_LE(rig.frames.statistics().used, used - buffer->size() / kPageSize);
  EXPECT_EQ(word_of(*buffer, kPageSize), std::uint64_t{7} << 32 | kPageSize);
  const std::uint64_t changed = 99;
  ASSERT_TRUE(buffer->write(2 * kPageSize, &changed, sizeof changed));

  const Ref<Buffer> in_the_way = hog(8 * kMiB);
  {
    const Residency inside = vm->make_resident().value();
    EXPECT_TRUE(buffer->resident());
    for (std::uint64_t at = 0; at < buffer->size(); at += kPageSize)
      ASSERT_EQ(load(*vm, kVa + at), at == 2 * kPageSize ? changed : std::uint64_t{7} << 32 | at);
    EXPECT_EQ(VmRig::page(*vm, kVa)->prot, Prot::kReadOnly);
    EXPECT_EQ(VmRig::mappings(*vm), before);
    rig.shrinker.shrink(1);
    EXPECT_TRUE(buffer->resident()) << "a submit is under way";
  }
  EXPECT_EQ(rig.buffers.totals().evicted_bytes, 0u);
}

TEST_EACH_EXECUTOR(ShrinkerTest, NothingIsEvictedWithoutSwapNorPastIt) {
  const Ref<Buffer> a = rig.new_buffer(kMiB);
  const Ref<Buffer> b = rig.new_buffer(kMiB);
  rig.buffers.set_swap(0);
  EXPECT_EQ(rig.shrinker.shrink(1000), 0u);
  rig.buffers.set_swap(kMiB + kPageSize);
  EXPECT_EQ(rig.shrinker.shrink(1000), kMiB / kPageSize);
  EXPECT_FALSE(a->resident()) << "the one bound longest ago";
  EXPECT_TRUE(b->resident());
}

TEST_EACH_EXECUTOR(ShrinkerTest, ABusyBufferStays) {
  const Ref<Vm> vm = rig.new_vm();
  const Ref<Vm> other = rig.new_vm();
  const Ref<Buffer> mine = private_buffer(*vm, kMiB);
  const Ref<Buffer> shared = rig.new_buffer(kMiB);
  const Ref<Buffer> idle = private_buffer(*other, kMiB);
  ASSERT_TRUE(vm->bind_now(VmRig::map(kVa, kMiB, mine, 0, Prot::kNone)));
  ASSERT_TRUE(vm->bind_now(VmRig::map(kVa + kMiB, kMiB, shared, 0, Prot::kNone)));
  ASSERT_TRUE(other->bind_now(VmRig::map(kVa, kMiB, shared, 0, Prot::kNone)));
  ASSERT_TRUE(other->bind_now(VmRig::map(kVa + kMiB, kMiB, idle, 0, Prot::kNone)));
  const auto job = make_ref<ManualFence>();
  {
    const Residency inside = vm->make_resident().value();
    vm->reserve_fences(1).value().add(job);
  }
  rig.shrinker.shrink(10000);
  EXPECT_EQ(rig.shrinker.counters().evicted_bytes, kMiB);
  EXPECT_TRUE(mine->resident());
  EXPECT_TRUE(shared->resident());
  EXPECT_FALSE(idle->resident());
  EXPECT_TRUE(VmRig::page(*other, kVa)) << "the shared one's";
  EXPECT_TRUE(VmRig::page(*vm, kVa));

  job->signal(executor.clock().now(), 0);
  rig.shrinker.shrink(10000);
  EXPECT_EQ(rig.shrinker.counters().evicted_bytes, 3 * kMiB);
  EXPECT_FALSE(VmRig::page(*other, kVa));
  EXPECT_FALSE(VmRig::page(*vm, kVa));
  EXPECT_FALSE(VmRig::page(*vm, kVa + kMiB));
}

// Its jobs have no fence in what was bound after they were submitted, and may read it all the same.
TEST_EACH_EXECUTOR(ShrinkerTest, ASharedBufferThatWasBoundBehindAJobStaysUntilTheJobIsDone) {
  const Ref<Vm> vm = rig.new_vm();
  const Ref<Vm> other = rig.new_vm();
  const Ref<Buffer> late = rig.new_buffer(kMiB);
  const Ref<Buffer> elsewhere = rig.new_buffer(kMiB);
  ASSERT_TRUE(other->bind_now(VmRig::map(kVa, kMiB, elsewhere, 0, Prot::kNone)));
  const auto job = make_ref<ManualFence>();
  // Nobody's mapping here, but somebody else uses it.
  const Ref<Buffer> imported = rig.new_buffer(kMiB);
  ASSERT_TRUE(imported->reservation()->reserve(1));
  imported->reservation()->add(job);
  {
    const Residency inside = vm->make_resident().value();
    vm->reserve_fences(1).value().add(job);
  }
  ASSERT_TRUE(vm->bind_now(VmRig::map(kVa, kMiB, late, 0, Prot::kNone)));
  rig.shrinker.shrink(10000);
  EXPECT_TRUE(late->resident());
  EXPECT_TRUE(VmRig::page(*vm, kVa)) << "the job may be reading there";
  EXPECT_FALSE(elsewhere->resident()) << "no VM of its is busy";
  EXPECT_TRUE(imported->resident());

  job->signal(executor.clock().now(), 0);
  rig.shrinker.shrink(10000);
  EXPECT_FALSE(late->resident());
  EXPECT_FALSE(imported->resident());
  EXPECT_FALSE(VmRig::page(*vm, kVa));
}

TEST_EACH_EXECUTOR(ShrinkerTest, ABufferOfAPendingBindStaysAndAnUnusedOneGoes) {
  const Ref<Vm> vm = rig.new_vm();
  const Ref<Buffer> wanted = rig.new_buffer(kMiB);
  const Ref<Buffer> unused = rig.new_buffer(kMiB);
  Ref<Job> job = vm->prepare_bind(VmRig::map(kVa, kMiB, wanted, 0, Prot::kNone)).value();
  rig.shrinker.shrink(10000);
  EXPECT_TRUE(wanted->resident());
  EXPECT_FALSE(unused->resident());
  vm->push(std::move(job));
  rig.settle();
  EXPECT_EQ(VmRig::page(*vm, kVa)->frame, VmRig::frame_of(*wanted, 0));
  rig.shrinker.shrink(10000);
  EXPECT_FALSE(wanted->resident()) << "the bind is over";
}

TEST_EACH_EXECUTOR(ShrinkerTest, KernelBuffersAndWhatIsPinnedStay) {
  const Ref<Vm> vm = rig.new_vm();
  const KernelMapping ring = vm->map_kernel(kMiB, Prot::kNone).value();
  const Ref<Buffer> pinned = rig.new_buffer(kMiB);
  {
    const BufferPin pin = pinned->pin().value();
    EXPECT_EQ(rig.shrinker.shrink(10000) * kPageSize % kMiB, 0u);
    EXPECT_TRUE(pinned->resident());
  }
  rig.shrinker.shrink(10000);
  EXPECT_FALSE(pinned->resident());
  EXPECT_TRUE(ring.buffer().resident());
  EXPECT_EQ(VmRig::page(*vm, ring.va())->frame, ring.buffer().frames()[0].start);
}

// One frame list for all mappings of a buffer, those made before the eviction and after it.
TEST_EACH_EXECUTOR(ShrinkerTest, ABindOfAnEvictedBufferBringsItBack) {
  const Ref<Vm> vm = rig.new_vm();
  const Ref<Buffer> buffer = rig.new_buffer(kMiB);
  fill(*buffer, 3);
  ASSERT_TRUE(vm->bind_now(VmRig::map(kVa, kMiB, buffer, 0, Prot::kNone)));
  rig.shrinker.shrink(1);
  ASSERT_FALSE(buffer->resident());
  ASSERT_TRUE(vm->bind_now(VmRig::map(kVa + kGiB, kMiB, buffer, 0, Prot::kNone)));
  EXPECT_TRUE(buffer->resident());
  EXPECT_EQ(load(*vm, kVa + kGiB), std::uint64_t{3} << 32);
  const Residency inside = vm->make_resident().value();
  EXPECT_EQ(VmRig::page(*vm, kVa), VmRig::page(*vm, kVa + kGiB));
}

TEST_EACH_EXECUTOR(ShrinkerTest, WhatIsCutWhileEvictedComesBackAsItIsNow) {
  const Ref<Vm> vm = rig.new_vm();
  const Ref<Buffer> buffer = private_buffer(*vm, 4 * kMiB);
  const Ref<Buffer> other = private_buffer(*vm, kMiB);
  fill(*buffer, 5);
  fill(*other, 6);
  ASSERT_TRUE(vm->bind_now(VmRig::map(kVa, 4 * kMiB, buffer, 0, Prot::kNone)));
  rig.shrinker.shrink(5 * kMiB / kPageSize);
  ASSERT_FALSE(buffer->resident());
  ASSERT_TRUE(vm->bind_now(VmRig::unmap(kVa + kMiB, kPageSize)));
  ASSERT_TRUE(vm->bind_now(VmRig::map(kVa + 3 * kMiB, 512 * kKiB, other, 0, Prot::kNoExec)));
  const auto mappings = VmRig::mappings(*vm);
  const Residency inside = vm->make_resident().value();
  EXPECT_EQ(VmRig::mappings(*vm), mappings);
  for (std::uint64_t at = 0; at < 4 * kMiB; at += kPageSize) {
    std::optional<std::uint64_t> expected = std::uint64_t{5} << 32 | at;
    if (at == kMiB) expected = std::nullopt;
    if (at >= 3 * kMiB && at < 3 * kMiB + 512 * kKiB)
      expected = std::uint64_t{6} << 32 | (at - 3 * kMiB);
    ASSERT_EQ(load(*vm, kVa + at), expected) << at;
  }
}

TEST_EACH_EXECUTOR(ShrinkerTest, WithoutFramesTheSubmitFailsAndNothingChanges) {
  const Ref<Vm> vm = rig.new_vm();
  const Ref<Buffer> buffer = private_buffer(*vm, 8 * kMiB);
  fill(*buffer, 9);
  ASSERT_TRUE(vm->bind_now(VmRig::map(kVa, 8 * kMiB, buffer, 0, Prot::kNone)));
  rig.shrinker.shrink(1);
  ASSERT_FALSE(buffer->resident());
  const auto mappings = VmRig::mappings(*vm);
  {
    const std::vector<Ref<Buffer>> hogs = hog_all();
    const std::uint64_t used = rig.frames.statistics().used;
    const std::uint64_t lent = rig.pages.statistics().lent;
    for (int i = 0; i < 3; ++i) {
      const Result<Residency> inside = vm->make_resident();
      ASSERT_FALSE(inside);
      EXPECT_EQ(inside.error(), Errno::kNoMem);
    }
    EXPECT_LE(rig.frames.statistics().used, used) << "spare pages of the pool may have gone";
    EXPECT_EQ(rig.pages.statistics().lent, lent);
    EXPECT_EQ(VmRig::mappings(*vm), mappings);
    EXPECT_FALSE(buffer->resident());
    EXPECT_EQ(word_of(*buffer, kMiB), std::uint64_t{9} << 32 | kMiB);
    EXPECT_TRUE(vm->reservation()->idle(Reservation::Use::kBookkeeping));
    EXPECT_EQ(vm->reservation()->view().reserved, 0u);
  }
  const Residency inside = vm->make_resident().value();
  EXPECT_EQ(load(*vm, kVa + kMiB), std::uint64_t{9} << 32 | kMiB);
}

// Each allocation on the way back fails once.
TEST_EACH_EXECUTOR(ShrinkerTest, AnyFailureOnTheWayBackIsENOMEMAndCanBeTriedAgain) {
  const Ref<Vm> vm = rig.new_vm();
  const Ref<Buffer> mine = private_buffer(*vm, 64 * kKiB);
  const Ref<Buffer> shared = rig.new_buffer(192 * kKiB);
  fill(*mine, 1);
  fill(*shared, 2);
  ASSERT_TRUE(vm->bind_now(VmRig::map(kVa, 64 * kKiB, mine, 0, Prot::kNone)));
  ASSERT_TRUE(vm->bind_now(VmRig::map(kVa + kGiB, 192 * kKiB, shared, 0, Prot::kNone)));
  const auto mappings = VmRig::mappings(*vm);
  std::uint64_t sites = 0;
  for (;; ++sites) {
    rig.shrinker.shrink(10000);
    ASSERT_FALSE(mine->resident());
    ASSERT_FALSE(shared->resident());
    rig.pages.trim(0);
    rig.frames.faults().fail_nth(sites + 1);
    {
      const Result<Residency> failing = vm->make_resident();
      const bool fired = rig.frames.faults().fired();
      rig.frames.faults().fail_nth(0);
      ASSERT_EQ(failing.has_value(), !fired);
      if (!fired) break;
      ASSERT_EQ(failing.error(), Errno::kNoMem);
    }
    EXPECT_EQ(VmRig::mappings(*vm), mappings);
    const Residency again = vm->make_resident().value();
    EXPECT_EQ(load(*vm, kVa), std::uint64_t{1} << 32);
    EXPECT_EQ(load(*vm, kVa + kGiB + 64 * kKiB), std::uint64_t{2} << 32 | 64 * kKiB);
  }
  EXPECT_GT(sites, 5u);
}

TEST_EACH_EXECUTOR(ShrinkerTest, DestroyedAndDroppedWhileEvictedNothingIsLeft) {
  {
    const Ref<Vm> killed = rig.new_vm();
    const Ref<Vm> dropped = rig.new_vm();
    const Ref<Buffer> buffer = rig.new_buffer(kMiB);
    for (const Ref<Vm>& vm : {killed, dropped}) {
      const Ref<Buffer> own = private_buffer(*vm, kMiB);
      ASSERT_TRUE(vm->bind_now(VmRig::map(kVa, kMiB, own, 0, Prot::kNone)));
      ASSERT_TRUE(vm->bind_now(VmRig::map(kVa + kMiB, kMiB, buffer, 0, Prot::kNone)));
    }
    rig.shrinker.shrink(10000);
    EXPECT_EQ(rig.buffers.totals().evicted_bytes, 3 * kMiB);
    killed->destroy();
    EXPECT_TRUE(killed->make_resident());
  }
  rig.settle();
  EXPECT_EQ(rig.buffers.totals(), BufferStore::Totals{});
}

// More buffers than there is memory, each with its own VM: creating evicts, submitting evicts
// others.
TEST_EACH_EXECUTOR(ShrinkerTest, MoreIsInUseThanThereIs) {
  constexpr std::uint64_t kSize = 2 * kMiB;
  constexpr int kVms = 10;
  const Ref<Buffer> others[] = {hog(32 * kMiB), hog(16 * kMiB)};
  std::vector<Ref<Vm>> vms;
  std::vector<Ref<Buffer>> buffers;
  for (int i = 0; i < kVms; ++i) {
    vms.push_back(rig.new_vm());
    buffers.push_back(private_buffer(*vms.back(), kSize));
    fill(*buffers.back(), 100 + static_cast<std::uint64_t>(i));
    ASSERT_TRUE(vms.back()->bind_now(VmRig::map(kVa, kSize, buffers.back(), 0, Prot::kNone)));
  }
  EXPECT_GT(rig.shrinker.counters().evictions, 1u);
  for (int round = 0; round < 2; ++round)
    for (std::size_t i = 0; i < vms.size(); ++i) {
      const Residency inside = vms[i]->make_resident().value();
      for (std::uint64_t at = 0; at < kSize; at += 16 * kPageSize)
        ASSERT_EQ(load(*vms[i], kVa + at), (100 + i) << 32 | at);
    }
  EXPECT_GT(rig.shrinker.counters().returned_mappings, 10u);
}

// A device that is in the address space meanwhile: nothing is given back before the flush. The
// block of the rig reports what is edited without a lock, and what is not flushed.
TEST_EACH_EXECUTOR(ShrinkerTest, AnActiveSpaceIsLockedAndFlushed) {
  const Ref<Vm> vm = rig.new_vm();
  const Ref<Buffer> buffer = private_buffer(*vm, kMiB);
  ASSERT_TRUE(vm->bind_now(VmRig::map(kVa, kMiB, buffer, 0, Prot::kNone)));
  ASSERT_TRUE(vm->activate());
  const std::uint64_t flushes = rig.spaces.counters().flushes;
  rig.shrinker.shrink(1);
  EXPECT_EQ(rig.spaces.counters().flushes, flushes + 1);
  EXPECT_FALSE(VmRig::page(*vm, kVa));
  EXPECT_TRUE(vm->make_resident());
  EXPECT_EQ(rig.spaces.counters().flushes, flushes + 2);
  vm->deactivate();
}

// In work that the device waits for nobody is evicted.
TEST_EACH_EXECUTOR(ShrinkerTest, NoReclaimFailsAtOnce) {
  const Ref<Buffer> idle = rig.new_buffer(40 * kMiB);
  {
    const NoReclaim here;
    EXPECT_EQ(rig.buffers.create(40 * kMiB, 0, nullptr).error(), Errno::kNoMem);
  }
  EXPECT_TRUE(idle->resident());
  EXPECT_TRUE(rig.buffers.create(40 * kMiB, 0, nullptr));
  EXPECT_FALSE(idle->resident());
}

// What may wait for memory ends the process where a fence may be about to be signalled.
TEST(ShrinkerDeathTest, NothingWaitsForMemoryInsideASection) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  ThreadExecutor executor(1);
  VmRig rig(executor, VmRig::Placement::kCompact);
  rig.buffers.set_swap(kGiB);
  const Ref<Vm> vm = rig.new_vm();
  const Ref<Buffer> buffer = rig.new_buffer(kMiB);
  // Through a lambda, which the compile-time net does not see through.
  const auto in_section = [&](auto call) {
    const SignallingSection section(rig.cleanup);
    call();
  };
  EXPECT_DEATH(in_section([&] { rig.shrinker.shrink(1); }), "CHECK");
  EXPECT_DEATH(in_section([&] { (void)vm->make_resident(); }), "CHECK");
  EXPECT_DEATH(in_section([&] { (void)buffer->pin(); }), "CHECK");
}

// Submits, binds, evictions and closing, all at once: whoever is inside the gate sees all of its
// buffers.
TEST_EACH_EXECUTOR(ShrinkerTest, SubmitsAndEvictionsAtOnce) {
  constexpr int kRounds = 20;
  const Ref<Buffer> shared = rig.new_buffer(kMiB);
  fill(*shared, 50);
  std::vector<Ref<Vm>> vms{rig.new_vm(), rig.new_vm()};
  const auto submit = [&](std::size_t mine) {
    Vm& vm = *vms[mine];
    const Ref<Buffer> own = private_buffer(vm, kMiB);
    fill(*own, 60 + mine);
    EXPECT_TRUE(vm.bind_now(VmRig::map(kVa, kMiB, own, 0, Prot::kNone)));
    EXPECT_TRUE(vm.bind_now(VmRig::map(kVa + kMiB, kMiB, shared, 0, Prot::kNone)));
    for (int i = 0; i < kRounds; ++i) {
      Result<Residency> inside = vm.make_resident();
      ASSERT_TRUE(inside);
      EXPECT_EQ(load(vm, kVa), (60 + mine) << 32);
      EXPECT_EQ(load(vm, kVa + kMiB + kPageSize), std::uint64_t{50} << 32 | kPageSize);
    }
  };
  auto first = test_thread([&] { submit(0); });
  auto second = test_thread([&] { submit(1); });
  auto binder = test_thread([&] {
    for (int i = 0; i < kRounds; ++i) {
      EXPECT_TRUE(vms[0]->bind_now(VmRig::map(kVa + kGiB, kMiB, shared, 0, Prot::kNone)));
      EXPECT_TRUE(vms[0]->bind_now(VmRig::unmap(kVa + kGiB + kPageSize, kMiB - kPageSize)));
    }
  });
  auto evictor = test_thread([&] {
    for (int i = 0; i < kRounds; ++i) rig.shrinker.shrink(i % 3 == 0 ? 10000 : 1);
  });
  executor.spawn("first", first);
  executor.spawn("second", second);
  executor.spawn("binder", binder);
  executor.spawn("evictor", evictor);
  executor.join_spawned();
}

// Made after the eviction has begun, so that it may not be on the list of those whose mappings go.
TEST_EACH_EXECUTOR(ShrinkerTest, AVmMadeMeanwhileShowsNothingThatWent) {
  const Ref<Buffer> shared = rig.new_buffer(kMiB);
  const Ref<Buffer> other = rig.new_buffer(kMiB);
  Ref<Vm> late;
  auto maker = test_thread([&] {
    late = rig.new_vm();
    EXPECT_TRUE(late->bind_now(VmRig::map(kVa, kMiB, shared, 0, Prot::kNone)));
  });
  auto evictor = test_thread([&] { rig.shrinker.shrink(10000); });
  executor.spawn("maker", maker);
  executor.spawn("evictor", evictor);
  executor.join_spawned();
  const auto shown = VmRig::page(*late, kVa);
  EXPECT_EQ(shown.has_value(), shared->resident());
  EXPECT_TRUE(!shown || shown->frame == VmRig::frame_of(*shared, 0));
}

}  // namespace
}  // namespace pantry::driver
