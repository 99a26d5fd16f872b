// SPDX-License-Identifier: MIT

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/cases.h"
#include "igt_tests/lib/unique_fd.h"

IGT_TEST_DESCRIPTION("The device nodes as files.");

using namespace gpu;

namespace {

// The nodes are character devices by whatever way one looks at them.
void node_files(const Device&) {
  const UniqueFd directory(open("/dev/dri", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  igt_assert_fd(directory.get());
  for (const std::string name : {"card0", "renderD128"}) {
    const std::string path = "/dev/dri/" + name;
    struct stat by_path {};
    struct stat by_name {};
    struct stat by_descriptor {};
    igt_assert_eq(stat(path.c_str(), &by_path), 0);
    igt_assert_eq(fstatat(directory.get(), name.c_str(), &by_name, 0), 0);
    const UniqueFd node(openat(directory.get(), name.c_str(), O_RDWR | O_CLOEXEC));
    igt_assert_eq(fstat(node.get(), &by_descriptor), 0);
    igt_assert(S_ISCHR(by_path.st_mode));
    igt_assert_eq(by_path.st_rdev, makedev(226, name == "card0" ? 0 : 128));
    for (const struct stat* other : {&by_name, &by_descriptor}) {
      igt_assert_eq(other->st_mode, by_path.st_mode);
      igt_assert_eq(other->st_rdev, by_path.st_rdev);
      igt_assert_eq(other->st_ino, by_path.st_ino);
    }
    // As `ls -l` does: no such attribute, but such a file.
    igt_assert_eq(lgetxattr(path.c_str(), "security.pantry", nullptr, 0), -1);
    igt_assert_neq(errno, ENOENT);
    igt_assert_eq(getxattr(path.c_str(), "security.pantry", nullptr, 0), -1);
    igt_assert_neq(errno, ENOENT);
  }
}

// A listing says what they are, too, and nothing can be executed.
void listing(const Device&) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir("/dev/dri"), closedir);
  igt_assert(directory != nullptr);
  int nodes = 0;
  while (const dirent* entry = readdir(directory.get())) {
    const std::string name = entry->d_name;
    if (name != "card0" && name != "renderD128") continue;
    igt_assert_eq(entry->d_type, DT_CHR);
    igt_assert_eq(faccessat(dirfd(directory.get()), entry->d_name, R_OK | W_OK, 0), 0);
    igt_assert_eq(access(("/dev/dri/" + name).c_str(), X_OK), -1);
    igt_assert_eq(errno, EACCES);
    ++nodes;
  }
  igt_assert_eq(nodes, 2);
}

void expect_node(const struct statx& seen) {
  igt_assert(S_ISCHR(seen.stx_mode));
  igt_assert_eq(seen.stx_rdev_major, 226);
}

// Whatever one writes before the name of a node or of an open descriptor.
void other_names(const Device& device) {
  for (const char* path : {"/dev/dri//card0", "//dev/dri/card0", "/dev/./dri/./card0"}) {
    const UniqueFd node(open(path, O_RDWR | O_CLOEXEC));
    igt_assert_fd(node.get());
    struct statx seen {};
    igt_assert_eq(statx(AT_FDCWD, path, 0, STATX_ALL, &seen), 0);
    expect_node(seen);
  }
  const std::string number = std::to_string(device.fd());
  const UniqueFd directory(open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct Name {
    int at;
    std::string path;
  };
  const Name names[] = {{AT_FDCWD, "/proc/self/fd/" + number},
                        {AT_FDCWD, "/proc/" + std::to_string(getpid()) + "/fd/" + number},
                        {AT_FDCWD, "/proc/thread-self/fd/" + number},
                        {AT_FDCWD, "/dev/fd/" + number},
                        {directory.get(), number}};
  for (const Name& name : names) {
    char target[64] = {};
    igt_assert_lt(0, readlinkat(name.at, name.path.c_str(), target, sizeof target - 1));
    igt_assert(std::string(target).starts_with("/dev/dri/"));
    struct stat seen {};
    igt_assert_eq(fstatat(name.at, name.path.c_str(), &seen, 0), 0);
    igt_assert(S_ISCHR(seen.st_mode));
    struct statx extended {};
    igt_assert_eq(statx(name.at, name.path.c_str(), 0, STATX_ALL, &extended), 0);
    expect_node(extended);
    const UniqueFd again(openat(name.at, name.path.c_str(), O_RDWR | O_CLOEXEC));
    igt_assert_fd(again.get());
  }
  // At the end of the room that the caller has.
  char target[4] = {};
  igt_assert_eq(readlink(names[0].path.c_str(), target, 3), 3);
  igt_assert_eq(readlink(names[0].path.c_str(), target, 0), -1);
  igt_assert_eq(errno, EINVAL);
}

// Paths and buffers that are not the caller's memory: all in the device's own calls.
void bad_pointers(const Device& device) {
  void* const pages =
      mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  igt_assert(pages != MAP_FAILED);
  char* const end = static_cast<char*>(pages) + 4096;
  igt_assert_eq(mprotect(end, 4096, PROT_NONE), 0);
  end[-1] = '/';
  const auto expect_fault = [](ssize_t result) {
    igt_assert_eq(result, -1);
    igt_assert_eq(errno, EFAULT);
  };
  struct stat status {};
  struct statx extended {};
  char target[64];
  const std::string name = "/proc/self/fd/" + std::to_string(device.fd());
  const std::string start = "/dev/dri/card0";
  // Not there at all, and one that ends before its end.
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{6}, start.size()}) {
    char* const path = end - bytes;
    std::copy_n(start.begin(), bytes, path);
    errno = 0;
    expect_fault(open(path, O_RDWR));
    expect_fault(openat(AT_FDCWD, path, O_RDWR));
    expect_fault(stat(path, &status));
    expect_fault(lstat(path, &status));
    expect_fault(statx(AT_FDCWD, path, 0, STATX_ALL, &extended));
    expect_fault(access(path, R_OK));
    expect_fault(readlink(path, target, sizeof target));
    expect_fault(getxattr(path, "user.pantry", nullptr, 0));
    igt_assert(fopen(path, "r") == nullptr);
    igt_assert_eq(errno, EFAULT);
  }
  expect_fault(stat(start.c_str(), reinterpret_cast<struct stat*>(end)));
  expect_fault(fstat(device.fd(), reinterpret_cast<struct stat*>(end)));
  expect_fault(readlink(name.c_str(), end, 16));
  expect_fault(readlink(name.c_str(), end - 4, 16));
  munmap(pages, 8192);
}

