// SPDX-License-Identifier: MIT
#include "driver/mmu/address_spaces.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "driver/kernel/each_executor.h"
#include "driver/mmu/fake_as_block.h"
#include "driver/mmu/region_lock.h"

namespace pantry::driver {
namespace {

using Command = FakeAsBlock::Command;
using Event = FakeAsBlock::Event;

// Slots 0, 1, 3 and 4: AS_PRESENT may have holes.
constexpr std::uint32_t kPresent = 0x1b;
constexpr std::uint32_t kUserSlots = 3;

class TestOwner final : public AsOwner {
 public:
  explicit TestOwner(std::uint64_t number)
      : config_{{number << 12}, 0x100 + number, 0x200 + number} {}
  AsConfig as_config() const noexcept override { return config_; }
  void on_mmu_fault(const MmuFault& fault) noexcept override {
    last = fault;
    ++faults;
  }

  const AsConfig config_;
  MmuFault last;
  int faults = 0;
};

// One thread, real time.
struct AddressSpacesTest {
  explicit AddressSpacesTest(Executor& on)
      : executor(on), spaces(block, on.clock(), kPresent, block, block) {
    spaces.unmask_interrupts();
    block.take_events();
  }
  ~AddressSpacesTest() { EXPECT_EQ(block.mistake(), nullptr); }

  static std::vector<std::pair<Command, std::uint64_t>> commands(const std::vector<Event>& events) {
    std::vector<std::pair<Command, std::uint64_t>> commands;
    for (const Event& event : events)
      if (event.kind == Event::Kind::kCommand) commands.emplace_back(event.command, event.lockaddr);
    return commands;
  }
  const AddressSpaces::SlotView view(std::uint32_t slot) const {
    AddressSpaces::SlotView found;
    spaces.for_each_slot([&](const AddressSpaces::SlotView& view) {
      if (view.slot == slot) found = view;
    });
    return found;
  }
  // So that the owners' destructors find nothing of theirs left here.
  void remove_all() {
    for (TestOwner& owner : owner) spaces.remove(owner);
  }

