// SPDX-License-Identifier: MIT
#include "driver/sync/reservation.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "base/sanitizer.h"
#include "driver/kernel/each_executor.h"
#include "driver/sync/test_fence.h"

namespace pantry::driver {
namespace {

using Use = Reservation::Use;

TEST(Reservation, AnEmptyOneIsIdle) {
  const auto reservation = make_ref<Reservation>();
  EXPECT_TRUE(reservation->idle(Use::kBookkeeping));
  EXPECT_TRUE(reservation->merged(Use::kBookkeeping).value()->signalled());
}

TEST(Reservation, WeakUsesAreNotSeenByStrongerWaits) {
  const auto reservation = make_ref<Reservation>();
  ASSERT_TRUE(reservation->reserve(2));
  const auto job = make_ref<TestFence>();
  const auto read = make_ref<TestFence>();
  reservation->add(job);
  reservation->add(read, Use::kRead);
  EXPECT_TRUE(reservation->idle(Use::kWrite));
  EXPECT_FALSE(reservation->idle(Use::kRead));
  EXPECT_EQ(reservation->merged(Use::kRead).value(), read);
  read->signal(TimePoint{}, 0);
  EXPECT_TRUE(reservation->idle(Use::kRead));
  EXPECT_FALSE(reservation->idle(Use::kBookkeeping));
  job->signal(TimePoint{}, EIO);
  EXPECT_TRUE(reservation->idle(Use::kBookkeeping));
}

TEST(Reservation, AddingWithoutRoomIsABug) {
  const auto reservation = make_ref<Reservation>();
  EXPECT_DEATH(reservation->add(stub_fence()), "reserved_");
  ASSERT_TRUE(reservation->reserve(1));
  reservation->unreserve(1);
  EXPECT_DEATH(reservation->add(stub_fence()), "reserved_");
  EXPECT_DEATH(reservation->unreserve(1), "reserved_");
}

#if !PANTRY_ADDRESS_SANITIZER && !PANTRY_THREAD_SANITIZER
TEST(Reservation, WithoutMemoryNothingChanges) {
  EXPECT_EXIT(
      {
        const auto reservation = make_ref<Reservation>();
        const bool small = reservation->reserve(3).has_value();
        rlimit limit;
        limit.rlim_cur = limit.rlim_max = 256 * kMiB;
        ::setrlimit(RLIMIT_AS, &limit);
        const Result<> result = reservation->reserve(1u << 26);
        const bool refused = !result && result.error() == Errno::kNoMem;
        std::_Exit(small && refused && reservation->view().reserved == 3 ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}
#endif

TEST(Reservation, AddingAllocatesNothing) {
  for_each_seed(1, [](SimExecutor& executor) {
    if (executor.seed() > 2) return;
    Cleanup cleanup(executor.lane(Lane::kCleanup));
    const auto reservation = make_ref<Reservation>();
    const Ref<Fence> fence = make_ref<TestFence>();
    ASSERT_TRUE(reservation->reserve(100));
    {
      const SignallingSection section(cleanup);
      for (int i = 0; i < 100; ++i) reservation->add(fence);
    }
    EXPECT_EQ(reservation->view().fences, 100u);
    fence->signal(TimePoint{}, 0);
  });
}

// Signalled fences do not pile up, however many jobs there are.
TEST(Reservation, SweepsOutWhatHasSignalled) {
  const auto reservation = make_ref<Reservation>();
  std::uint32_t most = 0;
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_TRUE(reservation->reserve(1));
    const auto fence = make_ref<TestFence>();
    reservation->add(fence);
    fence->signal(TimePoint{}, 0);
    most = std::max(most, reservation->view().fences);
  }
  EXPECT_LE(most, 8u);
}

RC_GTEST_PROP(Reservation, KnowsExactlyWhatIsPending, ()) {
  const auto reservation = make_ref<Reservation>();
  struct Entry {
    Ref<Fence> fence;
    Use use;
  };
  std::vector<Entry> model;
  std::uint32_t reserved = 0;
  const auto steps =
      *rc::gen::container<std::vector<std::uint32_t>>(rc::gen::arbitrary<std::uint32_t>());
  for (const std::uint32_t step : steps) {
    const std::uint32_t number = step / 8;
    switch (step % 8) {
      case 0:
      case 1:
        RC_ASSERT(reservation->reserve(number % 4).has_value());
        reserved += number % 4;
        break;
      case 2:
        if (reserved != 0) {
          reservation->unreserve(1);
          --reserved;
        }
        break;
      case 3:
        if (!model.empty()) {
          Fence& fence = *model[number % model.size()].fence;
          if (!fence.signalled()) fence.signal(TimePoint{}, 0);
        }
        break;
      default:
        if (reserved == 0) break;
        model.push_back({make_ref<TestFence>(), static_cast<Use>(number % 4)});
        reservation->add(model.back().fence, model.back().use);
        --reserved;
    }
    RC_ASSERT(reservation->view().reserved == reserved);
    for (const Use use : {Use::kKernel, Use::kWrite, Use::kRead, Use::kBookkeeping}) {
      bool idle = true;
      for (const Entry& entry : model) idle = idle && (entry.use > use || entry.fence->signalled());
      RC_ASSERT(reservation->idle(use) == idle);
      RC_ASSERT(reservation->merged(use).value()->signalled() == idle);
    }
  }
}

TEST(Reservation, ConcurrentUsersGetTheRoomTheyReserved) {
  for_each_executor(1, [](Executor& executor) {
    const auto reservation = make_ref<Reservation>();
    const Ref<Fence> fence = make_ref<TestFence>();
    auto work = [&] {
      for (std::uint32_t i = 0; i < 20; ++i) {
        ASSERT_TRUE(reservation->reserve(i % 3));
        for (std::uint32_t n = 0; n < i % 3; ++n) reservation->add(fence);
      }
    };
    auto a = test_thread(work);
    auto b = test_thread(work);
    executor.spawn("a", a);
    executor.spawn("b", b);
    work();
    executor.join_spawned();
    EXPECT_EQ(reservation->view().fences, 3u * 19u);
    EXPECT_EQ(reservation->view().reserved, 0u);
    fence->signal(TimePoint{}, 0);
  });
}

}  // namespace
}  // namespace pantry::driver
