// SPDX-License-Identifier: MIT
#include "uapi/fd_field.h"

#include <drm/panthor_drm.h>
#include <gtest/gtest.h>

namespace pantry::uapi {
namespace {

// [A0.5 A0.7]
TEST(FdField, IsCutWhereTheCommandEnds) {
  EXPECT_EQ(fd_field_bytes(DRM_IOCTL_PRIME_FD_TO_HANDLE, _IOC_WRITE, 8), 4u);
  EXPECT_EQ(fd_field_bytes(DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, _IOC_READ, 8), 4u);
  const auto command = [](std::uint32_t size) { return _IOC(_IOC_READ, 'd', 0x2d, size); };
  for (std::uint32_t size = 0; size <= 8; ++size)
    EXPECT_EQ(fd_field_bytes(command(size), _IOC_READ, 8), 0u) << size;
  EXPECT_EQ(fd_field_bytes(command(9), _IOC_READ, 8), 1u);
  EXPECT_EQ(fd_field_bytes(command(11), _IOC_READ, 8), 3u);
  EXPECT_EQ(fd_field_bytes(command(12), _IOC_READ, 8), 4u);
  EXPECT_EQ(fd_field_bytes(command(12), _IOC_WRITE, 8), 0u);
}

}  // namespace
}  // namespace pantry::uapi