  Executor& executor;
  FakeAsBlock block;
  AddressSpaces spaces;
  std::array<TestOwner, 5> owner{TestOwner(1), TestOwner(2), TestOwner(3), TestOwner(4),
                                 TestOwner(5)};
};

TEST_EACH_EXECUTOR(AddressSpacesTest, TheLowestFreeSlotThatIsPresent) {
  EXPECT_EQ(spaces.user_slots(), kUserSlots);
  EXPECT_EQ(spaces.activate(owner[0]).value(), 1u);
  EXPECT_EQ(spaces.activate(owner[1]).value(), 3u);
  EXPECT_EQ(spaces.activate(owner[2]).value(), 4u);
  EXPECT_EQ(spaces.activate(owner[3]).error(), Errno::kBusy);
  EXPECT_EQ(spaces.activate(owner[1]).value(), 3u) << "again, for a second group";
  EXPECT_EQ(view(3).active, 2u);
  spaces.deactivate(owner[1]);
  EXPECT_EQ(spaces.activate(owner[3]).error(), Errno::kBusy) << "one group is left";
  spaces.deactivate(owner[1]);
  EXPECT_EQ(spaces.activate(owner[3]).value(), 3u) << "evicted";
  EXPECT_EQ(spaces.counters().evictions, 1u);
  EXPECT_EQ(spaces.counters().assignments, 4u);
}

TEST_EACH_EXECUTOR(AddressSpacesTest, AnIdleOwnerKeepsItsSlotAsItIs) {
  ASSERT_EQ(spaces.activate(owner[0]).value(), 1u);
  spaces.deactivate(owner[0]);
  EXPECT_EQ(block.space(1).committed, owner[0].config_);
  block.take_events();
  EXPECT_EQ(spaces.activate(owner[0]).value(), 1u);
  EXPECT_TRUE(block.take_events().empty()) << "no command at all";
}

TEST_EACH_EXECUTOR(AddressSpacesTest, TheLongestIdleOneIsEvicted) {
  for (int i : {0, 1, 2}) ASSERT_TRUE(spaces.activate(owner[i]));
  for (int i : {1, 0, 2}) spaces.deactivate(owner[i]);
  ASSERT_TRUE(spaces.activate(owner[1]));  // out of the list,
  spaces.deactivate(owner[1]);             // and to its tail
  EXPECT_EQ(spaces.activate(owner[3]).value(), 1u) << "0 was idle longest";
  EXPECT_EQ(spaces.activate(owner[4]).value(), 4u) << "then 2";
  EXPECT_EQ(spaces.activate(owner[0]).value(), 3u) << "then 1";
  EXPECT_EQ(spaces.activate(owner[1]).error(), Errno::kBusy);
}

TEST_EACH_EXECUTOR(AddressSpacesTest, EnablingFlushesEverythingThenCommits) {
  ASSERT_TRUE(spaces.activate(owner[0]));
  const std::vector<Event> events = block.take_events();
  EXPECT_EQ(commands(events),
            (std::vector<std::pair<Command, std::uint64_t>>{
                {Command::kLock, 0x3f}, {Command::kFlushMem, 0x3f}, {Command::kUpdate, 0x3f}}));
  EXPECT_EQ(events[2].config, owner[0].config_);
  for (const Event& event : events) EXPECT_EQ(event.as, 1u);
}

TEST_EACH_EXECUTOR(AddressSpacesTest, RemovingDisables) {
  ASSERT_TRUE(spaces.activate(owner[0]));
  spaces.deactivate(owner[0]);
  block.take_events();
  spaces.remove(owner[0]);
  const std::vector<Event> events = block.take_events();
  EXPECT_EQ(commands(events),
            (std::vector<std::pair<Command, std::uint64_t>>{
                {Command::kLock, 0x3f}, {Command::kFlushMem, 0x3f}, {Command::kUpdate, 0x3f}}));
  EXPECT_EQ(events[2].config, (AsConfig{{0}, 0, 1}));
  EXPECT_EQ(view(1).owner, nullptr);
  spaces.remove(owner[0]);
  EXPECT_TRUE(block.take_events().empty()) << "nothing left to do";
}

TEST_EACH_EXECUTOR(AddressSpacesTest, AnEvictedSlotIsOffBeforeItIsTheNextOwners) {
  for (int i : {0, 1, 2}) ASSERT_TRUE(spaces.activate(owner[i]));
  spaces.deactivate(owner[1]);
  block.take_events();
  ASSERT_EQ(spaces.activate(owner[3]).value(), 3u);
  std::vector<AsConfig> updates;
  for (const Event& event : block.take_events())
    if (event.command == Command::kUpdate) updates.push_back(event.config);
  EXPECT_EQ(updates, (std::vector<AsConfig>{{{0}, 0, 1}, owner[3].config_}));
}

TEST_EACH_EXECUTOR(AddressSpacesTest, TheMcuSitsInSlotZeroAndIsNeverEvicted) {
  ASSERT_TRUE(spaces.activate_mcu(owner[4]));
  EXPECT_EQ(block.space(0).committed, owner[4].config_);
  spaces.deactivate(owner[4]);
  for (int i : {0, 1, 2}) ASSERT_TRUE(spaces.activate(owner[i]));
  EXPECT_EQ(spaces.activate(owner[3]).error(), Errno::kBusy);
  EXPECT_EQ(view(0).owner, &owner[4]);
  ASSERT_TRUE(spaces.activate_mcu(owner[4]));
  spaces.deactivate(owner[4]);
}

TEST_EACH_EXECUTOR(AddressSpacesTest, CommandsWaitForTheOneBefore) {
  block.set_busy_reads(3);
  ASSERT_TRUE(spaces.activate(owner[0]));
  { RegionLock lock(spaces, owner[0], GpuRange::of_size({0x200000}, 2 * kMiB)); }
  spaces.deactivate(owner[0]);
  spaces.remove(owner[0]);
  EXPECT_EQ(block.resets(), 0u);
}

TEST_EACH_EXECUTOR(AddressSpacesTest, UpdatesLockEditFlushUnlock) {
  ASSERT_TRUE(spaces.activate(owner[0]));
  block.take_events();
  {
    RegionLock lock(spaces, owner[0], GpuRange::of_size({0x200000}, 2 * kMiB));
    EXPECT_TRUE(block.space(1).locked);
    EXPECT_EQ(block.space(1).locked_region, 0x200014u);
    EXPECT_EQ(block.take_events().size(), 1u);
  }
  const std::vector<Event> events = block.take_events();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].kind, Event::Kind::kCacheFlush);
  EXPECT_EQ(events[1].command, Command::kUnlock);
  EXPECT_FALSE(block.space(1).locked);
  EXPECT_EQ(spaces.counters().flushes, 1u);
}

