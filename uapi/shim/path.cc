// SPDX-License-Identifier: MIT
#include "uapi/shim/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "uapi/device_name.h"
#include "uapi/shim/host.h"

namespace pantry::shim {
namespace {

constexpr char kTree[] = "/root";
constexpr const char* kPrefixes[] = {"/dev/dri",
                                     "/sys/dev/char/226:",
                                     "/sys/class/drm",
                                     ("/sys/devices/platform/" PANTRY_DEVICE_NAME),
                                     "/sys/kernel/debug/dri",
                                     "/sys/kernel/debug/sync"};

// What is left of them from the directories above: "dev/dri" from /, "dri" from /dev.
struct Rests {
  constexpr Rests() {
    for (const char* prefix : kPrefixes)
      for (; *prefix != '\0'; ++prefix)
        if (*prefix == '/') each[count++] = prefix + 1;
  }
  const char* each[24] = {};
  unsigned count = 0;
};
constexpr Rests kRests;

// Of nearly all paths the second letter tells that they are not of the device, or of /proc.
bool may_begin(const char* path, const char* letters) {
  return path[0] == '/' && path[1] != '\0' && (strchr(letters, path[1]) || strchr("/.", path[1]));
}

bool begins(const char* path, const char* prefix) {
  for (; *prefix != '\0'; ++path, ++prefix)
    if (*path != *prefix) return false;
  return prefix[-1] == ':' || *path == '\0' || *path == '/';
}

// Whether there is a directory from which the relative `path` leads to the device.
bool may_lead_to_the_device(const char* path) {
  while (path[0] == '.' && path[1] == '/') path += 2;
  for (unsigned i = 0; i < kRests.count; ++i)
    if (begins(path, kRests.each[i])) return true;
  return false;
}

// A look at the letters only: most paths are not, and are to cost nothing.
bool may_be_of_the_device(const char* path) {
  return directory() && (path[0] == '/' ? may_begin(path, "ds") : may_lead_to_the_device(path));
}

// The directory that a relative path starts from, an open one or (AT_FDCWD) the current, into
// `name`; its length, or 0. Keeps errno.
size_t directory_name(int directory_fd, char* name, size_t size) {
  const int saved = errno;
  char link[40] = "/proc/self/cwd";
  if (directory_fd != AT_FDCWD) snprintf(link, sizeof link, "/proc/self/fd/%d", directory_fd);
  const ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, name, size - 1);
  errno = saved;
  if (length <= 0) return 0;
  name[length] = '\0';
  return static_cast<size_t>(length);
}

// The path in full, without what changes nothing: doubled slashes, and "." on the way. One that is
// too long is not looked at.
class PlainPath {
 public:
  PlainPath(int directory_fd, const char* path) : text_(path) {
    size_t start = 0;
    if (path[0] != '/') {
      start = directory_name(directory_fd, buffer_, sizeof buffer_ - 1);
      if (start == 0) return;
      buffer_[start++] = '/';
    } else if (!strstr(path, "//") && !strstr(path, "/./")) {
      return;
    }
    if (start + strlen(path) >= sizeof buffer_) return;
    strcpy(buffer_ + start, path);
    char* end = buffer_;
    for (const char* from = buffer_; *from != '\0'; ++from) {
      while (from[0] == '/' && (from[1] == '/' || (from[1] == '.' && from[2] == '/')))
        from += from[1] == '/' ? 1 : 2;
      *end++ = *from;
    }
    *end = '\0';
    text_ = buffer_;
  }
  const char* get() const { return text_; }

