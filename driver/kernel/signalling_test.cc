// SPDX-License-Identifier: MIT
#include "driver/kernel/signalling.h"

#include <gtest/gtest.h>

#include <atomic>

#include "driver/kernel/allocation_trap.h"
#include "driver/kernel/each_executor.h"

namespace pantry::driver {
namespace {

class Counted : public RefCounted {
 public:
  explicit Counted(std::atomic<int>& alive) : alive_(alive) { ++alive_; }
  ~Counted() override { --alive_; }

 private:
  std::atomic<int>& alive_;
};

TEST(SignallingSection, IsActiveOnItsThreadUntilTheOutermostEnds) {
  for_each_executor(1, [](Executor& executor) {
    Cleanup cleanup(executor.lane(Lane::kCleanup));
    EXPECT_FALSE(SignallingSection::active());
    {
      SignallingSection outer(cleanup);
      EXPECT_TRUE(SignallingSection::active());
      bool elsewhere = true;
      {
        AllocationTrapPause pause;  // starting a thread allocates
        auto other = test_thread([&] { elsewhere = SignallingSection::active(); });
        // A lambda: the analysis would refuse it here.
        const auto run_other = [&] {
          executor.spawn("other", other);
          executor.join_spawned();
        };
        run_other();
      }
      EXPECT_FALSE(elsewhere);
    }
    EXPECT_FALSE(SignallingSection::active());
  });
}

TEST(SignallingSection, LastReferencesAreDestroyedOnTheCleanupLane) {
  for_each_executor(1, [](Executor& executor) {
    std::atomic<int> alive{0};
    Cleanup cleanup(executor.lane(Lane::kCleanup));
    Ref<Counted> object = make_ref<Counted>(alive);
    {
      SignallingSection section(cleanup);
      object = nullptr;
      EXPECT_EQ(alive, 1);
    }
    cleanup.drain();
    EXPECT_EQ(alive, 0);
  });
}

// The inner section stands in a function of its own: the analysis knows one capability per thread,
// and no nesting.
TEST(SignallingSection, NestedSectionsOfTwoDevicesKeepTheirOwnLeftovers) {
  for_each_executor(1, [](Executor& executor) {
    std::atomic<int> alive{0};
    Cleanup first(executor.lane(Lane::kCleanup));
    Cleanup second(executor.lane(Lane::kBind));
    Ref<Counted> a = make_ref<Counted>(alive);
    Ref<Counted> b = make_ref<Counted>(alive);
    Ref<Counted> c = make_ref<Counted>(alive);
    {
      SignallingSection outer(first);
      a = nullptr;
      const auto nested = [&] {
        SignallingSection inner(second);
        b = nullptr;
      };
      nested();
      EXPECT_EQ(DeadList::current(), &first.dead());
      c = nullptr;
    }
    EXPECT_EQ(DeadList::current(), nullptr);
    first.drain();
    second.drain();
    EXPECT_EQ(alive, 0);
  });
}

// An object whose destructor ends a section itself, leaving over another object.
class Onion final : public Counted {
 public:
  Onion(std::atomic<int>& alive, Cleanup& cleanup, Ref<Counted> inner)
      : Counted(alive), cleanup_(cleanup), inner_(std::move(inner)) {}
  ~Onion() override {
    SignallingSection section(cleanup_);
    inner_ = nullptr;
  }

 private:
  Cleanup& cleanup_;
  Ref<Counted> inner_;
};

TEST(Cleanup, DrainCoversWhatDestructorsLeaveOver) {
  for_each_executor(1, [](Executor& executor) {
    std::atomic<int> alive{0};
    Cleanup cleanup(executor.lane(Lane::kCleanup));
    Ref<Counted> onion = make_ref<Counted>(alive);
    for (int i = 0; i < 5; ++i) onion = make_ref<Onion>(alive, cleanup, std::move(onion));
    {
      SignallingSection section(cleanup);
      onion = nullptr;
    }
    cleanup.drain();
    EXPECT_EQ(alive, 0);
  });
}

TEST(Cleanup, DestructorDestroysWhatIsLeft) {
  for_each_executor(1, [](Executor& executor) {
    std::atomic<int> alive{0};
    {
      Cleanup cleanup(executor.lane(Lane::kCleanup));
      Ref<Counted> object = make_ref<Counted>(alive);
      SignallingSection section(cleanup);
      object = nullptr;
    }
    EXPECT_EQ(alive, 0);
  });
}

TEST(Cleanup, ManyThreadsLeaveOverAtOnce) {
  for_each_executor(1, [](Executor& executor) {
    std::atomic<int> alive{0};
    Cleanup cleanup(executor.lane(Lane::kCleanup));
    auto client = test_thread([&] {
      for (int i = 0; i < 20; ++i) {
        Ref<Counted> object = make_ref<Counted>(alive);
        SignallingSection section(cleanup);
        object = nullptr;
      }
    });
    for (int i = 0; i < 3; ++i) executor.spawn("client", client);
    executor.join_spawned();
    cleanup.drain();
    EXPECT_EQ(alive, 0);
  });
}

class WaitingItem final : public Work {
 public:
  void run() override { check_may_wait("the item"); }
};

TEST(MayWaitDeathTest, TrapsInASectionInAnItemAndUnderALock) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  check_may_wait("this thread");  // may
  // What the analysis does not see.
  const auto wait = [] { check_may_wait("the test"); };
  EXPECT_DEATH(
      {
        WorkLane lane("idle", WorkLane::Items::kMayWait);
        Cleanup cleanup(lane);
        SignallingSection section(cleanup);
        wait();
      },
      "the test waits inside a SignallingSection");
  EXPECT_DEATH(
      {
        ThreadExecutor executor(1);
        WaitingItem item;
        executor.lane(Lane::kBind).queue(item);
        executor.lane(Lane::kBind).drain();
      },
      "the item waits in a work item");
#if defined(PANTRY_TRAPS)
  EXPECT_DEATH(
      {
        Mutex mutex;
        MutexLock lock(mutex);
        check_may_wait("the test");
      },
      "the test waits with a mutex held");
#endif
}

TEST(MayWait, ItemsOfTheCleanupLaneMay) {
  for_each_executor(1, [](Executor& executor) {
    WaitingItem item;
    executor.lane(Lane::kCleanup).queue(item);
    executor.lane(Lane::kCleanup).drain();
  });
}

}  // namespace
}  // namespace pantry::driver