TEST_EACH_EXECUTOR(AddressSpacesTest, WithoutASlotAnUpdateTouchesNothing) {
  const std::uint64_t before = block.accesses();
  { RegionLock lock(spaces, owner[0], GpuRange::of_size({0}, kPageSize)); }
  EXPECT_EQ(block.accesses(), before);
  EXPECT_TRUE(block.take_events().empty());
  EXPECT_EQ(spaces.counters().flushes, 0u);
}

TEST_EACH_EXECUTOR(AddressSpacesTest, AnIdleSlotIsFlushedToo) {
  ASSERT_TRUE(spaces.activate(owner[0]));
  spaces.deactivate(owner[0]);
  { RegionLock lock(spaces, owner[0], GpuRange::of_size({0}, kPageSize)); }
  EXPECT_EQ(spaces.counters().flushes, 1u);
}

TEST_EACH_EXECUTOR(AddressSpacesTest, AFaultDisablesMasksAndTells) {
  ASSERT_TRUE(spaces.activate(owner[0]));
  ASSERT_TRUE(spaces.activate(owner[1]));
  block.raise_fault(3, 0x3c2, 0x12345678000);
  spaces.handle_interrupt();
  EXPECT_EQ(owner[1].faults, 1);
  EXPECT_EQ(owner[1].last.as, 3u);
  EXPECT_EQ(owner[1].last.status, 0x3c2u);
  EXPECT_EQ(owner[1].last.address.value, 0x12345678000u);
  EXPECT_EQ(block.space(3).committed, (AsConfig{{0}, 0, 1}));
  EXPECT_EQ(block.mask(), 0xffffu & ~(1u << 3));
  EXPECT_EQ(block.rawstat(), 0u);
  EXPECT_TRUE(spaces.faulted(owner[1]));
  EXPECT_FALSE(spaces.faulted(owner[0]));
  EXPECT_EQ(owner[0].faults, 0);
  EXPECT_EQ(block.space(1).committed, owner[0].config_);

  // More faults of the dying VM do not disturb anybody.
  block.raise_fault(3, 0x3c0, 0);
  spaces.handle_interrupt();
  EXPECT_EQ(owner[1].faults, 1);

  // A second group of it while the first is still there: the fault stays.
  EXPECT_EQ(spaces.activate(owner[1]).value(), 3u);
  EXPECT_TRUE(spaces.faulted(owner[1]));
  spaces.deactivate(owner[1]);
  spaces.deactivate(owner[1]);
  // The next group after all of them are gone starts afresh.
  EXPECT_EQ(spaces.activate(owner[1]).value(), 3u);
  EXPECT_FALSE(spaces.faulted(owner[1]));
  EXPECT_EQ(block.space(3).committed, owner[1].config_);
  EXPECT_EQ(block.mask(), 0xffffu);
  EXPECT_EQ(block.rawstat(), 0u) << "what was left of the old fault is gone";
  EXPECT_EQ(spaces.counters().faults, 1u);
}

TEST_EACH_EXECUTOR(AddressSpacesTest, AFaultInNobodysSlotIsMaskedAndLeftAlone) {
  block.raise_fault(4, 0x3c0, 0);
  spaces.handle_interrupt();
  EXPECT_EQ(block.mask(), 0xffffu & ~(1u << 4));
  for (int i : {0, 1, 2}) ASSERT_TRUE(spaces.activate(owner[i]));
  EXPECT_EQ(block.mask(), 0xffffu) << "until somebody sits there";
}

TEST_EACH_EXECUTOR(AddressSpacesTest, AFaultDuringAnUpdateEndsItsLock) {
  ASSERT_TRUE(spaces.activate(owner[0]));
  {
    RegionLock lock(spaces, owner[0], GpuRange::of_size({0}, kPageSize));
    block.raise_fault(1, 0x3c0, 0);
    spaces.handle_interrupt();
    EXPECT_FALSE(block.space(1).locked);
    block.take_events();
  }
  EXPECT_TRUE(block.take_events().empty()) << "no UNLOCK of what is not locked";
}

