// SPDX-License-Identifier: MIT
#include "driver/kernel/quota.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <thread>
#include <vector>

namespace pantry::driver {
namespace {

Limits with(Resource resource, std::uint64_t most) {
  Limits limits;
  limits[resource] = most;
  return limits;
}

TEST(Quota, TableIsInOrderAndNamesAreFound) {
  for (std::size_t i = 0; i < kResources; ++i) {
    EXPECT_EQ(static_cast<std::size_t>(kResourceInfo[i].resource), i);
    EXPECT_EQ(resource_named(kResourceInfo[i].name), kResourceInfo[i].resource);
  }
  EXPECT_EQ(resource_named("memor"), std::nullopt);
}

TEST(Quota, EveryResourceHasItsErrno) {
  for (const ResourceInfo& info : kResourceInfo) {
    const auto account = make_ref<Account>(1, with(info.resource, 2));
    const auto held = account->charge(info.resource, 2);
    ASSERT_TRUE(held.has_value());
    const auto refused = account->charge(info.resource, 1);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error(), info.errno_when_full) << info.name;
  }
}

TEST(Quota, SumsDoNotWrapAround) {
  const auto account = make_ref<Account>(1, with(Resource::kMemory, 100));
  const auto held = account->charge(Resource::kMemory, 60);
  ASSERT_TRUE(held.has_value());
  EXPECT_FALSE(account->charge(Resource::kMemory, UINT64_MAX - 10).has_value());
  EXPECT_FALSE(account->charge(Resource::kMemory, 41).has_value());
  EXPECT_EQ(account->held(Resource::kMemory), 60u);
}

TEST(Quota, MovedChargeCountsOnce) {
  const auto account = make_ref<Account>(1, Limits());
  auto first = account->charge(Resource::kJobs, 3);
  ASSERT_TRUE(first.has_value());
  Charge second = *std::move(first);
  Charge third = std::move(second);
  EXPECT_EQ(account->held(Resource::kJobs), 3u);
  auto other = account->charge(Resource::kJobs, 4);
  ASSERT_TRUE(other.has_value());
  third = *std::move(other);  // what it held goes back
  EXPECT_EQ(account->held(Resource::kJobs), 4u);
  third = {};
  EXPECT_EQ(account->held(Resource::kJobs), 0u);
  EXPECT_EQ(account->references(), 1u);
}

// Against a plain sum.
RC_GTEST_PROP(Quota, HoldsWhatWasGranted, ()) {
  const std::uint64_t limit = *rc::gen::inRange<std::uint64_t>(0, 50);
  const auto account = make_ref<Account>(1, with(Resource::kHandles, limit));
  std::vector<std::pair<std::uint64_t, Charge>> charges;
  std::uint64_t sum = 0;
  for (const auto step :
       *rc::gen::container<std::vector<std::uint64_t>>(rc::gen::inRange<std::uint64_t>(0, 40))) {
    if (step % 3 == 0 && !charges.empty()) {
      const std::size_t which = step % charges.size();
      sum -= charges[which].first;
      charges.erase(charges.begin() + static_cast<std::ptrdiff_t>(which));
    } else {
      auto charge = account->charge(Resource::kHandles, step);
      RC_ASSERT(charge.has_value() == (sum + step <= limit));
      if (!charge) continue;
      sum += step;
      charges.emplace_back(step, *std::move(charge));
    }
    RC_ASSERT(account->held(Resource::kHandles) == sum);
  }
  charges.clear();
  RC_ASSERT(account->held(Resource::kHandles) == 0u);
}

TEST(Quota, ThreadsNeverPassTheLimitTogether) {
  constexpr std::uint64_t kLimit = 5;
  const auto account = make_ref<Account>(1, with(Resource::kFences, kLimit));
  std::atomic<bool> passed{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int k = 0; k < 2000; ++k) {
        const auto charge = account->charge(Resource::kFences, 2);
        if (account->held(Resource::kFences) > kLimit) passed = true;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(passed);
  EXPECT_EQ(account->held(Resource::kFences), 0u);
}

}  // namespace
}  // namespace pantry::driver
