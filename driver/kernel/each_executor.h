// SPDX-License-Identifier: MIT
//
// For tests only. Runs one test body under both executors: once on real threads, then under
// simulation with the seeds 0..N-1, where N is PANTRY_SIM_SEEDS in the environment, or 200, or 20
// in sanitizer builds. PANTRY_SIM_SEED=n runs simulation with that one seed only, to debug what a
// failure message names.
//
//   TEST(Syncobj, SignalReachesAWaiter) {
//     for_each_executor(2, [](Executor& executor) {        // 2 threads behind Lane::kBind
//       Cleanup cleanup(executor.lane(Lane::kCleanup));
//       ...
//       auto client = test_thread([&] { ... });            // more actors
//       executor.spawn("client", client);
//       executor.join_spawned();
//       EXPECT_EQ(...);                                    // ASSERT_ returns from the body
//     });
//   }
//
// The body leaves nothing behind: spawned threads joined, lanes empty. The first seed that fails
// ends the test.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <utility>

#include "base/sanitizer.h"
#include "driver/kernel/sim_executor.h"
#include "driver/kernel/thread_executor.h"

namespace pantry::driver {

// How many seeds a test of this process runs.
inline std::uint64_t sim_seeds() {
  if (const char* text = std::getenv("PANTRY_SIM_SEEDS")) return std::strtoull(text, nullptr, 0);
#if PANTRY_THREAD_SANITIZER || PANTRY_ADDRESS_SANITIZER
  return 20;
#else
  return 200;
#endif
}

// A ThreadBody that calls a function object.
template <class Function>
class TestThread final : public ThreadBody {
 public:
  explicit TestThread(Function function) : function_(std::move(function)) {}
  void run() override { function_(); }

 private:
  Function function_;
};
template <class Function>
TestThread<Function> test_thread(Function function) {
  return TestThread<Function>(std::move(function));
}

// Only the simulated half.
template <class Body>
void for_each_seed(unsigned bind_threads, Body body) {
  std::uint64_t first = 0;
  std::uint64_t end = sim_seeds();
  if (const char* text = std::getenv("PANTRY_SIM_SEED")) {
    first = std::strtoull(text, nullptr, 0);
    end = first + 1;
  }
  for (std::uint64_t seed = first; seed < end; ++seed) {
    SCOPED_TRACE(::testing::Message() << "PANTRY_SIM_SEED=" << seed);
    {
      SimExecutor executor(seed, bind_threads);
      body(executor);
    }
    if (::testing::Test::HasFailure()) return;
  }
}

template <class Body>
void for_each_executor(unsigned bind_threads, Body body) {
  if (!std::getenv("PANTRY_SIM_SEED")) {
    SCOPED_TRACE("on real threads");
    ThreadExecutor executor(bind_threads);
    body(executor);
  }
  if (::testing::Test::HasFailure()) return;
  for_each_seed(bind_threads, [&](SimExecutor& executor) { body(executor); });
}

}  // namespace pantry::driver

// TEST_F for a fixture that is built on an executor (`explicit Fixture(Executor&)`, not a
// testing::Test): the body runs on a new fixture for real threads and for each seed.
#define TEST_EACH_EXECUTOR(Fixture, Name)                                                 \
  struct Fixture##Name final : Fixture {                                                  \
    using Fixture::Fixture;                                                               \
    void body();                                                                          \
  };                                                                                      \
  TEST(Fixture, Name) {                                                                   \
    ::pantry::driver::for_each_executor(                                                  \
        2, [](::pantry::driver::Executor& executor) { Fixture##Name(executor).body(); }); \
  }                                                                                       \
  void Fixture##Name::body()