// A node has events, and none ever; it has no position.
void no_events(const Device&) {
  const UniqueFd node(open("/dev/dri/renderD128", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  igt_assert_eq(fcntl(node.get(), F_GETFL) & O_NONBLOCK, O_NONBLOCK);
  char bytes[64];
  igt_assert_eq(read(node.get(), bytes, sizeof bytes), -1);
  igt_assert_eq(errno, EAGAIN);
  iovec piece{bytes, sizeof bytes};
  igt_assert_eq(readv(node.get(), &piece, 1), -1);
  igt_assert_eq(errno, EAGAIN);
  igt_assert_eq(lseek(node.get(), 0, SEEK_END), 0);
  igt_assert_eq(lseek(node.get(), 10, SEEK_SET), 0);
}

// A file of the device cannot be written; who tries must not lose it.
void stray_write(const Device& device) {
  for (const size_t size : {size_t{1}, size_t{56}, size_t{5000}}) {
    const std::string bytes(size, 'x');
    const ssize_t ignored = write(device.fd(), bytes.data(), bytes.size());
    (void)ignored;
    drm_version version{};
    do_ioctl(device.fd(), DRM_IOCTL_VERSION, &version);
    igt_assert_eq(version.name_len, 7);
  }
}

// The first file of the primary node becomes master, if nobody is yet.
void first_is_master(const Device& device) {
  igt_require_f(drmIsMaster(device.fd()) != 0, "somebody else is master\n");
  const Device second = device.open_again();
  igt_assert_eq(drmIsMaster(second.fd()), 0);
}

void exclusively(const Device&) {
  for (const char* path : {"/dev/dri/card0", "/dev/dri/renderD128"}) {
    errno = 0;
    igt_assert_eq(open(path, O_RDWR | O_EXCL | O_CLOEXEC), -1);
    igt_assert_eq(errno, EBUSY);
  }
}

constexpr Case kCases[] = {
    {"node-files", "What stat(), open() and their kin say. [B1.2]", node_files},
    {"listing", "What readdir() and access() say.", listing},
    {"other-names", "The same files by other names, and by those of a descriptor.", other_names},
    {"bad-pointers", "Bad paths and buffers give EFAULT.", bad_pointers},
    {"no-events", "read() finds no event, lseek() no position.", no_events},
    {"first-is-master", "Mastership goes to the first. [B1.3]", first_is_master},
    {"exclusively", "O_EXCL is not for these files. [B1.4]", exclusively},
    {"stray-write", "write() to a node.", stray_write},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
