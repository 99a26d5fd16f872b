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
#include "driver/sync/fence_merge.h"
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

TEST(Reservation, AdmittedFenceIsPromotedButNeverDegraded) {
  const auto reservation = make_ref<Reservation>();
  ASSERT_TRUE(reservation->reserve(1));
  const auto job = make_ref<TestFence>();
  reservation->add(job);
  const Ref<Fence> fences[] = {job};
  ASSERT_TRUE(reservation->admit(fences, Use::kWrite).has_value());
  EXPECT_EQ(reservation->view().fences, 1u) << "in the place of the weaker one";
  EXPECT_FALSE(reservation->idle(Use::kWrite));
  ASSERT_TRUE(reservation->admit(fences, Use::kRead).has_value());
  EXPECT_FALSE(reservation->idle(Use::kWrite));
  EXPECT_EQ(reservation->view().reserved, 0u);
  job->signal(TimePoint{}, 0);
}

// Against a list that keeps everything: who waits for which use has to wait for the same fences.
RC_GTEST_PROP(ReservationAdmit, AgreesWithAListOfAll, ()) {
  struct Entry {
    Ref<TestFence> fence;
    Use use;
  };
  const auto reservation = make_ref<Reservation>();
  std::vector<Entry> all;
  std::vector<Ref<TestFence>> made;
  const std::uint64_t contexts[] = {Fence::next_context(), Fence::next_context()};
  std::uint64_t seqnos[] = {0, 0};
  const auto steps = *rc::gen::container<std::vector<std::tuple<int, int, int>>>(
      rc::gen::tuple(rc::gen::inRange(0, 4), rc::gen::inRange(0, 4), rc::gen::inRange(0, 16)));
  for (const auto& [what, use, which] : steps) {
    if (what == 0) {
      const int context = which % 2;
      made.push_back(make_ref<TestFence>(contexts[context], ++seqnos[context]));
    } else if (made.empty()) {
      continue;
    } else if (what == 1) {
      // Fences of a context signal in order.
      for (const Ref<TestFence>& fence : made) {
        if (fence->context() != contexts[which % 2] || fence->signalled()) continue;
        fence->signal(TimePoint{}, 0);
        break;
      }
    } else {
      const Ref<TestFence>& fence = made[static_cast<std::size_t>(which) % made.size()];
      const Ref<Fence> fences[] = {fence};
      RC_ASSERT(reservation->admit(fences, static_cast<Use>(use)).has_value());
      all.push_back({fence, static_cast<Use>(use)});
    }
    for (const Use weakest : {Use::kKernel, Use::kWrite, Use::kRead, Use::kBookkeeping}) {
      const bool idle = std::ranges::all_of(
          all, [&](const Entry& entry) { return entry.use > weakest || entry.fence->signalled(); });
      RC_ASSERT(reservation->idle(weakest) == idle);
      std::vector<Ref<Fence>> expected;
      for (const Entry& entry : all)
        if (entry.use <= weakest) expected.push_back(entry.fence);
      const Ref<Fence> ours = reservation->merged(weakest).value();
      const Ref<Fence> theirs = merge(expected).value();
      const auto leaves_of = [](const Ref<Fence>& fence) {
        std::vector<const Fence*> pending;
        const std::vector<Ref<Fence>> inside = leaves(fence).value();
        for (const Ref<Fence>& leaf : inside)
          if (!leaf->signalled()) pending.push_back(leaf.get());
        return pending;
      };
      RC_ASSERT(leaves_of(ours) == leaves_of(theirs));
    }
    RC_ASSERT(reservation->view().fences <= 2 * 4);
  }
  for (const Ref<TestFence>& fence : made)
    if (!fence->signalled()) fence->signal(TimePoint{}, 0);
}

}  // namespace
}  // namespace pantry::driver
