// SPDX-License-Identifier: MIT
//
// sync_file ioctls that need no machine: what a client's memory holds, and the errno.
#include "uapi/sync_file_ioctls.h"

#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "driver/sync/test_fence.h"
#include "uapi/machine/process_memory.h"

namespace pantry::uapi {
namespace {

struct SyncFileIoctl : testing::Test {
  int ioctl(std::uint32_t command, const void* argument) {
    const UserAddr at{reinterpret_cast<std::uint64_t>(argument)};
    return sync_file_ioctl(*file, command, at, memory, BadFd{}).result;
  }
  const Ref<driver::TestFence> fence = make_ref<driver::TestFence>();
  const Ref<driver::SyncFile> file = driver::SyncFile::create(fence).value();
  ProcessMemory memory{::getpid()};
};

TEST_F(SyncFileIoctl, DeadlineIsAcceptedAndChangesNothing) {
  SyncSetDeadline deadline{1, 0};
  EXPECT_EQ(ioctl(kSyncSetDeadline, &deadline), 0);
  EXPECT_FALSE(fence->signalled());
  deadline.pad = 1;
  EXPECT_EQ(ioctl(kSyncSetDeadline, &deadline), -EINVAL);
  EXPECT_EQ(ioctl(kSyncSetDeadline, nullptr), -EFAULT);
  fence->signal({1}, 0);
  deadline.pad = 0;
  EXPECT_EQ(ioctl(kSyncSetDeadline, &deadline), 0);
}

TEST_F(SyncFileIoctl, OthersAreUnknown) {
  std::uint64_t argument[8] = {};
  EXPECT_EQ(ioctl(_IOWR('>', 9, argument), argument), -ENOTTY);
  EXPECT_EQ(ioctl(_IOW('b', 5, SyncSetDeadline), argument), -ENOTTY);
}

}  // namespace
}  // namespace pantry::uapi
