// SPDX-License-Identifier: MIT
#include "driver/sync/sync_file.h"

#include <gtest/gtest.h>

#include "driver/sync/fence_chain.h"
#include "driver/sync/test_fence.h"

namespace pantry::driver {
namespace {

Ref<SyncFile> file_of(Ref<Fence> fence) { return SyncFile::create(std::move(fence)).value(); }

TEST(SyncFile, ReportsItsFence) {
  const auto fence = make_ref<TestFence>(77, 3);
  const Ref<SyncFile> file = file_of(fence);
  EXPECT_EQ(file->fence(), fence);
  EXPECT_EQ(file->name(), "test-test-line77-3");
  EXPECT_EQ(file->status(), 0);
  SyncFile::Info info = file->info().value();
  EXPECT_EQ(info.status, 0);
  ASSERT_EQ(info.fences.size(), 1u);
  EXPECT_EQ(info.fences[0].timestamp, TimePoint{});
  fence->signal(TimePoint{50}, EINVAL);
  EXPECT_EQ(file->status(), -EINVAL);
  info = file->info().value();
  EXPECT_EQ(info.status, -EINVAL);
  EXPECT_STREQ(info.fences[0].driver_name, "test");
  EXPECT_STREQ(info.fences[0].timeline_name, "test-line");
  EXPECT_EQ(info.fences[0].status, -EINVAL);
  EXPECT_EQ(info.fences[0].timestamp, TimePoint{50});
}

// Errata B.5.
TEST(SyncFile, ATimelinePointHidesAnErrorUnlessAskedForItsFences) {
  const auto fence = make_ref<TestFence>();
  const Ref<FenceChain> point = FenceChain::create();
  point->link(nullptr, fence, 1);
  point->arm();
  const Ref<SyncFile> file = file_of(point);
  EXPECT_EQ(file->name().substr(0, 23), "dma_fence_chain-unbound");
  EXPECT_EQ(file->status(), 0);
  fence->signal(TimePoint{}, EINVAL);
  EXPECT_EQ(file->status(), 1);
  const SyncFile::Info info = file->info().value();
  EXPECT_EQ(info.status, -EINVAL);
  ASSERT_EQ(info.fences.size(), 1u);
  EXPECT_EQ(info.fences[0].status, -EINVAL);
}

TEST(SyncFile, TheFirstFenceThatFailedOrIsPendingCounts) {
  const auto one = make_ref<TestFence>();
  const auto two = make_ref<TestFence>();
  const Ref<SyncFile> both = SyncFile::merge("pair", *file_of(one), *file_of(two)).value();
  EXPECT_EQ(both->info().value().fences.size(), 2u);
  two->signal(TimePoint{}, EIO);
  EXPECT_EQ(both->info().value().status, 0);
  one->signal(TimePoint{}, 0);
  EXPECT_EQ(both->info().value().status, -EIO);
}

TEST(SyncFile, MergeKeepsTheNameOfTheClient) {
  const Ref<SyncFile> a = file_of(make_ref<TestFence>());
  const Ref<SyncFile> b = file_of(stub_fence());
  EXPECT_EQ(SyncFile::merge("frame", *a, *b).value()->name(), "frame");
  EXPECT_EQ(SyncFile::merge(std::string(40, 'x'), *a, *b).value()->name(), std::string(31, 'x'));
  EXPECT_EQ(SyncFile::merge("frame", *a, *b).value()->fence(), a->fence());
  EXPECT_EQ(SyncFile::merge("", *b, *b).value()->name(), "stub-stub0-0");
}

}  // namespace
}  // namespace pantry::driver
