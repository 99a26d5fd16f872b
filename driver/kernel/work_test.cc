// SPDX-License-Identifier: MIT
#include "driver/kernel/work.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "driver/kernel/each_executor.h"

namespace pantry::driver {
namespace {

// A work item that calls a function object.
template <class Function>
class Item final : public Work {
 public:
  explicit Item(Function function) : function_(std::move(function)) {}
  void run() override { function_(); }

 private:
  Function function_;
};

// Something several threads see happen.
class Latch {
 public:
  void open() {
    MutexLock lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void wait() {
    MutexLock lock(mutex_);
    while (!open_) changed_.wait(mutex_);
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool open_ PANTRY_GUARDED_BY(mutex_) = false;
};

TEST(WorkLane, RunsInTheOrderOfQueueing) {
  for_each_executor(1, [](Executor& executor) {
    std::vector<int> ran;
    Item a([&] { ran.push_back(1); });
    Item b([&] { ran.push_back(2); });
    Item c([&] { ran.push_back(3); });
    WorkLane& lane = executor.lane(Lane::kBind);
    Latch go;
    Item block([&] { go.wait(); });
    lane.queue(block);
    lane.queue(b);
    lane.queue(c);
    lane.queue(a);
    lane.queue(b);  // queued already: keeps its place, runs once
    go.open();
    lane.drain();
    EXPECT_EQ(ran, (std::vector<int>{2, 3, 1}));
  });
}

TEST(WorkLane, QueuedWhileItRunsRunsOnceMoreAndNeverTwiceAtOnce) {
  for_each_executor(4, [](Executor& executor) {
    WorkLane& lane = executor.lane(Lane::kBind);
    Mutex mutex;
    int inside = 0;
    int runs = 0;
    Item item([&] {
      {
        MutexLock lock(mutex);
        EXPECT_EQ(inside, 0);
        ++inside;
      }
      {
        MutexLock lock(mutex);
        --inside;
        ++runs;
      }
    });
    auto queuer = test_thread([&] {
      for (int i = 0; i < 20; ++i) lane.queue(item);
    });
    executor.spawn("queuer", queuer);
    executor.spawn("queuer", queuer);
    executor.join_spawned();
    lane.drain();
    EXPECT_GE(runs, 1);
    EXPECT_LE(runs, 40);
    const int before = runs;
    lane.queue(item);
    lane.drain();
    EXPECT_EQ(runs, before + 1);
  });
}

TEST(WorkLane, AnItemThatQueuesItselfRunsAgain) {
  for_each_executor(1, [](Executor& executor) {
    WorkLane& lane = executor.lane(Lane::kScheduler);
    int left = 5;
    Work* self = nullptr;
    Item item([&] {
      if (--left > 0) lane.queue(*self);
    });
    self = &item;
    lane.queue(item);
    lane.flush(item);
    EXPECT_EQ(left, 0);
  });
}

TEST(WorkLane, DelayedItemsRunAtTheirTimeInOrder) {
  for_each_executor(2, [](Executor& executor) {
    WorkLane& lane = executor.lane(Lane::kScheduler);
    const TimePoint start = executor.clock().now();
    Latch last;
    std::vector<int> order;
    std::vector<TimePoint> at;
    auto mark = [&](int n) {
      order.push_back(n);
      at.push_back(executor.clock().now());
    };
    Item late([&] {
      mark(3);
      last.open();
    });
    Item early([&] { mark(1); });
    Item moved([&] { mark(2); });
    lane.queue_at(late, start + milliseconds(30));
    lane.queue_at(moved, start + seconds(1000));
    lane.queue_at(early, start + milliseconds(10));
    lane.queue_at(moved, start + milliseconds(20));
    last.wait();
    lane.drain();
    EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
    for (int i = 0; i < 3; ++i) EXPECT_GE(at[i], start + milliseconds(10 * (i + 1)));
  });
}

TEST(WorkLane, QueueMakesADelayedItemDueAtOnce) {
  for_each_executor(1, [](Executor& executor) {
    WorkLane& lane = executor.lane(Lane::kScheduler);
    int runs = 0;
    Item item([&] { ++runs; });
    lane.queue_at(item, executor.clock().now() + seconds(1000));
    lane.queue(item);
    lane.drain();
    EXPECT_EQ(runs, 1);
  });
}

TEST(WorkLane, DelayedFromItsOwnRun) {
  for_each_executor(1, [](Executor& executor) {
    WorkLane& lane = executor.lane(Lane::kScheduler);
    const TimePoint start = executor.clock().now();
    TimePoint second;
    int runs = 0;
    Latch done;
    Work* self = nullptr;
    Item item([&] {
      if (++runs == 1) {
        lane.queue_at(*self, start + milliseconds(5));
      } else {
        second = executor.clock().now();
        done.open();
      }
    });
    self = &item;
    lane.queue(item);
    done.wait();
    lane.cancel(item);
    EXPECT_EQ(runs, 2);
    EXPECT_GE(second, start + milliseconds(5));
  });
}

TEST(WorkLane, CancelTakesOutOrWaits) {
  for_each_executor(2, [](Executor& executor) {
    WorkLane& lane = executor.lane(Lane::kBind);
    int runs = 0;
    Latch started;
    Latch go;
    {
      Item delayed([&] { ++runs; });
      lane.queue_at(delayed, executor.clock().now() + seconds(1000));
      lane.cancel(delayed);
    }
    EXPECT_EQ(runs, 0);
    bool returned = false;
    {
      Item running([&] {
        started.open();
        go.wait();
        returned = true;
      });
      lane.queue(running);
      started.wait();
      lane.queue(running);  // undone by cancel
      auto opener = test_thread([&] { go.open(); });
      executor.spawn("opener", opener);
      lane.cancel(running);
      EXPECT_TRUE(returned);
      executor.join_spawned();
    }
  });
}

TEST(WorkLane, CancelFromItsOwnRunUndoesTheRequeue) {
  for_each_executor(1, [](Executor& executor) {
    WorkLane& lane = executor.lane(Lane::kBind);
    int runs = 0;
    Work* self = nullptr;
    Item item([&] {
      ++runs;
      lane.queue(*self);
      lane.cancel(*self);
    });
    self = &item;
    lane.queue(item);
    lane.drain();
    EXPECT_EQ(runs, 1);
  });
}

TEST(WorkLane, AnItemMayDestroyItself) {
  class Suicide final : public Work {
   public:
    Suicide(WorkLane& lane, int& deaths) : lane_(lane), deaths_(deaths) {}
    ~Suicide() { ++deaths_; }
    void run() override {
      lane_.cancel(*this);
      delete this;
    }

   private:
    WorkLane& lane_;
    int& deaths_;
  };
  for_each_executor(2, [](Executor& executor) {
    WorkLane& lane = executor.lane(Lane::kBind);
    int deaths = 0;
    lane.queue(*new Suicide(lane, deaths));
    lane.drain();
    EXPECT_EQ(deaths, 1);
  });
}

TEST(WorkLane, PoolRunsItemsSideBySide) {
  for_each_executor(2, [](Executor& executor) {
    WorkLane& lane = executor.lane(Lane::kBind);
    Latch first;
    Latch second;
    Item a([&] {
      first.open();
      second.wait();
    });
    Item b([&] {
      first.wait();
      second.open();
    });
    lane.queue(a);
    lane.queue(b);
    lane.drain();
  });
}

// Items, timers and cancels at random against what must hold for each item: it never runs after its
// cancel returned.
TEST(WorkLane, NothingRunsAfterCancel) {
  for_each_executor(3, [](Executor& executor) {
    WorkLane& lane = executor.lane(Lane::kBind);
    auto client = test_thread([&] {
      for (int i = 0; i < 10; ++i) {
        Mutex mutex;
        bool cancelled = false;
        Item item([&] {
          MutexLock lock(mutex);
          EXPECT_FALSE(cancelled);
        });
        if (i % 2 == 0) lane.queue(item);
        if (i % 3 == 0) lane.queue_at(item, executor.clock().now() + microseconds(i));
        if (i % 5 == 0) lane.flush(item);
        lane.cancel(item);
        MutexLock lock(mutex);
        cancelled = true;
      }
    });
    executor.spawn("client", client);
    executor.spawn("client", client);
    executor.join_spawned();
    lane.drain();
  });
}

using WorkDeathTest = ::testing::Test;

TEST(WorkDeathTest, AQueuedItemMayNotDie) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        WorkLane lane("idle", WorkLane::Items::kMayNotWait);
        Item item([] {});
        lane.queue(item);
      },
      "CHECK");
}

}  // namespace
}  // namespace pantry::driver
