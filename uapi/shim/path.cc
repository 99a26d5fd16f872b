// SPDX-License-Identifier: MIT
#include "uapi/shim/path.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "uapi/shim/host.h"

namespace pantry::shim {
namespace {

constexpr char kTree[] = "/root";
constexpr const char* kPrefixes[] = {"/dev/dri",
                                     "/sys/dev/char/226:",
                                     "/sys/class/drm",
                                     "/sys/devices/platform/fb000000.gpu",
                                     "/sys/kernel/debug/dri",
                                     "/sys/kernel/debug/sync"};

bool readable(const char* path) { return reinterpret_cast<size_t>(path) >= 4096; }

bool is_of_the_device(const char* path) {
  for (const char* prefix : kPrefixes) {
    const size_t length = strlen(prefix);
    if (strncmp(path, prefix, length) != 0) continue;
    if (prefix[length - 1] == ':' || path[length] == '\0' || path[length] == '/') return true;
  }
  return false;
}

wire::Socket debug_file(const char* path) {
  if (strcmp(path, "sync/sw_sync") == 0) return wire::Socket::kSwSync;
  constexpr const char* kMinors[] = {"dri/0/", "dri/128/"};
  for (const char* minor : kMinors) {
    const size_t length = strlen(minor);
    if (strncmp(path, minor, length) != 0) continue;
    if (strcmp(path + length, "gpuvas") == 0) return wire::Socket::kGpuvas;
    if (strcmp(path + length, "gems") == 0) return wire::Socket::kGems;
  }
  return kForeign;
}

// By the device's own directory, and by the links to it: from its bus, its class and its number.
wire::Socket attribute(const char* path) {
  constexpr const char* kDevices[] = {
      "/sys/devices/platform/fb000000.gpu/", "/sys/class/drm/card0/device/",
      "/sys/class/drm/renderD128/device/", "/sys/dev/char/226:0/device/",
      "/sys/dev/char/226:128/device/"};
  for (const char* device : kDevices) {
    const size_t length = strlen(device);
    if (strncmp(path, device, length) == 0 && strcmp(path + length, "profiling") == 0)
      return wire::Socket::kProfiling;
  }
  return kForeign;
}

}  // namespace

Path::Path(const char* path) : original_(path) {
  if (!readable(path) || path[0] != '/' || (path[1] != 'd' && path[1] != 's') || !directory())
    return;
  if (!is_of_the_device(path)) return;
  const size_t length = strlen(path);
  if (directory_length() + sizeof kTree + length > sizeof buffer_) return;
  memcpy(buffer_, directory(), directory_length());
  memcpy(buffer_ + directory_length(), kTree, sizeof kTree - 1);
  memcpy(buffer_ + directory_length() + sizeof kTree - 1, path, length + 1);
  ours_ = true;
}

wire::Socket node_of(const char* path) {
  if (!readable(path) || !directory()) return kForeign;
  if (strncmp(path, "/sys/kernel/debug/", 18) == 0) return debug_file(path + 18);
  if (strncmp(path, "/sys/", 5) == 0) return attribute(path);
  if (strncmp(path, "/dev/dri/", 9) != 0) return kForeign;
  if (strcmp(path, name_of(wire::Socket::kCard)) == 0) return wire::Socket::kCard;
  if (strcmp(path, name_of(wire::Socket::kRender)) == 0) return wire::Socket::kRender;
  return kForeign;
}

wire::Socket node_in(int directory_fd, const char* path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", directory_fd);
  char name[512];
  const ssize_t length = readlinkat(AT_FDCWD, link, name, sizeof name - 1);
  if (length <= 0 || static_cast<size_t>(length) + strlen(path) + 2 > sizeof name) return kForeign;
  name[length] = '/';
  strcpy(name + length + 1, path);
  strip_tree(name);
  return node_of(name);
}

int descriptor_of(const char* path) {
  if (!readable(path) || !directory()) return -1;
  const char* digits = nullptr;
  if (strncmp(path, "/proc/self/fd/", 14) == 0) digits = path + 14;
  if (strncmp(path, "/dev/fd/", 8) == 0) digits = path + 8;
  if (!digits || *digits == '\0') return -1;
  int number = 0;
  for (; *digits; ++digits) {
    if (*digits < '0' || *digits > '9' || number > 100000000) return -1;
    number = number * 10 + (*digits - '0');
  }
  return number;
}

const char* name_of(wire::Socket socket) {
  switch (socket) {
    case wire::Socket::kCard:
      return "/dev/dri/card0";
    case wire::Socket::kRender:
      return "/dev/dri/renderD128";
    case wire::Socket::kSyncFile:
      return "anon_inode:sync_file";
    case wire::Socket::kSyncobj:
      return "anon_inode:syncobj_file";
    case wire::Socket::kDmaBuf:
      return "/dmabuf:";
    case wire::Socket::kSwSync:
      return "/sys/kernel/debug/sync/sw_sync";
    case wire::Socket::kGpuvas:
      return "/sys/kernel/debug/dri/0/gpuvas";
    case wire::Socket::kGems:
      return "/sys/kernel/debug/dri/0/gems";
    case wire::Socket::kProfiling:
      return "/sys/devices/platform/fb000000.gpu/profiling";
    case wire::Socket::kChannel:
      return "anon_inode:pantry_channel";
  }
  return "";
}

void strip_tree(char* path) {
  if (!directory()) return;
  const size_t prefix = directory_length() + sizeof kTree - 1;
  if (strncmp(path, directory(), directory_length()) != 0 ||
      strncmp(path + directory_length(), kTree, sizeof kTree - 1) != 0 || path[prefix] != '/')
    return;
  memmove(path, path + prefix, strlen(path + prefix) + 1);
}

}  // namespace pantry::shim
