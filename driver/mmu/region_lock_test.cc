// SPDX-License-Identifier: MIT
#include "driver/mmu/region_lock.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <vector>

#include "driver/kernel/each_executor.h"
#include "driver/mmu/fake_as_block.h"

namespace pantry::driver {
namespace {

constexpr std::uint32_t kPresent = 0x7;  // two user slots

class TestOwner final : public AsOwner {
 public:
  explicit TestOwner(std::uint64_t number) : config_{{number << 12}, number, number} {}
  AsConfig as_config() const noexcept override { return config_; }
  void on_mmu_fault(const MmuFault&) noexcept override { ++faults; }

  const AsConfig config_;
  std::atomic<int> faults{0};
};

// More VMs than slots, each edited by a thread of its own while a scheduler moves them in and out
// and faults come in. While an update lasts, its VM neither loses nor gains a slot, and nothing
// that a correct driver would not do reaches the device.
TEST(RegionLock, HoldsItsVmInPlaceWhileSlotsChangeHands) {
  for_each_executor(1, [](Executor& executor) {
    constexpr int kVms = 4;
    FakeAsBlock block;
    block.set_busy_reads(1);
    AddressSpaces spaces(block, executor.clock(), kPresent, block, block);
    spaces.unmask_interrupts();
    std::vector<std::unique_ptr<TestOwner>> owners;
    for (std::uint64_t i = 0; i < kVms; ++i) owners.push_back(std::make_unique<TestOwner>(i + 1));

    const auto slot_of = [&](const AsOwner& owner) {
      int slot = -1;
      spaces.for_each_slot([&](const AddressSpaces::SlotView& view) {
        if (view.owner == &owner) slot = static_cast<int>(view.slot);
      });
      return slot;
    };
    std::atomic<int> next{0};
    auto editor = test_thread([&] {
      TestOwner& owner = *owners[static_cast<std::size_t>(next++)];
      for (int i = 0; i < 10; ++i) {
        RegionLock lock(spaces, owner, GpuRange::of_size({0x200000}, 2 * kMiB));
        const int before = slot_of(owner);
        const int faults = owner.faults;
        for (int step = 0; step < 3; ++step) {
          executor.clock().sleep(microseconds(1));
          EXPECT_EQ(slot_of(owner), before);
          if (before < 0) continue;
          const FakeAsBlock::Space space = block.space(static_cast<std::uint32_t>(before));
          // Locked by this update, unless a fault has switched the slot off since.
          if (owner.faults == faults && !spaces.faulted(owner)) {
            EXPECT_TRUE(space.locked);
          }
        }
      }
    });
    auto scheduler = test_thread([&] {
      for (std::size_t i = 0; i < 24; ++i) {
        TestOwner& owner = *owners[i * 7 % kVms];
        const auto slot = spaces.activate(owner);
        ASSERT_TRUE(slot);
        executor.clock().sleep(microseconds(2));
        if (i % 5 == 0) block.raise_fault(*slot, 0x3c0, 0);
        spaces.deactivate(owner);
      }
    });
    auto irq = test_thread([&] {
      for (int i = 0; i < 20; ++i) {
        spaces.handle_interrupt();
        executor.clock().sleep(microseconds(3));
      }
    });
    for (int i = 0; i < kVms; ++i) executor.spawn("editor", editor);
    executor.spawn("scheduler", scheduler);
    executor.spawn("irq", irq);
    executor.join_spawned();
    for (const auto& owner : owners) spaces.remove(*owner);
    EXPECT_EQ(block.mistake(), nullptr);
    EXPECT_EQ(block.resets(), 0u);
  });
}

// Without a slot an update asks for no range and touches no register, and whoever wants to give the
// VM a slot meanwhile waits for its end.
TEST(RegionLock, CostsNothingWithoutASlotButHoldsOffWhoBringsOne) {
  for_each_executor(1, [](Executor& executor) {
    FakeAsBlock block;
    AddressSpaces spaces(block, executor.clock(), kPresent, block, block);
    TestOwner owner(1);
    bool asked = false;
    const auto range = [&] {
      asked = true;
      return GpuRange::of_size({0x200000}, 2 * kMiB);
    };
    std::atomic<bool> done{false};
    std::atomic<bool> came_early{false};
    auto scheduler = test_thread([&] {
      ASSERT_TRUE(spaces.activate(owner));
      came_early = !done;
    });
    {
      const RegionLock lock(spaces, owner, range);
      executor.spawn("scheduler", scheduler);
      for (int i = 0; i < 5; ++i) executor.clock().sleep(microseconds(10));
      done = true;
    }
    executor.join_spawned();
    EXPECT_FALSE(came_early);
    EXPECT_FALSE(asked);
    {
      const RegionLock lock(spaces, owner, range);
      EXPECT_TRUE(asked);
      EXPECT_TRUE(block.space(1).locked);
    }
    EXPECT_FALSE(block.space(1).locked);
    spaces.deactivate(owner);
    // Once the slot is gone, as at first.
    spaces.remove(owner);
    asked = false;
    { const RegionLock lock(spaces, owner, range); }
    EXPECT_FALSE(asked);
    EXPECT_EQ(spaces.counters().flushes, 1u);
    EXPECT_EQ(block.mistake(), nullptr);
  });
}

// An update of one VM does not keep another from its own, and only the one that wants the slot of
// an updating VM waits.
TEST(RegionLock, OtherVmsGoOn) {
  for_each_executor(1, [](Executor& executor) {
    FakeAsBlock block;
    AddressSpaces spaces(block, executor.clock(), kPresent, block, block);
    TestOwner a(1);
    TestOwner b(2);
    TestOwner c(3);
    ASSERT_TRUE(spaces.activate(a));
    ASSERT_TRUE(spaces.activate(b));
    spaces.deactivate(a);
    std::atomic<bool> a_done{false};
    std::atomic<bool> c_came_early{false};
    auto waiter = test_thread([&] {
      // b is active and a, the only idle one, is being updated.
      const auto slot = spaces.activate(c);
      c_came_early = !a_done;
      ASSERT_TRUE(slot);
      EXPECT_EQ(*slot, 1u);
    });
    {
      RegionLock lock(spaces, a, GpuRange::of_size({0}, kPageSize));
      executor.spawn("waiter", waiter);
      for (int i = 0; i < 5; ++i) {
        RegionLock other(spaces, b, GpuRange::of_size({0}, kPageSize));
        executor.clock().sleep(microseconds(10));
      }
      a_done = true;
    }
    executor.join_spawned();
    EXPECT_FALSE(c_came_early);
    spaces.deactivate(b);
    spaces.deactivate(c);
    for (TestOwner* owner : {&a, &b, &c}) spaces.remove(*owner);
    EXPECT_EQ(block.mistake(), nullptr);
  });
}

// remove() returns only when the owner is no longer being told of a fault.
TEST(AddressSpacesLifetime, RemoveWaitsForTheFaultToBeTold) {
  class SlowOwner final : public AsOwner {
   public:
    explicit SlowOwner(Clock& clock) : clock_(clock) {}
    AsConfig as_config() const noexcept override { return {}; }
    void on_mmu_fault(const MmuFault&) noexcept override {
      clock_.sleep(microseconds(200));
      told = true;
    }
    Clock& clock_;
    std::atomic<bool> told{false};
  };
  for_each_executor(1, [](Executor& executor) {
    FakeAsBlock block;
    AddressSpaces spaces(block, executor.clock(), kPresent, block, block);
    spaces.unmask_interrupts();
    SlowOwner owner(executor.clock());
    ASSERT_TRUE(spaces.activate(owner));
    spaces.deactivate(owner);
    block.raise_fault(1, 0x3c0, 0);
    auto irq = test_thread([&] { spaces.handle_interrupt(); });
    executor.spawn("irq", irq);
    while (!spaces.faulted(owner)) executor.clock().sleep(microseconds(1));
    spaces.remove(owner);
    EXPECT_TRUE(owner.told);
    executor.join_spawned();
  });
}

}  // namespace
}  // namespace pantry::driver
