// SPDX-License-Identifier: MIT

#include "igt_tests/harness/device.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xf86drm.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "igt_tests/harness/outcome.h"

namespace igt {
namespace {

constexpr int kNodes = 16;
constexpr const char* kCards = "/dev/dri/card";
constexpr const char* kRenderNodes = "/dev/dri/renderD";
constexpr int kFirstRenderNode = 128;

std::vector<std::string>& filters() {
  static std::vector<std::string> instance;
  return instance;
}

// The name of the driver behind an open node.
std::string driver_name(int fd) {
  char name[64] = {};
  drm_version version{};
  version.name = name;
  version.name_len = sizeof(name) - 1;
  if (drmIoctl(fd, DRM_IOCTL_VERSION, &version) != 0) return {};
  return name;
}

bool is_wanted(const std::string& name, unsigned drivers) {
  if (drivers == DRIVER_ANY) {
    const char* forced = getenv("IGT_FORCE_DRIVER");
    return forced == nullptr || name == forced;
  }
  return (drivers & DRIVER_PANTHOR) != 0 && name == "panthor";
}

std::optional<int> open_if_wanted(const std::string& path, unsigned drivers) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return std::nullopt;
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  if (is_wanted(driver_name(fd), drivers)) {
    igt_info("Opened device: %s\n", path.c_str());
    return fd;
  }
  close(fd);
  return std::nullopt;
}

std::optional<int> open_filtered(unsigned drivers) {
  std::vector<std::string> given = filters();
  if (given.empty()) {
    if (const char* device = getenv("IGT_DEVICE")) given.emplace_back(device);
  }
  if (given.empty()) return std::nullopt;
  constexpr std::string_view kPrefix = "drm:";
  for (const std::string& filter : given) {
    if (filter.compare(0, kPrefix.size(), kPrefix) != 0) {
      igt_skip("Only filters of the form drm:PATH are known, not \"%s\"\n", filter.c_str());
    }
    if (const auto fd = open_if_wanted(filter.substr(kPrefix.size()), drivers)) return fd;
  }
  igt_skip("No device matches the filter\n");
}

int open_first(const char* prefix, int first, unsigned drivers) {
  if (const auto fd = open_filtered(drivers)) return *fd;
  for (int i = 0; i < kNodes; ++i) {
    if (const auto fd = open_if_wanted(prefix + std::to_string(first + i), drivers)) return *fd;
  }
  errno = 0;
  igt_skip("No known gpu found for chipset flags %#x (%s)\n", drivers,
           drivers == DRIVER_ANY ? "any" : "panthor");
}

}  // namespace

void set_device_filters(std::vector<std::string> given) { filters() = std::move(given); }

int drm_open_driver(unsigned drivers) { return open_first(kCards, 0, drivers); }

int drm_open_driver_render(unsigned drivers) {
  return open_first(kRenderNodes, kFirstRenderNode, drivers);
}

int drm_reopen_driver(int fd) {
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  const int again = open(path.c_str(), O_RDWR | O_CLOEXEC);
  igt_assert_fd(again);
  return again;
}

void drm_close_driver(int fd) {
  if (fd < 0) return;
  char target[64] = {};
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t length = readlink(path.c_str(), target, sizeof(target) - 1);
  if (length < 0 || (strncmp(target, kCards, strlen(kCards)) != 0 &&
                     strncmp(target, kRenderNodes, strlen(kRenderNodes)) != 0)) {
    igt_warn("descriptor %d is no DRM device (%s)\n", fd, target);
  }
  close(fd);
}

}  // namespace igt
