// SPDX-License-Identifier: MIT
#include "uapi/server/turn.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace pantry::uapi {
namespace {

// A thread that waits for its turn.
class Waiting {
 public:
  explicit Waiting(Turn& turn) : thread_([this, &turn] { got_ = turn.await(); }) {}
  bool got() {
    thread_.join();
    return got_;
  }

 private:
  bool got_ = false;
  std::thread thread_;
};

TEST(Turn, ComesBackAfterShortRequests) {
  Turn turn;
  EXPECT_FALSE(turn.awaited());
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(turn.regain(turn.lend()));
}

TEST(Turn, IsTakenFromWhoIsLong) {
  Turn turn;
  Waiting other(turn);
  const std::uint64_t loan = turn.lend();
  EXPECT_TRUE(other.got());
  EXPECT_FALSE(turn.regain(loan));
  // Not by an old loan either, once it is lent anew.
  const std::uint64_t next = turn.lend();
  EXPECT_FALSE(turn.regain(loan));
  EXPECT_TRUE(turn.regain(next));
}

// Whoever watches may have gone to sleep, as no request came.
TEST(Turn, IsTakenAfterAPause) {
  Turn turn;
  Waiting other(turn);
  while (!turn.awaited()) std::this_thread::yield();
  std::this_thread::sleep_for(
      std::chrono::nanoseconds((Turn::kPatience * (2 * Turn::kIdleLooks)).ns));
  const std::uint64_t loan = turn.lend();
  EXPECT_TRUE(other.got());
  EXPECT_FALSE(turn.regain(loan));
}

TEST(Turn, IsNotTakenWhileItIsHeld) {
  Turn turn;
  Waiting other(turn);
  while (!turn.awaited()) std::this_thread::yield();
  for (int i = 0; i < 3; ++i) {
    std::this_thread::sleep_for(std::chrono::nanoseconds((Turn::kPatience * 3).ns));
    EXPECT_TRUE(turn.awaited());
  }
  turn.stop();
  EXPECT_FALSE(other.got());
  EXPECT_FALSE(turn.await());
}

// As the server uses it: one at a time, whoever takes over from whom.
TEST(Turn, IsNeverTwoThreadsAtATime) {
  constexpr int kThreads = 4;
  constexpr int kTakenOver = 20;
  Turn turn;
  std::atomic<int> working{0}, most{0}, takes{0};
  const auto work = [&] {
    while (takes.load() < kTakenOver) {
      int now = working.fetch_add(1) + 1;
      if (now > most.load()) most = now;
      working.fetch_sub(1);
      const std::uint64_t loan = turn.lend();
      std::this_thread::sleep_for(std::chrono::nanoseconds((Turn::kPatience * 5).ns));
      if (turn.regain(loan)) continue;
      takes.fetch_add(1);
      return;
    }
    turn.stop();
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back([&] {
      while (turn.await()) work();
    });
  work();
  while (turn.await()) work();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(most.load(), 1);
}

}  // namespace
}  // namespace pantry::uapi
