// SPDX-License-Identifier: MIT

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
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
    {"first-is-master", "Mastership goes to the first. [B1.3]", first_is_master},
    {"exclusively", "O_EXCL is not for these files. [B1.4]", exclusively},
    {"stray-write", "write() to a node.", stray_write},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
