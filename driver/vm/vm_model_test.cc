// SPDX-License-Identifier: MIT
//
// Binds against a naive model: for each page of a window, which page of which buffer it shows, and
// with which rights. And everything at once, from several threads.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <atomic>
#include <optional>
#include <vector>

#include "driver/kernel/each_executor.h"
#include "driver/vm/vm.h"
#include "driver/provision/page_magazine.h"
#include "driver/vm/vm_rig.h"

namespace pantry::driver {
namespace {

using Placement = VmRig::Placement;

constexpr std::uint64_t kPages = 3 * 512;  // a window of 6 MiB
constexpr std::uint64_t kBufferPages = 2 * 512;
// Across a boundary of 1 GiB, and not at a multiple of 2 MiB.
constexpr GpuVa kBase{(std::uint64_t{1} << 30) - 3 * kMiB + 5 * kPageSize};

struct Shown {
  int buffer = 0;
  std::uint64_t page = 0;
  Prot prot = Prot::kNone;
  bool operator==(const Shown&) const = default;
};

struct Step {
  int what = 0;  // 0, 1: unmap; 2 and up: map
  bool async = false;
  bool coarse = false;  // ends at multiples of 2 MiB where it can
  std::uint64_t first = 0, pages = 0, offset = 0;
  int buffer = 0;
  std::uint32_t prot = 0;
};

rc::Gen<Step> steps() {
  return rc::gen::build<Step>(
      rc::gen::set(&Step::what, rc::gen::inRange(0, 6)),
      rc::gen::set(&Step::async, rc::gen::arbitrary<bool>()),
      rc::gen::set(&Step::coarse, rc::gen::arbitrary<bool>()),
      rc::gen::set(&Step::first, rc::gen::inRange<std::uint64_t>(0, kPages)),
      rc::gen::set(&Step::pages, rc::gen::inRange<std::uint64_t>(1, kBufferPages + 1)),
      rc::gen::set(&Step::offset, rc::gen::inRange<std::uint64_t>(0, kBufferPages)),
      rc::gen::set(&Step::buffer, rc::gen::inRange(0, 2)),
      rc::gen::set(&Step::prot, rc::gen::inRange(0u, 8u)));
}

void compare(const VmRig&, const Vm& vm, const std::vector<Ref<Buffer>>& buffers,
             const std::vector<std::optional<Shown>>& model) {
  std::vector<std::optional<Shown>> tree(kPages);
  for (const VmRig::Mapped& mapped : VmRig::mappings(vm)) {
    for (std::uint64_t at = 0; at < mapped.range.size(); at += kPageSize) {
      const std::uint64_t page = (mapped.range.first + at - kBase) / kPageSize;
      RC_ASSERT(page < kPages);
      RC_ASSERT(!tree[page]);
      tree[page] =
          Shown{mapped.buffer == buffers[1].get(), (mapped.offset + at) / kPageSize, mapped.prot};
    }
  }
  RC_ASSERT(tree == model);
  for (std::uint64_t page = 0; page < kPages; ++page) {
    const auto seen = VmRig::page(vm, kBase + page * kPageSize);
    RC_ASSERT(seen.has_value() == model[page].has_value());
    if (!seen) continue;
    const Buffer& buffer = *buffers[static_cast<std::size_t>(model[page]->buffer)];
    RC_ASSERT(seen->frame == VmRig::frame_of(buffer, model[page]->page * kPageSize));
    RC_ASSERT(seen->prot == model[page]->prot);
  }
  RC_ASSERT(!VmRig::page(vm, kBase - kPageSize));
  RC_ASSERT(!VmRig::page(vm, kBase + kPages * kPageSize));
}

void check_on(Executor& executor, Placement placement) {
  VmRig rig(executor, placement);
  const auto payer = make_ref<Account>(1, Limits());
  rig.device.provisioning = *rc::gen::element(Provisioning::kWorstCase, Provisioning::kExact,
                                              Provisioning::kRangeReserve);
  Ref<Vm> vm = Vm::create(rig.device, 0, payer).value();
  const std::vector<Ref<Buffer>> buffers{rig.new_buffer(kBufferPages * kPageSize),
                                         rig.new_buffer(kBufferPages * kPageSize)};
  std::vector<std::optional<Shown>> model(kPages);
  std::vector<Ref<Fence>> fences;
  if (*rc::gen::arbitrary<bool>()) RC_ASSERT(vm->activate().has_value());
  const bool active = rig.block.space(1).committed.transcfg != 1;
  for (Step step : *rc::gen::container<std::vector<Step>>(steps())) {
    if (step.coarse) {
      // The first page of the window at a multiple of 2 MiB is number 251.
      step.first = step.first / 512 * 512 + 251;
      step.pages = 512;
      step.offset = step.offset / 512 * 512;
    }
    step.pages = std::min({step.pages, kPages - step.first, kBufferPages - step.offset});
    const GpuVa va = kBase + step.first * kPageSize;
    const std::uint64_t size = step.pages * kPageSize;
    const bool map = step.what >= 2;
    BindOp op = map ? VmRig::map(va, size, buffers[static_cast<std::size_t>(step.buffer)],
                                 step.offset * kPageSize, static_cast<Prot>(step.prot))
                    : VmRig::unmap(va, size);
    for (std::uint64_t i = 0; i < step.pages; ++i) {
      model[step.first + i] =
          map ? std::optional(Shown{step.buffer, step.offset + i, static_cast<Prot>(step.prot)})
              : std::nullopt;
    }
    if (step.async) {
      Ref<Job> job = vm->prepare_bind(std::move(op)).value();
      fences.push_back(job->done());
      vm->push(std::move(job));
    } else {
      executor.lane(Lane::kBind).drain();  // so that the model's order is the real one
      RC_ASSERT(vm->bind_now(std::move(op)).has_value());
    }
  }
  rig.settle();
  for (const Ref<Fence>& fence : fences) RC_ASSERT(fence->status() == 1);
  compare(rig, *vm, buffers, model);
  RC_ASSERT(rig.pages.statistics().lent == VmRig::table_pages(*vm));
  RC_ASSERT(vm->tables().total.pages_reserved ==
            vm->tables().total.pages_used + vm->tables().total.pages_returned);
  // The table, and what the magazine keeps.
  const std::uint64_t paid = payer->held(Resource::kMemory) / kPageSize;
  RC_ASSERT(paid >= VmRig::table_pages(*vm));
  RC_ASSERT(paid <= VmRig::table_pages(*vm) + PageMagazine::kMost);
  if (active) vm->deactivate();
  vm = nullptr;
  rig.settle();
  RC_ASSERT(payer->held(Resource::kMemory) == 0u);
}

void check_against_model(Placement placement) {
  ThreadExecutor threads(2);
  EXPECT_TRUE(rc::check("on real threads", [&] { check_on(threads, placement); }));
  EXPECT_TRUE(rc::check("simulated", [&] {
    SimExecutor executor(*rc::gen::arbitrary<std::uint64_t>(), 2);
    check_on(executor, placement);
  }));
}

TEST(VmModel, BlocksWherePossible) { check_against_model(Placement::kCompact); }
TEST(VmModel, ScatteredFrames) { check_against_model(Placement::kScatter); }

// Clients bind in their own part of two VMs, in both modes, while kernel mappings come and go, a
// scheduler moves the VMs in and out of the slots, faults come in and reports are read. In the end
// every page shows what its owner bound last.
TEST(VmModel, EverythingAtOnce) {
  for_each_executor(2, [](Executor& executor) {
    VmRig rig(executor, Placement::kCompact);
    constexpr int kClients = 3;
    std::vector<Ref<Vm>> vms{rig.new_vm(), rig.new_vm()};
    const Ref<Buffer> shared = rig.new_buffer(2 * kMiB);
    std::atomic<int> next{0};
    auto client = test_thread([&] {
      const int me = next++;
      Vm& vm = *vms[static_cast<std::size_t>(me % 2)];
      // Neighbours: the tables are shared, the pages are not.
      const GpuVa mine = kBase + static_cast<std::uint64_t>(me) * 64 * kPageSize;
      Ref<Fence> last;
      for (std::uint64_t i = 0; i < 8; ++i) {
        const std::uint64_t offset = (i * 16 + static_cast<std::uint64_t>(me)) * kPageSize;
        BindOp op = i % 3 == 2 ? VmRig::unmap(mine, 64 * kPageSize)
                               : VmRig::map(mine, 8 * kPageSize, shared, offset, Prot::kNone);
        if (i % 2 == 0) {
          Ref<Job> job = vm.prepare_bind(std::move(op)).value();
          last = job->done();
          FenceRooms rooms = vm.reserve_fences(1).value();
          rooms.add(last);
          vm.push(std::move(job));
        } else {
          // In order, so that it is known what is left.
          while (last && !last->signalled()) executor.clock().sleep(microseconds(5));
          EXPECT_TRUE(vm.bind_now(std::move(op)));
        }
      }
      while (!last->signalled()) executor.clock().sleep(microseconds(5));
      EXPECT_EQ(last->status(), 1);
      for (std::uint64_t page = 0; page < 8; ++page) {
        const auto seen = VmRig::page(vm, mine + page * kPageSize);
        const std::uint64_t offset = (7 * 16 + static_cast<std::uint64_t>(me) + page) * kPageSize;
        EXPECT_EQ(seen->frame, VmRig::frame_of(*shared, offset));
      }
    });
    auto kernel = test_thread([&] {
      for (std::uint64_t i = 0; i < 6; ++i) {
        const auto a = vms[i % 2]->map_kernel((i + 1) * kPageSize, Prot::kNoExec);
        const auto b = vms[i % 2]->map_kernel(kPageSize, Prot::kNoExec);
        ASSERT_TRUE(a && b);
        EXPECT_EQ(VmRig::page(*vms[i % 2], a->va())->frame, a->buffer().frames()[0].start);
        EXPECT_EQ(VmRig::page(*vms[i % 2], b->va())->frame, b->buffer().frames()[0].start);
      }
    });
    auto scheduler = test_thread([&] {
      for (std::uint64_t i = 0; i < 8; ++i) {
        const auto slot = vms[i % 2]->activate();
        ASSERT_TRUE(slot);
        executor.clock().sleep(microseconds(5));
        if (i % 3 == 0) {
          rig.block.raise_fault(*slot, 0x3c0, 0);
          rig.spaces.handle_interrupt();
        }
        vms[i % 2]->deactivate();
        if (i % 4 == 3) rig.spaces.drop_all(AddressSpaces::Registers::kDisable);
      }
    });
    auto reader = test_thread([&] {
      for (int i = 0; i < 5; ++i) {
        for (const Ref<Vm>& vm : vms) {
          VmRig::mappings(*vm);
          EXPECT_GE(VmRig::table_pages(*vm), 1u);
        }
        executor.clock().sleep(microseconds(7));
      }
    });
    for (int i = 0; i < kClients; ++i) executor.spawn("client", client);
    executor.spawn("kernel", kernel);
    executor.spawn("scheduler", scheduler);
    executor.spawn("reader", reader);
    executor.join_spawned();
    rig.settle();
    for (const Ref<Vm>& vm : vms) {
      EXPECT_FALSE(vm->unusable());
      vm->destroy();
      EXPECT_EQ(VmRig::table_pages(*vm), 1u);
    }
  });
}

}  // namespace
}  // namespace pantry::driver
