// SPDX-License-Identifier: MIT
//
// Asynchronous binds: order, failure, and the promise that a bind which was accepted cannot fail.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <random>
#include <vector>

#include "driver/kernel/allocation_trap.h"
#include "driver/kernel/each_executor.h"
#include "driver/vm/vm.h"
#include "driver/vm/vm_rig.h"

namespace pantry::driver {
namespace {

using Placement = VmRig::Placement;

constexpr GpuVa kVa{0x40000000};
constexpr GpuVa kElsewhere{std::uint64_t{1} << 41};  // in no table with that

// A queued bind, blocked until `fence` if there is one. Its fence.
Ref<Fence> push(Vm& vm, BindOp op, Ref<Fence> fence) {
  Ref<Job> job = vm.prepare_bind(std::move(op)).value();
  if (fence) {
    EXPECT_TRUE(job->add_dependency(std::move(fence)));
  }
  Ref<Fence> done = job->done();
  vm.push(std::move(job));
  return done;
}

TEST(VmAsync, RunsInOrderBehindABlockedOne) {
  for_each_executor(2, [](Executor& executor) {
    VmRig rig(executor, Placement::kCompact);
    const Ref<Vm> vm = rig.new_vm();
    const Ref<Buffer> a = rig.new_buffer(64 * kKiB);
    const Ref<Buffer> b = rig.new_buffer(64 * kKiB);
    Ref<ManualFence> gate = make_ref<ManualFence>();
    const auto first = push(*vm, VmRig::map(kVa, 0x4000, a, 0, Prot::kNone), gate);
    const auto second = push(*vm, VmRig::map(kVa + 0x1000, 0x1000, b, 0, Prot::kNone), nullptr);
    const auto third = push(*vm, VmRig::unmap(kVa + 0x2000, 0x1000), nullptr);
    executor.clock().sleep(microseconds(50));
    EXPECT_FALSE(first->signalled());
    EXPECT_FALSE(second->signalled());
    EXPECT_FALSE(VmRig::page(*vm, kVa));
    EXPECT_EQ(rig.buffers.totals().buffers, 2u);

    gate->signal(executor.clock().now(), 0);
    rig.settle();
    for (const Ref<Fence>& fence : {first, second, third}) EXPECT_EQ(fence->status(), 1);
    EXPECT_EQ(VmRig::page(*vm, kVa)->frame, VmRig::frame_of(*a, 0));
    EXPECT_EQ(VmRig::page(*vm, kVa + 0x1000)->frame, VmRig::frame_of(*b, 0));
    EXPECT_FALSE(VmRig::page(*vm, kVa + 0x2000));
    EXPECT_EQ(VmRig::page(*vm, kVa + 0x3000)->frame, VmRig::frame_of(*a, 0x3000));
    EXPECT_EQ(rig.pages.statistics().lent, VmRig::table_pages(*vm)) << "leftovers are back";
  });
}

// So a batch costs the device one stall, and nobody is told of a bind before its flush.
TEST(VmAsync, BindsThatAreReadyTogetherShareOneFlush) {
  for_each_executor(2, [](Executor& executor) {
    VmRig rig(executor, Placement::kCompact);
    const Ref<Vm> vm = rig.new_vm();
    ASSERT_TRUE(vm->activate());
    const Ref<Buffer> buffer = rig.new_buffer(2 * kMiB);
    ASSERT_TRUE(vm->bind_now(VmRig::map(kVa, 2 * kMiB, buffer, 0, Prot::kNone)));
    Ref<ManualFence> gate = make_ref<ManualFence>();
    Ref<ManualFence> later = make_ref<ManualFence>();
    class Observer final : public FakeAsBlock::FlushObserver {
     public:
      void on_flush() noexcept override {
        for (const Ref<Fence>& fence : unsignalled) EXPECT_FALSE(fence->signalled());
      }
      std::vector<Ref<Fence>> unsignalled;
    } observer;
    // The last cuts the block of 2 MiB; the one before maps a page that the one before that cut
    // out.
    observer.unsignalled = {
        push(*vm, VmRig::unmap(kVa + 8 * kMiB, 0x1000), gate),
        push(*vm, VmRig::map(kVa + 4 * kMiB, 0x1000, buffer, 0, Prot::kNone), nullptr),
        push(*vm, VmRig::unmap(kVa + 4 * kMiB, 0x1000), nullptr),
        push(*vm, VmRig::unmap(kVa + kMiB, 0x1000), nullptr),
    };
    const Ref<Fence> waits = push(*vm, VmRig::unmap(kVa, 0x1000), later);
    rig.block.take_events();
    rig.block.set_flush_observer(&observer);
    gate->signal(executor.clock().now(), 0);
    EXPECT_TRUE(wait_for(*observer.unsignalled.back(), TimePoint::never()));
    const auto events = rig.block.take_events();
    ASSERT_EQ(events.size(), 3u);
    EXPECT_EQ(events[0].command, FakeAsBlock::Command::kLock);
    EXPECT_TRUE(datasheet::lock_region::decode(events[0].lockaddr)
                    .contains(GpuRange::of_size(kVa, 8 * kMiB + 0x1000)));
    EXPECT_EQ(events[1].kind, FakeAsBlock::Event::Kind::kCacheFlush);
    EXPECT_EQ(events[2].command, FakeAsBlock::Command::kUnlock);
    for (const Ref<Fence>& fence : observer.unsignalled) EXPECT_EQ(fence->status(), 1);
    EXPECT_FALSE(waits->signalled());
    observer.unsignalled = {waits};
    later->signal(executor.clock().now(), 0);
    rig.settle();
    EXPECT_EQ(rig.block.take_events().size(), 3u);
    rig.block.set_flush_observer(nullptr);
    vm->deactivate();
  });
}

TEST(VmAsync, SynchronousBindsOvertake) {
  for_each_executor(2, [](Executor& executor) {
    VmRig rig(executor, Placement::kCompact);
    const Ref<Vm> vm = rig.new_vm();
    const Ref<Buffer> a = rig.new_buffer(64 * kKiB);
    const Ref<Buffer> b = rig.new_buffer(64 * kKiB);
    Ref<ManualFence> gate = make_ref<ManualFence>();
    const auto queued = push(*vm, VmRig::map(kVa, 0x1000, a, 0, Prot::kNone), gate);
    ASSERT_TRUE(vm->bind_now(VmRig::map(kVa, 0x2000, b, 0, Prot::kNone)));
    EXPECT_EQ(VmRig::page(*vm, kVa)->frame, VmRig::frame_of(*b, 0));
    gate->signal(executor.clock().now(), 0);
    rig.settle();
    EXPECT_EQ(queued->status(), 1);
    EXPECT_EQ(VmRig::page(*vm, kVa)->frame, VmRig::frame_of(*a, 0));
    EXPECT_EQ(VmRig::page(*vm, kVa + 0x1000)->frame, VmRig::frame_of(*b, 0x1000));
  });
}

// Between preparing and running, others make the tree grow by levels.
TEST(VmAsync, QueuedBindsHaveTheirTreeNodes) {
  for_each_executor(2, [](Executor& executor) {
    VmRig rig(executor, Placement::kCompact);
    const Ref<Vm> vm = rig.new_vm();
    const Ref<Buffer> buffer = rig.new_buffer(64 * kKiB);
    constexpr std::uint64_t kBinds = 100;
    const auto page = [&](std::uint64_t number) {
      return VmRig::map(kVa + 2 * number * kPageSize, kPageSize, buffer, number % 16 * kPageSize,
                        Prot::kNone);
    };
    Ref<ManualFence> gate = make_ref<ManualFence>();
    std::vector<Ref<Fence>> queued;
    // In the order 0, 7, 14 and so on, so that all leaves fill at once.
    for (std::uint64_t i = 0; i < kBinds; ++i)
      queued.push_back(push(*vm, page(2 * (i * 7 % kBinds)), i == 0 ? gate : nullptr));
    for (std::uint64_t i = 0; i < kBinds; ++i)
      ASSERT_TRUE(vm->bind_now(page(2 * (i * 11 % kBinds) + 1)));

    rig.frames.faults().fail_nth(1);
    gate->signal(executor.clock().now(), 0);
    rig.settle();
    EXPECT_FALSE(rig.frames.faults().fired());
    rig.frames.faults().fail_nth(0);
    for (const Ref<Fence>& fence : queued) EXPECT_EQ(fence->status(), 1);
    EXPECT_EQ(VmRig::mappings(*vm).size(), 2 * kBinds);
  });
}

TEST(VmAsync, VmsDoNotWaitForEachOther) {
  for_each_executor(2, [](Executor& executor) {
    VmRig rig(executor, Placement::kCompact);
    const Ref<Vm> blocked = rig.new_vm();
    const Ref<Vm> free = rig.new_vm();
    const Ref<Buffer> buffer = rig.new_buffer(64 * kKiB);
    Ref<ManualFence> gate = make_ref<ManualFence>();
    const auto waits = push(*blocked, VmRig::map(kVa, 0x1000, buffer, 0, Prot::kNone), gate);
    const auto runs = push(*free, VmRig::map(kVa, 0x1000, buffer, 0, Prot::kNone), nullptr);
    while (!runs->signalled()) executor.clock().sleep(microseconds(10));
    EXPECT_FALSE(waits->signalled());
    gate->signal(executor.clock().now(), 0);
    rig.settle();
  });
}

TEST(VmAsync, AFailureMakesTheVmUnusableForGood) {
  for_each_executor(2, [](Executor& executor) {
    VmRig rig(executor, Placement::kCompact);
    const Ref<Vm> vm = rig.new_vm();
    const Ref<Buffer> buffer = rig.new_buffer(64 * kKiB);
    ASSERT_TRUE(vm->bind_now(VmRig::map(kVa, 0x4000, buffer, 0, Prot::kNone)));
    Ref<ManualFence> gate = make_ref<ManualFence>();
    BindOp bad;
    bad.type = BindType::kMap;
    bad.buffer = buffer;
    bad.fails_with = Errno::kInval;
    const auto fails = push(*vm, std::move(bad), gate);
    const auto later_map =
        push(*vm, VmRig::map(kVa + 0x8000, 0x1000, buffer, 0, Prot::kNone), nullptr);
    const auto later_unmap = push(*vm, VmRig::unmap(kVa, 0x1000), nullptr);
    EXPECT_FALSE(vm->unusable()) << "not before it has run";
    gate->signal(executor.clock().now(), 0);
    rig.settle();
    EXPECT_EQ(fails->status(), -EINVAL);
    EXPECT_EQ(later_map->status(), -EINVAL);
    EXPECT_EQ(later_unmap->status(), 1);
    EXPECT_TRUE(vm->unusable());
    EXPECT_FALSE(VmRig::page(*vm, kVa + 0x8000));
    EXPECT_FALSE(VmRig::page(*vm, kVa)) << "an unmap still runs";

    EXPECT_EQ(vm->prepare_bind(VmRig::unmap(kVa, 0x1000)).error(), Errno::kInval);
    EXPECT_EQ(vm->bind_now(VmRig::map(kVa, 0x1000, buffer, 0, Prot::kNone)).error(), Errno::kInval);
    EXPECT_TRUE(vm->bind_now(VmRig::unmap(kVa + 0x1000, 0x1000)));
    EXPECT_EQ(vm->map_kernel(0x1000, Prot::kNone).error(), Errno::kInval);
    EXPECT_TRUE(vm->unusable());
  });
}

TEST(VmAsync, ADroppedJobUndoesEverything) {
  for_each_executor(1, [](Executor& executor) {
    VmRig rig(executor, Placement::kCompact);
    for (const auto& [name, provisioning] : kProvisioningNames) {
      const Ref<Vm> vm = rig.new_vm(provisioning);
      ASSERT_TRUE(vm->activate());
      Ref<Buffer> buffer = rig.new_buffer(64 * kKiB);
      {
        const Ref<Job> job =
            vm->prepare_bind(VmRig::map(kVa, 0x1000, buffer, 0, Prot::kNone)).value();
        buffer = nullptr;
        EXPECT_EQ(rig.buffers.totals().buffers, 1u) << "a prepared bind holds it";
        EXPECT_EQ(rig.pages.statistics().lent, 4u);
      }
      EXPECT_EQ(rig.buffers.totals().buffers, 0u);
      EXPECT_EQ(rig.pages.statistics().lent, 1u) << name;
      EXPECT_EQ(VmRig::table_pages(*vm), 1u) << name;
      EXPECT_FALSE(VmRig::page(*vm, kVa));
      vm->deactivate();
    }
  });
}

// Two binds need the same tables, and only the first has laid in pages for them.
TEST(VmAsync, PagesOfADroppedJobThatAnotherUsesAreAccountedFor) {
  for_each_executor(1, [](Executor& executor) {
    VmRig rig(executor, Placement::kCompact);
    for (const auto& [name, provisioning] : kProvisioningNames) {
      const Ref<Vm> vm = rig.new_vm(provisioning);
      const Ref<Buffer> buffer = rig.new_buffer(64 * kKiB);
      Ref<Job> first = vm->prepare_bind(VmRig::map(kVa, 0x1000, buffer, 0, Prot::kNone)).value();
      Ref<Job> second = vm->prepare_bind(VmRig::map(kVa, 0x1000, buffer, 0, Prot::kNone)).value();
      first = nullptr;
      const Ref<Fence> done = second->done();
      vm->push(std::move(second));
      rig.settle();
      EXPECT_EQ(done->status(), 1);
      const Vm::TableView view = vm->tables();
      BindStatistics both = view.total;
      both.add(view.given_up);
      EXPECT_EQ(both.pages_used, 3u) << name;
      EXPECT_EQ(both.pages_reserved, both.pages_used + both.pages_returned) << name;
    }
  });
}

// Each allocation of a prepare fails once; nothing of it stays.
TEST(VmAsync, ARefusedBindLeavesNoTrace) {
  for_each_executor(1, [](Executor& executor) {
    VmRig rig(executor, Placement::kCompact);
    const Ref<Buffer> buffer = rig.new_buffer(64 * kKiB);
    for (const auto& [name, provisioning] : kProvisioningNames) {
      const Ref<Vm> vm = rig.new_vm(provisioning);
      for (std::uint64_t n = 1;; ++n) {
        rig.pages.trim(0);
        rig.pages.faults().fail_nth(n);
        const Result<Ref<Job>> job =
            vm->prepare_bind(VmRig::map(kVa, 0x1000, buffer, 0, Prot::kNone));
        const bool fired = rig.pages.faults().fired();
        rig.pages.faults().fail_nth(0);
        ASSERT_EQ(job.has_value(), !fired);
        if (!fired) {
          EXPECT_GT(n, 5u) << "tree nodes, the link, the pages and the job at least";
          break;
        }
        EXPECT_EQ(job.error(), Errno::kNoMem);
        EXPECT_EQ(rig.pages.statistics().lent, 1u) << name << n;
        EXPECT_EQ(VmRig::table_pages(*vm), 1u) << name << n;
      }
    }
  });
}

TEST(VmAsync, QueuedBindsOutliveTheClientsReferences) {
  for_each_executor(2, [](Executor& executor) {
    VmRig rig(executor, Placement::kCompact);
    Ref<Vm> vm = rig.new_vm();
    Ref<Buffer> buffer = rig.new_buffer(64 * kKiB);
    Ref<ManualFence> gate = make_ref<ManualFence>();
    const auto done = push(*vm, VmRig::map(kVa, 0x1000, buffer, 0, Prot::kNone), gate);
    vm->destroy();
    vm = nullptr;
    buffer = nullptr;
    EXPECT_EQ(rig.buffers.totals().buffers, 1u);
    gate->signal(executor.clock().now(), 0);
    // The rig finds nothing of either when it settles.
    rig.settle();
    EXPECT_EQ(done->status(), 1) << "on the orphan";
  });
}

// The promise. Binds are accepted, then there is no memory left at all, then synchronous unmaps
// overtake them and free whatever tables they can; still every one of them runs, and does what it
// would have done.
TEST(VmAsync, AcceptedBindsNeedNoMemory) {
  for_each_executor(2, [](Executor& executor) {
    const auto accept = [&](Placement placement, Provisioning provisioning) {
      VmRig rig(executor, placement);
      const Ref<Vm> vm = rig.new_vm(provisioning);
      const auto* sim = dynamic_cast<SimExecutor*>(&executor);
      std::mt19937_64 random(sim ? sim->seed() + 1 : 0);
      const Ref<Buffer> buffer = rig.new_buffer(4 * kMiB);
      constexpr std::uint64_t kWindow = 6 * kMiB;
      const GpuVa base{(std::uint64_t{1} << 39) - 2 * kMiB};  // over the edge of every table
      std::vector<std::optional<std::uint64_t>> model(kWindow / kPageSize);  // offset in buffer
      ASSERT_TRUE(vm->bind_now(VmRig::map(base, 4 * kMiB, buffer, 0, Prot::kNone)));
      for (std::uint64_t page = 0; page < 4 * kMiB / kPageSize; ++page)
        model[page] = page * kPageSize;

      const auto draw = [&](std::uint64_t limit) { return random() % limit; };
      struct Op {
        bool map;
        std::uint64_t first, pages, offset;
      };
      std::vector<Op> ops;
      const auto apply = [&](const Op& op) {
        for (std::uint64_t i = 0; i < op.pages; ++i)
          model[op.first + i] = op.map ? std::optional((op.offset + i) * kPageSize) : std::nullopt;
      };
      Ref<ManualFence> gate = make_ref<ManualFence>();
      std::vector<Ref<Fence>> fences;
      for (int i = 0; i < 12; ++i) {
        Op op{draw(3) != 0, draw(model.size()), 0, 0};
        op.pages = std::min(draw(700) + 1, model.size() - op.first);
        op.offset = draw(buffer->size() / kPageSize - op.pages + 1);
        ops.push_back(op);
        const GpuVa va = base + op.first * kPageSize;
        const std::uint64_t size = op.pages * kPageSize;
        fences.push_back(push(*vm,
                              op.map
                                  ? VmRig::map(va, size, buffer, op.offset * kPageSize, Prot::kNone)
                                  : VmRig::unmap(va, size),
                              i == 0 ? Ref<Fence>(gate) : nullptr));
      }
      // Overtaken by whole-table unmaps, which need no page, with memory gone.
      std::vector<PhysExtent> hoard;
      rig.pages.trim(0);
      for (FrameOrder order = kMaxFrameOrder; order.value != 0;) {
        order = {order.value - 1};
        while (const auto block = rig.frames.alloc(order, {1}))
          hoard.push_back({*block, order.bytes()});
      }
      ASSERT_EQ(rig.frames.statistics().free, 0u);
      if (draw(2) == 0) {
        const Op all{false, 0, model.size(), 0};
        ASSERT_TRUE(vm->bind_now(VmRig::unmap(base, kWindow)));
        apply(all);
      }
      gate->signal(executor.clock().now(), 0);
      rig.settle();
      for (const Ref<Fence>& fence : fences) EXPECT_EQ(fence->status(), 1);
      for (const Op& op : ops) apply(op);
      for (std::size_t page = 0; page < model.size(); ++page) {
        const auto seen = VmRig::page(*vm, base + page * kPageSize);
        ASSERT_EQ(seen.has_value(), model[page].has_value()) << page;
        if (seen) {
          ASSERT_EQ(seen->frame, VmRig::frame_of(*buffer, *model[page])) << page;
        }
      }
      rig.frames.free(hoard);
      EXPECT_EQ(rig.pages.statistics().lent, VmRig::table_pages(*vm));
    };
    for (const Placement placement : {Placement::kCompact, Placement::kScatter}) {
      for (const auto& [name, provisioning] : kProvisioningNames) {
        SCOPED_TRACE(name);
        accept(placement, provisioning);
      }
    }
  });
}

// Binds of one page each, all behind one fence, until one is refused.
std::vector<Ref<Fence>> push_until_refused(Vm& vm, const Ref<Buffer>& buffer,
                                           const Ref<Fence>& gate) {
  std::vector<Ref<Fence>> accepted;
  for (;;) {
    const GpuVa va = kVa + accepted.size() * 2 * kMiB;
    Result<Ref<Job>> job = vm.prepare_bind(VmRig::map(va, kPageSize, buffer, 0, Prot::kNone));
    if (!job) {
      EXPECT_EQ(job.error(), Errno::kNoMem);
      return accepted;
    }
    EXPECT_TRUE((*job)->add_dependency(gate));
    accepted.push_back((*job)->done());
    vm.push(*std::move(job));
  }
}

void check_bound(Executor& executor, Provisioning provisioning) {
  VmRig rig(executor, Placement::kCompact);
  constexpr std::uint32_t kBound = 64;
  rig.device.max_pending_table_pages = kBound;
  const Ref<Vm> vm = rig.new_vm(provisioning);
  const Ref<Vm> other = rig.new_vm(provisioning);
  const Ref<Buffer> buffer = rig.new_buffer(64 * kKiB);
  const std::uint64_t idle = rig.pages.statistics().lent;
  std::uint64_t in_tables = 0;
  for (int round = 0; round < 3; ++round) {
    Ref<ManualFence> gate = make_ref<ManualFence>();
    const std::vector<Ref<Fence>> accepted = push_until_refused(*vm, buffer, gate);
    EXPECT_GE(accepted.size(), kBound / 3);
    const std::uint64_t lent = rig.pages.statistics().lent;
    const Vm::TableView full = vm->tables();
    EXPECT_LE(lent - idle - in_tables, full.pending_pages);
    // With the others, a bind may be charged that has laid in nothing.
    if (provisioning == Provisioning::kWorstCase) {
      EXPECT_EQ(lent - idle - in_tables, full.pending_pages);
    }
    EXPECT_LE(full.pending_pages, kBound);

    // Refused again, and nothing has changed.
    const std::uint32_t references = buffer->references();
    EXPECT_EQ(vm->prepare_bind(VmRig::map(kElsewhere, 64 * kKiB, buffer, 0, Prot::kNone)).error(),
              Errno::kNoMem);
    EXPECT_EQ(buffer->references(), references);
    EXPECT_EQ(rig.pages.statistics().lent, lent);
    EXPECT_EQ(vm->tables().pending_pages, full.pending_pages);
    // What does not wait is not bounded, nor are others.
    EXPECT_TRUE(vm->bind_now(VmRig::map(kVa, kPageSize, buffer, 0, Prot::kReadOnly)));
    EXPECT_TRUE(vm->bind_now(VmRig::unmap(kVa, kPageSize)));
    EXPECT_TRUE(other->prepare_bind(VmRig::map(kVa, kPageSize, buffer, 0, Prot::kNone)));

    gate->signal(executor.clock().now(), 0);
    rig.settle();
    for (std::size_t i = 0; i < accepted.size(); ++i) {
      EXPECT_EQ(accepted[i]->status(), 1);
      EXPECT_TRUE(VmRig::page(*vm, kVa + i * 2 * kMiB));
    }
    EXPECT_EQ(vm->tables().pending_pages, 0u);
    in_tables = rig.pages.statistics().lent - idle;
  }
  EXPECT_LE(vm->tables().peak_pending_pages, kBound);
}

TEST(VmAsync, PendingBindsAreBoundedByTheirTablePages) {
  for_each_executor(2, [](Executor& executor) {
    for (const auto& [name, provisioning] : kProvisioningNames) {
      SCOPED_TRACE(name);
      check_bound(executor, provisioning);
    }
  });
}

// The unmap frees the table that the map was prepared to find. Both are ready at once, so they
// would share a flush, and before that the page is no good.
TEST(VmAsync, ATableThatALaterBindNeedsIsFlushedBetweenThem) {
  for_each_executor(1, [](Executor& executor) {
    VmRig rig(executor, Placement::kCompact);
    const Ref<Buffer> buffer = rig.new_buffer(64 * kKiB);
    for (const auto& [name, provisioning] : kProvisioningNames) {
      SCOPED_TRACE(name);
      const Ref<Vm> vm = rig.new_vm(provisioning);
      ASSERT_TRUE(vm->activate());
      ASSERT_TRUE(vm->bind_now(VmRig::map(kVa, kPageSize, buffer, 0, Prot::kNone)));
      Ref<ManualFence> gate = make_ref<ManualFence>();
      std::vector<Ref<Fence>> done;
      for (int i = 0; i < 3; ++i) {
        done.push_back(push(*vm, VmRig::unmap(kVa, kPageSize), gate));
        done.push_back(push(*vm, VmRig::map(kVa, kPageSize, buffer, 0x1000, Prot::kNone), nullptr));
      }
      gate->signal(executor.clock().now(), 0);
      rig.settle();
      for (const Ref<Fence>& fence : done) EXPECT_EQ(fence->status(), 1);
      EXPECT_EQ(VmRig::page(*vm, kVa)->frame, VmRig::frame_of(*buffer, 0x1000));
      vm->deactivate();
    }
  });
}

// Binds that lay in no page, since their tables stand or they split nothing.
TEST(VmAsync, PendingBindsAreBoundedInNumber) {
  for_each_executor(1, [](Executor& executor) {
    VmRig rig(executor, Placement::kCompact);
    rig.device.max_pending_table_pages = 16;
    const Ref<Buffer> buffer = rig.new_buffer(64 * kKiB);
    for (const auto& [name, provisioning] : kProvisioningNames) {
      SCOPED_TRACE(name);
      const Ref<Vm> vm = rig.new_vm(provisioning);
      ASSERT_TRUE(vm->bind_now(VmRig::map(kVa, kPageSize, buffer, 0, Prot::kNone)));
      Ref<ManualFence> gate = make_ref<ManualFence>();
      std::vector<Ref<Fence>> accepted{push(*vm, VmRig::unmap(kVa, 2 * kMiB), gate)};
      while (accepted.size() < 100) {
        Result<Ref<Job>> job = vm->prepare_bind(VmRig::unmap(kVa, 2 * kMiB));
        if (!job) break;
        accepted.push_back((*job)->done());
        vm->push(*std::move(job));
      }
      EXPECT_EQ(accepted.size(), 16u);
      gate->signal(executor.clock().now(), 0);
      rig.settle();
      for (const Ref<Fence>& done : accepted) EXPECT_EQ(done->status(), 1);
      EXPECT_EQ(vm->tables().pending_pages, 0u);
    }
  });
}

TEST(VmAsync, ABindThatIsLargerThanTheBoundRunsAlone) {
  for_each_executor(1, [](Executor& executor) {
    VmRig rig(executor, Placement::kScatter);
    rig.device.max_pending_table_pages = 4;
    const Ref<Vm> vm = rig.new_vm();
    const Ref<Buffer> buffer = rig.new_buffer(16 * kMiB);
    Ref<ManualFence> gate = make_ref<ManualFence>();
    const auto large = push(*vm, VmRig::map(kVa, 16 * kMiB, buffer, 0, Prot::kNone), gate);
    EXPECT_EQ(vm->prepare_bind(VmRig::map(kElsewhere, kPageSize, buffer, 0, Prot::kNone)).error(),
              Errno::kNoMem);
    gate->signal(executor.clock().now(), 0);
    rig.settle();
    EXPECT_EQ(large->status(), 1);
    EXPECT_TRUE(vm->prepare_bind(VmRig::map(kElsewhere, kPageSize, buffer, 0, Prot::kNone)));
  });
}

// Queued binds that take tables, split a block, and empty tables again.
bool bind_and_unbind(Provisioning provisioning) {
  ThreadExecutor executor(1);
  VmRig rig(executor, Placement::kCompact);
  const Ref<Vm> vm = rig.new_vm(provisioning);
  const Ref<Buffer> buffer = rig.new_buffer(4 * kMiB);
  const GpuVa hole = kVa + 2 * kMiB + kPageSize;
  const auto all = push(*vm, VmRig::map(kVa, 4 * kMiB, buffer, 0, Prot::kNone), nullptr);
  const auto split = push(*vm, VmRig::unmap(hole, kPageSize), nullptr);
  const auto filled = push(*vm, VmRig::map(hole, kPageSize, buffer, 0, Prot::kReadOnly), nullptr);
  const auto none = push(*vm, VmRig::unmap(kVa, 4 * kMiB), nullptr);
  rig.settle();
  return all->status() == 1 && split->status() == 1 && filled->status() == 1 && none->status() == 1;
}

// In a process of its own, which the trap ends: here it is an assertion that fails.
TEST(VmAsyncDeathTest, ARunningBindDoesNotUseTheHeap) {
  if (!allocation_trap_armed()) GTEST_SKIP() << "this build has no traps";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  for (const auto& [name, provisioning] : kProvisioningNames) {
    EXPECT_EXIT(_exit(bind_and_unbind(provisioning) ? EXIT_SUCCESS : EXIT_FAILURE),
                testing::ExitedWithCode(EXIT_SUCCESS), "")
        << name;
  }
}

}  // namespace
}  // namespace pantry::driver