TEST_EACH_EXECUTOR(AddressSpacesTest, MaskedInterruptsAreNotHandled) {
  ASSERT_TRUE(spaces.activate(owner[0]));
  spaces.mask_interrupts();
  EXPECT_EQ(block.mask(), 0u);
  block.raise_fault(1, 0x3c0, 0);
  spaces.handle_interrupt();
  EXPECT_EQ(owner[0].faults, 0);
  spaces.unmask_interrupts();
  EXPECT_EQ(block.rawstat(), 0u) << "with nothing pending";
  EXPECT_EQ(block.mask(), 0xffffu);
}

TEST_EACH_EXECUTOR(AddressSpacesTest, SuspendDisablesEachSlotInOrder) {
  ASSERT_TRUE(spaces.activate_mcu(owner[4]));
  for (int i : {0, 1, 2}) ASSERT_TRUE(spaces.activate(owner[i]));
  for (int i : {0, 1, 2}) spaces.deactivate(owner[i]);
  block.take_events();
  spaces.drop_all(AddressSpaces::Registers::kDisable);
  std::vector<std::uint32_t> updated;
  for (const Event& event : block.take_events())
    if (event.command == Command::kUpdate) updated.push_back(event.as);
  EXPECT_EQ(updated, (std::vector<std::uint32_t>{0, 1, 3, 4}));
  for (std::uint32_t slot : {0, 1, 3, 4}) EXPECT_EQ(view(slot).owner, nullptr);
  // Everybody can come back, the MCU without having been deactivated.
  ASSERT_TRUE(spaces.activate_mcu(owner[4]));
  EXPECT_EQ(spaces.activate(owner[3]).value(), 1u);
  spaces.deactivate(owner[4]);
}

TEST_EACH_EXECUTOR(AddressSpacesTest, AResetForgetsWithoutTouchingARegister) {
  ASSERT_TRUE(spaces.activate(owner[0]));
  ASSERT_TRUE(spaces.activate(owner[1]));
  spaces.deactivate(owner[1]);
  block.raise_fault(1, 0x3c0, 0);
  spaces.handle_interrupt();
  const std::uint64_t before = block.accesses();
  spaces.drop_all(AddressSpaces::Registers::kForget);
  { RegionLock lock(spaces, owner[0], GpuRange::of_size({0}, kPageSize)); }
  EXPECT_EQ(block.accesses(), before);
  // Its group is unbound only afterwards.
  spaces.deactivate(owner[0]);
  spaces.unmask_interrupts();
  EXPECT_EQ(block.mask(), 0xffffu);
  EXPECT_EQ(spaces.activate(owner[2]).value(), 1u);
  EXPECT_EQ(spaces.activate(owner[1]).value(), 3u);
  EXPECT_EQ(spaces.activate(owner[0]).value(), 4u);
  EXPECT_FALSE(spaces.faulted(owner[0]));
}

TEST_EACH_EXECUTOR(AddressSpacesTest, ADeviceThatDoesNotAnswerIsReset) {
  ASSERT_TRUE(spaces.activate(owner[0]));
  block.set_stuck(3);
  block.take_events();
  EXPECT_EQ(spaces.activate(owner[1]).error(), Errno::kTimedOut);
  EXPECT_EQ(block.resets(), 1u);
  EXPECT_EQ(view(3).owner, nullptr);
  EXPECT_EQ(spaces.activate(owner[0]).value(), 1u) << "the others go on";
}

TEST_EACH_EXECUTOR(AddressSpacesTest, ALockThatFailsIsNotUndone) {
  ASSERT_TRUE(spaces.activate(owner[0]));
  block.set_stuck(1);
  block.take_events();
  { RegionLock lock(spaces, owner[0], GpuRange::of_size({0}, kPageSize)); }
  const std::vector<Event> events = block.take_events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].kind, Event::Kind::kReset);
}

TEST_EACH_EXECUTOR(AddressSpacesTest, AFlushThatFailsAsksForAResetAndUnlocks) {
  ASSERT_TRUE(spaces.activate(owner[0]));
  block.set_flush_outcome(CacheFlusher::Outcome::kTimedOut);
  { RegionLock lock(spaces, owner[0], GpuRange::of_size({0}, kPageSize)); }
  EXPECT_EQ(block.resets(), 1u);
  EXPECT_FALSE(block.space(1).locked);
}

// Who sits where, as the rules say it: a list of idle ones, oldest first.
struct Model {
  struct Entry {
    std::optional<std::uint32_t> slot;
    int active = 0;
    bool faulted = false;
  };
  std::vector<Entry> entries = std::vector<Entry>(5);
  std::deque<std::size_t> idle;

