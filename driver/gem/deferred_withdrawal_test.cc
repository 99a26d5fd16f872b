// SPDX-License-Identifier: MIT
#include "driver/gem/deferred_withdrawal.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <atomic>
#include <functional>
#include <vector>

#include "driver/gem/buffer_store.h"
#include "driver/kernel/each_executor.h"

namespace pantry::driver {
namespace {

constexpr PhysExtent kRange{{0x4000'0000}, 8 * kMiB};

// Tells the test of each withdrawal.
class ToldBacking final : public Backing {
 public:
  std::uint64_t min_extent() const noexcept override { return kPageSize; }
  Result<OwnedFd> place(std::span<const PhysExtent>, std::uint64_t) override {
    return OwnedFd(::memfd_create("buffer", MFD_CLOEXEC));
  }
  void withdraw(std::span<const PhysExtent> frames) noexcept override {
    withdrawn.push_back(frames.front().start.value);
    on_withdraw();
  }
  Result<ParkedContent> park(std::span<const PhysExtent>, std::uint64_t) override {
    return Error(Errno::kNoMem);
  }
  Result<> unpark(std::span<const PhysExtent>, std::uint64_t, int, const ParkedContent&) override {
    return Error(Errno::kNoMem);
  }
  bool read_parked(int, const ParkedContent&, std::uint64_t, void*, std::uint64_t) override {
    return false;
  }
  bool write_parked(int, const ParkedContent&, std::uint64_t, const void*, std::uint64_t) override {
    return false;
  }

  std::function<void()> on_withdraw = [] {};
  std::vector<std::uint64_t> withdrawn;  // of each the first frame
};

struct Rig {
  FrameAllocator frames{kRange, {}};
  ToldBacking backing;

  std::uint64_t used_bytes() const { return frames.statistics().used * kPageSize; }
  Extents some(std::uint64_t bytes) { return *frames.alloc_extents(bytes, kPageSize, {1}); }
};

TEST(DeferredWithdrawal, TakesWhatIsLargeOnceItHasALane) {
  for_each_executor(1, [](Executor& executor) {
    Rig rig;
    DeferredWithdrawal withdrawal(rig.frames, rig.backing);
    OwnedFd memfd(::memfd_create("buffer", MFD_CLOEXEC));
    const int number = memfd.get();
    Extents large = rig.some(DeferredWithdrawal::kLeastBytes);
    Extents small = rig.some(DeferredWithdrawal::kLeastBytes - kPageSize);
    EXPECT_FALSE(withdrawal.take(large, memfd)) << "no lane";
    withdrawal.start_on(executor.lane(Lane::kWithdraw));
    EXPECT_FALSE(withdrawal.take(small, memfd));
    EXPECT_TRUE(memfd);
    EXPECT_FALSE(large.empty());
    const std::uint64_t used = rig.used_bytes();
    rig.backing.on_withdraw = [&] {
      EXPECT_EQ(rig.used_bytes(), used) << "nobody else gets them yet";
      EXPECT_NE(::fcntl(number, F_GETFD), -1);
    };
    EXPECT_TRUE(withdrawal.take(large, memfd));
    EXPECT_FALSE(memfd);
    executor.lane(Lane::kWithdraw).drain();
    EXPECT_EQ(::fcntl(number, F_GETFD), -1);
    EXPECT_EQ(rig.used_bytes(), used - DeferredWithdrawal::kLeastBytes);
    rig.frames.free(small);
  });
}

// Each keeps a descriptor of the host's.
TEST(DeferredWithdrawal, LeavesToOthersWhatItCannotKeepUpWith) {
  constexpr std::size_t kShare = 32;
  ThreadExecutor executor(1);
  FrameAllocator frames({kRange.start, (kShare + 2) * DeferredWithdrawal::kLeastBytes}, {});
  ToldBacking backing;
  DeferredWithdrawal withdrawal(frames, backing);
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  const rlimit few{kShare * DeferredWithdrawal::kShareOfDescriptors, old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  withdrawal.start_on(executor.lane(Lane::kWithdraw));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
  std::atomic<bool> stuck = true;
  backing.on_withdraw = [&] { stuck.wait(true); };
  std::size_t taken = 0;
  for (; taken <= kShare + 1; ++taken) {
    OwnedFd memfd;
    Extents large = *frames.alloc_extents(DeferredWithdrawal::kLeastBytes, kPageSize, {1});
    if (withdrawal.take(large, memfd)) continue;
    frames.free(large);
    break;
  }
  // One more if the lane had begun with the first by then.
  EXPECT_TRUE(taken == kShare || taken == kShare + 1) << taken;
  stuck = false;
  stuck.notify_all();
  executor.lane(Lane::kWithdraw).drain();
  EXPECT_EQ(frames.statistics().used, 0u);
}

TEST(DeferredWithdrawal, WhatCameFirstGoesFirst) {
  for_each_executor(1, [](Executor& executor) {
    Rig rig;
    DeferredWithdrawal withdrawal(rig.frames, rig.backing);
    withdrawal.start_on(executor.lane(Lane::kWithdraw));
    rig.backing.on_withdraw = [&] { executor.clock().sleep(microseconds(20)); };
    std::vector<std::uint64_t> taken;
    for (int i = 0; i < 8; ++i) {
      OwnedFd memfd;
      Extents large = rig.some(DeferredWithdrawal::kLeastBytes);
      taken.push_back(large.front().start.value);
      ASSERT_TRUE(withdrawal.take(large, memfd));
    }
    executor.lane(Lane::kWithdraw).drain();
    EXPECT_EQ(rig.backing.withdrawn, taken);
  });
}

// The last reference goes on a thread that never waits for the host; what a client then creates is
// there at once, or when the memory has come back.
TEST(DeferredWithdrawal, ABufferAfterABufferOfAllMemoryIsThere) {
  for_each_executor(1, [](Executor& executor) {
    Rig rig;
    {
      BufferStore store(rig.frames, {}, rig.backing);
      store.withdraw_on(executor.lane(Lane::kWithdraw));
      bool withdrawing = false;
      rig.backing.on_withdraw = [&] {
        EXPECT_FALSE(withdrawing);
        withdrawing = true;
        executor.clock().sleep(microseconds(20));
        withdrawing = false;
      };
      for (int i = 0; i < 5; ++i) {
        const Result<Ref<Buffer>> buffer = store.create(kRange.size, 0, nullptr);
        ASSERT_TRUE(buffer) << i;
      }
    }
    EXPECT_EQ(rig.used_bytes(), 0u) << "the store waits for the last of them";
  });
}

}  // namespace
}  // namespace pantry::driver
