// SPDX-License-Identifier: MIT
#include "uapi/server/beside_client.h"

#include <drm/panthor_drm.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <optional>

namespace pantry::uapi {
namespace {

cpu_set_t affinity() {
  cpu_set_t allowed;
  EXPECT_EQ(::sched_getaffinity(0, sizeof allowed, &allowed), 0);
  return allowed;
}

std::uint64_t here() { return static_cast<std::uint64_t>(::sched_getcpu()); }

// Where this thread may run and does not.
std::optional<std::uint64_t> elsewhere() {
  const cpu_set_t allowed = affinity();
  for (std::uint64_t cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &allowed) && cpu != here()) return cpu;
  return std::nullopt;
}

wire::Request request(std::uint64_t channel, std::uint64_t processor,
                      std::uint32_t command = DRM_IOCTL_PANTHOR_VM_GET_STATE) {
  wire::Request asked{};
  asked.ask = wire::Ask::kIoctl;
  asked.channel = channel;
  asked.command = command;
  asked.processor = processor;
  return asked;
}

// Keeps this thread where it is, so that only sched_setaffinity moves it.
class Pinned {
 public:
  Pinned() : before_(affinity()) {
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(::sched_getcpu(), &only);
    EXPECT_EQ(::sched_setaffinity(0, sizeof only, &only), 0);
  }
  ~Pinned() { ::sched_setaffinity(0, sizeof before_, &before_); }

 private:
  const cpu_set_t before_;
};

TEST(BesideClient, MovesAfterARowFromOneThread) {
  if (!elsewhere()) GTEST_SKIP() << "one processor";
  const cpu_set_t before = affinity();
  // The host's scheduler may move us as well, and does so at any time.
  int moved = 0;
  for (int i = 0; i < 200; ++i) {
    BesideClient beside;
    const std::uint64_t there = *elsewhere();
    for (unsigned n = 0; n < BesideClient::kRow; ++n) beside.served(request(1, there));
    moved += here() == there;
    const cpu_set_t after = affinity();
    EXPECT_TRUE(CPU_EQUAL(&after, &before));
  }
  EXPECT_GT(moved, 100);
}

TEST(BesideClient, StaysForLessThanARow) {
  if (!elsewhere()) GTEST_SKIP() << "one processor";
  int moved = 0;
  for (int i = 0; i < 200; ++i) {
    BesideClient beside;
    const std::uint64_t there = *elsewhere();
    for (unsigned n = 1; n < BesideClient::kRow; ++n) beside.served(request(1, there));
    beside.served(request(2, there));  // somebody else
    for (unsigned n = 1; n < BesideClient::kRow; ++n) beside.served(request(1, there));
    moved += here() == there;
  }
  EXPECT_LT(moved, 100);
}

TEST(BesideClient, GoesNowhereItMayNotRun) {
  const Pinned pinned;
  const std::uint64_t stays = here();
  const cpu_set_t before = affinity();
  BesideClient beside;
  for (const std::uint64_t nowhere :
       {stays + 1, std::uint64_t{CPU_SETSIZE} - 1, std::uint64_t{CPU_SETSIZE}, ~std::uint64_t{0}})
    for (unsigned n = 0; n < 2 * BesideClient::kRow; ++n) beside.served(request(1, nowhere));
  EXPECT_EQ(here(), stays);
  const cpu_set_t after = affinity();
  EXPECT_TRUE(CPU_EQUAL(&after, &before));
}

TEST(BesideClient, StaysWhereItPollsWithSuccess) {
  if (!elsewhere()) GTEST_SKIP() << "one processor";
  int moved = 0;
  for (int i = 0; i < 200; ++i) {
    BesideClient beside;
    const std::uint64_t there = *elsewhere();
    for (unsigned n = 0; n < 4 * BesideClient::kRow; ++n) {
      beside.served(request(1, there));
      if (beside.polls()) beside.found();
    }
    moved += here() == there;
  }
  EXPECT_LT(moved, 100);
}

TEST(BesideClient, MovesWhereItPollsInVain) {
  if (!elsewhere()) GTEST_SKIP() << "one processor";
  int moved = 0;
  for (int i = 0; i < 200; ++i) {
    BesideClient beside;
    const std::uint64_t there = *elsewhere();
    for (unsigned n = 0; n < BesideClient::kRow; ++n) {
      beside.served(request(1, there));
      if (beside.polls()) beside.in_vain();
    }
    moved += here() == there;
  }
  EXPECT_GT(moved, 100);
}

TEST(BesideClient, PollsOnceAfterAClientOnAnotherProcessor) {
  const Pinned pinned;
  BesideClient beside;
  EXPECT_FALSE(beside.polls());
  beside.served(request(1, here() + 1));
  EXPECT_TRUE(beside.polls());
  EXPECT_FALSE(beside.polls());
}

TEST(BesideClient, DoesNotPollOnTheClientsProcessorNorOnOneThatIsNone) {
  const Pinned pinned;
  BesideClient beside;
  for (const std::uint64_t processor : {here(), std::uint64_t{CPU_SETSIZE}, ~std::uint64_t{0}}) {
    beside.served(request(1, here() + 1));
    beside.served(request(1, processor));
    EXPECT_FALSE(beside.polls()) << processor;
  }
}

TEST(BesideClient, DoesNotPollForOneThatMayWait) {
  const Pinned pinned;
  for (const std::uint32_t command :
       {DRM_IOCTL_SYNCOBJ_WAIT, DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, DRM_IOCTL_PANTHOR_VM_BIND}) {
    BesideClient beside;
    beside.served(request(1, here() + 1, static_cast<std::uint32_t>(command)));
    EXPECT_FALSE(beside.polls()) << command;
  }
}

}  // namespace
}  // namespace pantry::uapi
