// SPDX-License-Identifier: MIT
#include "uapi/server/polling.h"

#include <drm/panthor_drm.h>
#include <gtest/gtest.h>

namespace pantry::wire {
namespace {

// Of `waits` in a row, all in vain: how many polled.
unsigned polled_in_vain(Polling& polling, unsigned waits) {
  unsigned polled = 0;
  for (unsigned n = 0; n < waits; ++n)
    if (polling.worth_while()) {
      ++polled;
      polling.in_vain();
    }
  return polled;
}

TEST(Polling, IsWorthWhileUntilItWasInVain) {
  Polling polling;
  for (int n = 0; n < 100; ++n) {
    EXPECT_TRUE(polling.worth_while());
    polling.found();
  }
  polling.in_vain();
  EXPECT_FALSE(polling.worth_while());
  EXPECT_TRUE(polling.worth_while());
}

TEST(Polling, InVainBecomesRare) {
  Polling polling;
  polled_in_vain(polling, 1000);
  EXPECT_EQ(polled_in_vain(polling, 64 * 100), 100u);
}

TEST(Polling, FoundAgainSoonPollsAlways) {
  Polling polling;
  polled_in_vain(polling, 1000);
  unsigned waits = 0;
  for (unsigned in_a_row = 0; in_a_row < 100; ++waits) {
    ASSERT_LT(waits, 1000u);
    if (polling.worth_while()) {
      polling.found();
      ++in_a_row;
    } else {
      in_a_row = 0;
    }
  }
}

TEST(Polling, AnIoctlThatMayWaitIsNotAnsweredAtOnce) {
  EXPECT_FALSE(answered_at_once(DRM_IOCTL_SYNCOBJ_WAIT));
  EXPECT_FALSE(answered_at_once(DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT));
  EXPECT_FALSE(answered_at_once(DRM_IOCTL_PANTHOR_VM_BIND));
  EXPECT_TRUE(answered_at_once(DRM_IOCTL_PANTHOR_VM_GET_STATE));
  // The driver goes by the number, whatever size the client says.
  EXPECT_FALSE(answered_at_once(_IOC(_IOC_READ, 'd', 0xc3, 8)));
  EXPECT_TRUE(answered_at_once(_IOC(_IOC_READ, '>', 0xc3, 8)));
}

}  // namespace
}  // namespace pantry::wire