 private:
  const char* text_;
  char buffer_[512];
};

int number_of(const char* digits) {
  if (*digits == '\0') return -1;
  int number = 0;
  for (; *digits; ++digits) {
    if (*digits < '0' || *digits > '9' || number > 100000000) return -1;
    number = number * 10 + (*digits - '0');
  }
  return number;
}

// Behind `start`, or null where `path` begins otherwise.
const char* behind(const char* path, const char* start) {
  const size_t length = strlen(start);
  return strncmp(path, start, length) == 0 ? path + length : nullptr;
}

// Behind the number of a thread of this process, of which its own is one. Keeps errno.
const char* behind_own_thread(const char* path) {
  const char* const slash = strchr(path, '/');
  char digits[16] = {};
  if (!slash || static_cast<size_t>(slash - path) >= sizeof digits) return nullptr;
  memcpy(digits, path, static_cast<size_t>(slash - path));
  const int number = number_of(digits);
  if (number <= 0) return nullptr;
  const int saved = errno;
  const bool own = syscall(SYS_tgkill, getpid(), number, 0) == 0;
  errno = saved;
  return own ? slash + 1 : nullptr;
}

// Behind "/proc/self/KIND" or that of this process by another name; null when it is neither.
const char* behind_own(const char* path, const char* kind) {
  const char* rest = behind(path, "/proc/");
  if (!rest) return nullptr;
  path = rest;
  rest = behind(path, "self/");
  if (!rest) rest = behind(path, "thread-self/");
  if (!rest) rest = behind_own_thread(path);
  if (!rest) return nullptr;
  // All its threads have the same.
  if (const char* const thread = behind(rest, "task/")) rest = behind_own_thread(thread);
  return rest ? behind(rest, kind) : nullptr;
}

// The descriptor that `path` names in the client's own /proc/self/KIND, or -1.
int own_descriptor(int directory_fd, const char* path, const char* kind) {
  if (!directory()) return -1;
  if (path[0] == '/') {
    if (!may_begin(path, "p")) return -1;
    const PlainPath plain(directory_fd, path);
    const char* const rest = behind_own(plain.get(), kind);
    return rest && rest[0] == '/' ? number_of(rest + 1) : -1;
  }
  const int number = directory_fd != AT_FDCWD ? number_of(path) : -1;
  if (number < 0) return -1;
  char name[64];
  if (directory_name(directory_fd, name, sizeof name) == 0) return -1;
  const char* const rest = behind_own(name, kind);
  return rest && rest[0] == '\0' ? number : -1;
}

bool is_of_the_device(const char* path) {
  for (const char* prefix : kPrefixes)
    if (begins(path, prefix)) return true;
  return false;
}

wire::Socket debug_file(const char* path) {
  if (strcmp(path, "sync/sw_sync") == 0) return wire::Socket::kSwSync;
  constexpr const char* kDirectories[] = {("dri/" PANTRY_DEVICE_NAME "/"), "dri/0/", "dri/128/"};
  constexpr wire::Socket kFiles[] = {wire::Socket::kGpuvas, wire::Socket::kGems,
                                     wire::Socket::kClients, wire::Socket::kGemNames};
  for (const char* prefix : kDirectories) {
    const size_t length = strlen(prefix);
    if (strncmp(path, prefix, length) != 0) continue;
    for (const wire::Socket file : kFiles)
      if (strcmp(path + length, wire::kSocketNames[static_cast<unsigned>(file)]) == 0) return file;
  }
  return kForeign;
}

// By the device's own directory, and by the links to it: from its bus, its class and its number.
wire::Socket attribute(const char* path) {
  constexpr const char* kDevices[] = {
      ("/sys/devices/platform/" PANTRY_DEVICE_NAME "/"), "/sys/class/drm/card0/device/",
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

Path::Path(int directory_fd, const char* path) : original_(path) {
  if (!may_be_of_the_device(path)) return;
  const PlainPath plain(directory_fd, path);
  path = plain.get();
  if (!is_of_the_device(path)) return;
  const size_t length = strlen(path);
  if (directory_length() + sizeof kTree + length > sizeof buffer_) return;
  memcpy(buffer_, directory(), directory_length());
  memcpy(buffer_ + directory_length(), kTree, sizeof kTree - 1);
  memcpy(buffer_ + directory_length() + sizeof kTree - 1, path, length + 1);
  ours_ = true;
}

const char* Path::name() const { return buffer_ + directory_length() + sizeof kTree - 1; }

wire::Socket node_of(int directory_fd, const char* path) {
  if (!may_be_of_the_device(path)) return kForeign;
  const PlainPath plain(directory_fd, path);
  path = plain.get();
  if (strncmp(path, "/sys/kernel/debug/", 18) == 0) return debug_file(path + 18);
  if (strncmp(path, "/sys/", 5) == 0) return attribute(path);
  if (strncmp(path, "/dev/dri/", 9) != 0) return kForeign;
  if (strcmp(path, name_of(wire::Socket::kCard)) == 0) return wire::Socket::kCard;
  if (strcmp(path, name_of(wire::Socket::kRender)) == 0) return wire::Socket::kRender;
  return kForeign;
}

wire::Socket node_in(int directory_fd, const char* path) {
  char name[512];
  const size_t length = directory_name(directory_fd, name, sizeof name);
  if (length == 0 || length + strlen(path) + 2 > sizeof name) return kForeign;
  name[length] = '/';
  strcpy(name + length + 1, path);
  strip_tree(name);
  return node_of(AT_FDCWD, name);
}

int descriptor_of(int directory_fd, const char* path) {
  if (!directory()) return -1;
  if (strncmp(path, "/dev/fd/", 8) == 0) return number_of(path + 8);
  return own_descriptor(directory_fd, path, "fd");
}

int descriptor_followed_to(int directory_fd, const char* path) {
  if (directory() && strncmp(path, "/dev/std", 8) == 0) {
    if (strcmp(path, "/dev/stdin") == 0) return STDIN_FILENO;
    if (strcmp(path, "/dev/stdout") == 0) return STDOUT_FILENO;
    if (strcmp(path, "/dev/stderr") == 0) return STDERR_FILENO;
  }
  return descriptor_of(directory_fd, path);
}

int descriptor_of_fdinfo(int directory_fd, const char* path) {
  return own_descriptor(directory_fd, path, "fdinfo");
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
      return "/sys/kernel/debug/dri/" PANTRY_DEVICE_NAME "/gpuvas";
    case wire::Socket::kGems:
      return "/sys/kernel/debug/dri/" PANTRY_DEVICE_NAME "/gems";
    case wire::Socket::kClients:
      return "/sys/kernel/debug/dri/" PANTRY_DEVICE_NAME "/clients";
    case wire::Socket::kGemNames:
      return "/sys/kernel/debug/dri/" PANTRY_DEVICE_NAME "/gem_names";
    case wire::Socket::kProfiling:
      return "/sys/devices/platform/" PANTRY_DEVICE_NAME "/profiling";
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
