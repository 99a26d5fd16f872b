// SPDX-License-Identifier: MIT
#include "uapi/eventfd_signal.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "driver/gem/backing.h"
#include "driver/kernel/signalling.h"
#include "driver/kernel/thread_executor.h"

namespace pantry::uapi {
namespace {

std::uint64_t take(const driver::OwnedFd& event) {
  std::uint64_t count = 0;
  EXPECT_EQ(::read(event.get(), &count, sizeof count), static_cast<ssize_t>(sizeof count));
  return count;
}

TEST(SignalEventfd, AddsOneEachTime) {
  const driver::OwnedFd event(::eventfd(5, EFD_CLOEXEC));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int k = 0; k < 100; ++k) signal_eventfd(event.get());
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(take(event), 405u);
}

// Not non-blocking: a write would never return.
TEST(SignalEventfd, DoesNotWaitForRoom) {
  const driver::OwnedFd event(::eventfd(0, EFD_CLOEXEC));
  constexpr std::uint64_t kFull = UINT64_MAX - 1;
  ASSERT_EQ(::write(event.get(), &kFull, sizeof kFull), static_cast<ssize_t>(sizeof kFull));
  signal_eventfd(event.get());
  signal_eventfd(event.get());
  EXPECT_GE(take(event), kFull);
}

TEST(SignalEventfd, MayHappenInASection) {
  const driver::OwnedFd event(::eventfd(0, EFD_CLOEXEC));
  driver::ThreadExecutor executor(1);
  driver::Cleanup cleanup(executor.lane(driver::Lane::kCleanup));
  prepare_eventfd_signals();
  {
    const driver::SignallingSection section(cleanup);
    signal_eventfd(event.get());
    signal_eventfd(-1);
  }
  EXPECT_EQ(take(event), 1u);
}

TEST(SignalEventfd, IgnoresWhatIsNone) {
  signal_eventfd(-1);
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const driver::OwnedFd out(ends[0]), in(ends[1]);
  signal_eventfd(out.get());
}

}  // namespace
}  // namespace pantry::uapi
