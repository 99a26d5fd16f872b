// SPDX-License-Identifier: MIT

#include "igt_tests/lib/device.h"

#include <cstdlib>
#include <cstring>

#include "igt_tests/harness/igt.h"

namespace gpu {

Device::Device(int fd) : fd_(fd) {
  drm_version version{};
  do_ioctl(fd, DRM_IOCTL_VERSION, &version);
  minor_ = version.version_minor;
  drm_panthor_dev_query query{DRM_PANTHOR_DEV_QUERY_GPU_INFO, sizeof(info_),
                              reinterpret_cast<uint64_t>(&info_)};
  do_ioctl(fd, DRM_IOCTL_PANTHOR_DEV_QUERY, &query);
  query = {DRM_PANTHOR_DEV_QUERY_CSIF_INFO, sizeof(csif_), reinterpret_cast<uint64_t>(&csif_)};
  do_ioctl(fd, DRM_IOCTL_PANTHOR_DEV_QUERY, &query);
}

Device Device::open_primary() { return Device(drm_open_driver(DRIVER_PANTHOR)); }

Device Device::open_render() { return Device(drm_open_driver_render(DRIVER_PANTHOR)); }

Device Device::adopt(int fd) { return Device(fd); }

Device Device::open_again() const { return Device(drm_reopen_driver(fd())); }

bool runs_on_pantry() {
  const char* value = getenv("PANTRY");
  return value != nullptr && strcmp(value, "1") == 0;
}

}  // namespace gpu