  std::optional<std::uint32_t> activate(std::size_t i) {
    Entry& entry = entries[i];
    if (!entry.slot) {
      for (std::uint32_t slot : {1u, 3u, 4u}) {
        if (std::ranges::any_of(entries, [&](const Entry& e) { return e.slot == slot; })) continue;
        entry.slot = slot;
        break;
      }
      if (!entry.slot && !idle.empty()) {
        entry.slot = entries[idle.front()].slot;
        entries[idle.front()].slot.reset();
        idle.pop_front();
      }
      if (!entry.slot) return std::nullopt;
      entry.faulted = false;
    } else if (entry.active == 0) {
      entry.faulted = false;
      std::erase(idle, i);
    }
    ++entry.active;
    return entry.slot;
  }
  void deactivate(std::size_t i) {
    if (--entries[i].active == 0 && entries[i].slot) idle.push_back(i);
  }
  void remove(std::size_t i) {
    entries[i].slot.reset();
    std::erase(idle, i);
  }
  void drop_all() {
    for (Entry& entry : entries) entry.slot.reset();
    idle.clear();
  }
};

RC_GTEST_PROP(AddressSpacesModel, SlotsFollowTheRules, ()) {
  SimExecutor executor(*rc::gen::arbitrary<std::uint64_t>(), 1);
  FakeAsBlock block;
  AddressSpaces spaces(block, executor.clock(), kPresent, block, block);
  spaces.unmask_interrupts();
  std::vector<std::unique_ptr<TestOwner>> owners;
  for (std::uint64_t i = 0; i < 5; ++i) owners.push_back(std::make_unique<TestOwner>(i + 1));
  Model model;

  const auto steps = *rc::gen::container<std::vector<std::pair<int, std::size_t>>>(
      rc::gen::pair(rc::gen::inRange(0, 16), rc::gen::inRange<std::size_t>(0, 5)));
  for (const auto& [what, i] : steps) {
    TestOwner& owner = *owners[i];
    Model::Entry& entry = model.entries[i];
    if (what < 6) {
      const auto slot = spaces.activate(owner);
      const auto expected = model.activate(i);
      RC_ASSERT(slot.has_value() == expected.has_value());
      if (slot) {
        RC_ASSERT(*slot == *expected);
      } else {
        RC_ASSERT(slot.error() == Errno::kBusy);
      }
    } else if (what < 12) {
      if (entry.active == 0) continue;
      spaces.deactivate(owner);
      model.deactivate(i);
    } else if (what == 12) {
      if (!entry.slot) continue;
      block.raise_fault(*entry.slot, 0x3c0, 0);
      spaces.handle_interrupt();
      // Until it is enabled again nothing more is heard of it.
      if (!entry.faulted) RC_ASSERT(owner.faults-- == 1);
      entry.faulted = true;
    } else if (what == 13) {
      RegionLock lock(spaces, owner, GpuRange::of_size({0}, kPageSize));
    } else if (what == 14) {
      if (entry.active != 0) continue;
      spaces.remove(owner);
      model.remove(i);
    } else {
      const bool forget = i % 2 == 0;
      spaces.drop_all(forget ? AddressSpaces::Registers::kForget
                             : AddressSpaces::Registers::kDisable);
      spaces.unmask_interrupts();
      model.drop_all();
    }
    for (std::size_t n = 0; n < owners.size(); ++n) {
      const Model::Entry& e = model.entries[n];
      RC_ASSERT(spaces.faulted(*owners[n]) == e.faulted);
      RC_ASSERT(owners[n]->faults == 0);
      bool found = false;
      spaces.for_each_slot([&](const AddressSpaces::SlotView& view) {
        if (view.owner != owners[n].get()) return;
        found = true;
        RC_ASSERT(view.slot == e.slot);
        RC_ASSERT(view.active == static_cast<std::uint32_t>(e.active));
        RC_ASSERT(block.space(view.slot).committed ==
                  (e.faulted ? AsConfig{{0}, 0, 1} : owners[n]->config_));
      });
      RC_ASSERT(found == e.slot.has_value());
    }
  }
  RC_ASSERT(block.mistake() == nullptr);
  RC_ASSERT(block.resets() == 0u);
}

}  // namespace
}  // namespace pantry::driver
