// SPDX-License-Identifier: MIT
#include "driver/kernel/thread_executor.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>

#include <deque>

#include "driver/kernel/each_executor.h"

namespace pantry::driver {
namespace {

bool all_signals_blocked() {
  sigset_t mask;
  pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  for (int signal :
       {SIGHUP, SIGINT, SIGTERM, SIGALRM, SIGCHLD, SIGUSR1, SIGPIPE, SIGRTMIN, SIGRTMAX})
    if (!sigismember(&mask, signal)) return false;
  return true;
}

class MaskProbe final : public Work {
 public:
  void run() override { blocked = all_signals_blocked(); }
  bool blocked = false;
};

TEST(ThreadExecutor, BlocksAllSignalsInItsThreadsAndNoneInItsCreator) {
  ThreadExecutor executor(1);
  EXPECT_FALSE(all_signals_blocked());
  for (const Lane lane : kLanes) {
    MaskProbe probe;
    executor.lane(lane).queue(probe);
    executor.lane(lane).drain();
    EXPECT_TRUE(probe.blocked);
  }
  bool spawned_blocked = false;
  auto body = test_thread([&] { spawned_blocked = all_signals_blocked(); });
  executor.spawn("probe", body);
  executor.join_spawned();
  EXPECT_TRUE(spawned_blocked);
}

TEST(ThreadExecutor, ClockIsMonotonicTime) {
  ThreadExecutor executor(1);
  timespec before;
  clock_gettime(CLOCK_MONOTONIC, &before);
  const TimePoint now = executor.clock().now();
  EXPECT_GE(now.ns, before.tv_sec * 1'000'000'000 + before.tv_nsec);
  executor.clock().sleep(milliseconds(5));
  EXPECT_GE(executor.clock().now() - now, milliseconds(5));
}

TEST(ThreadExecutor, LanesRunOnThreadsOfTheirOwn) {
  // An item that blocks one lane holds up no other.
  ThreadExecutor executor(1);
  Mutex mutex;
  CondVar changed;
  std::uint32_t ran = 0;
  class Counter final : public Work {
   public:
    Counter(Mutex& mutex, CondVar& changed, std::uint32_t& ran)
        : mutex_(mutex), changed_(changed), ran_(ran) {}
    void run() override {
      MutexLock lock(mutex_);
      ++ran_;
      changed_.notify_all();
      while (ran_ < kLaneCount) changed_.wait(mutex_);
    }

   private:
    Mutex& mutex_;
    CondVar& changed_;
    std::uint32_t& ran_;
  };
  std::deque<Counter> items;
  for (const Lane lane : kLanes) executor.lane(lane).queue(items.emplace_back(mutex, changed, ran));
  for (const Lane lane : kLanes) executor.lane(lane).drain();
  EXPECT_EQ(ran, kLaneCount);
}

}  // namespace
}  // namespace pantry::driver
