// SPDX-License-Identifier: MIT
#include "uapi/server/turn.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>
#include <vector>

namespace pantry::uapi {
namespace {

using Thread = Turn::Thread;

// A thread that waits for its turn.
class Waiting {
 public:
  explicit Waiting(Turn& turn, Thread which = Thread::kOther)
      : thread_([this, &turn, which] { got_ = turn.await(which); }) {}
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

// Many at a time would delay the others by as many times that.
TEST(Turn, IsTakenTheSoonerTheMoreAreLong) {
  Turn turn;
  std::vector<std::uint64_t> loans;
  Duration before = turn.patience();
  EXPECT_EQ(before, Turn::kPatience);
  for (unsigned i = 0; i < Turn::kMostHalvings; ++i) {
    Waiting other(turn);
    loans.push_back(turn.lend());
    EXPECT_TRUE(other.got());
    EXPECT_LT(turn.patience(), before);
    before = turn.patience();
  }
  for (const std::uint64_t loan : loans) EXPECT_FALSE(turn.regain(loan));
  EXPECT_EQ(turn.patience(), Turn::kPatience);
}

// Whoever watches may have gone to sleep, as no request came.
TEST(Turn, IsTakenAfterAPause) {
  Turn turn;
  Waiting other(turn);
  while (!turn.awaited()) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::nanoseconds((Turn::kIdle * 2).ns));
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
  EXPECT_FALSE(turn.await(Thread::kOther));
}

// Others are too many then.
TEST(Turn, OneWaits) {
  Turn turn;
  Waiting other(turn);
  while (!turn.awaited()) std::this_thread::yield();
  EXPECT_FALSE(turn.await(Thread::kOther));
  Waiting first(turn, Thread::kFirst);
  EXPECT_FALSE(other.got());
  while (!turn.awaited()) std::this_thread::yield();
  EXPECT_FALSE(turn.await(Thread::kOther));
  const std::uint64_t loan = turn.lend();
  EXPECT_TRUE(first.got());
  EXPECT_FALSE(turn.regain(loan));
}

// As the server uses it: one has the turn and one waits, whoever takes over from whom.
TEST(Turn, IsNeverTwoThreadsAtATime) {
  constexpr int kTakenOver = 40;
  Turn turn;
  std::atomic<int> working{0}, most{0}, takes{0};
  std::function<void()> call_another;
  const auto work = [&] {
    call_another();
    while (takes.load() < kTakenOver) {
      const int now = working.fetch_add(1) + 1;
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
  std::vector<std::thread> threads;  // called by whoever has the turn
  call_another = [&] {
    if (!turn.awaited())
      threads.emplace_back([&] {
        while (turn.await(Thread::kOther)) work();
      });
  };
  work();
  while (turn.await(Thread::kFirst)) work();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(most.load(), 1);
  EXPECT_GE(takes.load(), kTakenOver);
}

}  // namespace
}  // namespace pantry::uapi
