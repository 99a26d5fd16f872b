// SPDX-License-Identifier: MIT

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/bo.h"
#include "igt_tests/lib/cases.h"
#include "igt_tests/lib/syncobj.h"
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

// A link to /proc/self/fd/0, on most machines.
void standard_input(const Device& device) {
  if (access("/dev/stdin", F_OK) != 0) return;
  const UniqueFd before(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0));
  igt_assert_eq(dup2(device.fd(), STDIN_FILENO), STDIN_FILENO);
  struct stat seen {};
  igt_assert_eq(stat("/dev/stdin", &seen), 0);
  igt_assert(S_ISCHR(seen.st_mode));
  igt_assert_eq(lstat("/dev/stdin", &seen), 0);
  igt_assert(S_ISLNK(seen.st_mode));
  struct statx extended {};
  igt_assert_eq(statx(AT_FDCWD, "/dev/stdin", 0, STATX_ALL, &extended), 0);
  expect_node(extended);
  const UniqueFd again(open("/dev/stdin", O_RDWR | O_CLOEXEC));
  igt_assert_fd(again.get());
  const std::unique_ptr<FILE, int (*)(FILE*)> stream(fopen("/dev/stdin", "r+e"), fclose);
  igt_assert(stream != nullptr);
  drm_version version{};
  do_ioctl(fileno(stream.get()), DRM_IOCTL_VERSION, &version);
  if (before.get() >= 0) {
    igt_assert_eq(dup2(before.get(), STDIN_FILENO), STDIN_FILENO);
  } else {
    close(STDIN_FILENO);
  }
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
  const std::string process = std::to_string(getpid());
  const std::string thread = std::to_string(gettid());
  const UniqueFd directory(open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const UniqueFd of_thread(open("/proc/thread-self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct Name {
    int at;
    std::string path;
  };
  const Name names[] = {{AT_FDCWD, "/proc/self/fd/" + number},
                        {AT_FDCWD, "/proc/" + process + "/fd/" + number},
                        {AT_FDCWD, "/proc/thread-self/fd/" + number},
                        {AT_FDCWD, "/proc/self/task/" + thread + "/fd/" + number},
                        {AT_FDCWD, "/proc/" + process + "/task/" + thread + "/fd/" + number},
                        {AT_FDCWD, "/dev/fd/" + number},
                        {directory.get(), number},
                        {of_thread.get(), number}};
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
  standard_input(device);
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
  errno = 0;
  igt_assert_eq(read(node.get(), bytes, 0), -1);
  igt_assert_eq(errno, EAGAIN);
  errno = 0;
  igt_assert_eq(pread(node.get(), bytes, 0, 0), -1);
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
    igt_assert(fopen(path, "wxe") == nullptr);
    igt_assert_eq(errno, EEXIST);
    igt_assert_eq(open(path, O_RDWR | O_DIRECT | O_CLOEXEC), -1);
    igt_assert_eq(errno, EINVAL);
  }
  // What is there cannot be made; of debugfs, where that can be seen.
  for (const char* path :
       {"/dev/dri/card0", "/dev/dri/renderD128", "/sys/kernel/debug/dri/0/clients"}) {
    if (access(path, F_OK) != 0) continue;
    errno = 0;
    igt_assert_eq(open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), -1);
    igt_assert_eq(errno, EEXIST);
  }
}

// How a file was opened, all that lead to it know; and it may do no more than that.
void open_flags(const Device&) {
  constexpr int kModes[] = {O_RDONLY, O_WRONLY, O_RDWR, O_ACCMODE};  // the last: ioctl() only
  const auto flags_of = [](int fd) { return fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK); };
  for (const char* path : {"/dev/dri/card0", "/dev/dri/renderD128"})
    for (const int mode : kModes) {
      const UniqueFd node(open(path, mode | O_NONBLOCK | O_CLOEXEC));
      igt_assert_eq(flags_of(node.get()), mode | O_NONBLOCK);
      const UniqueFd copy(dup(node.get()));
      igt_assert_eq(fcntl(copy.get(), F_SETFL, 0), 0);
      igt_assert_eq(flags_of(node.get()), mode);
      igt_assert_eq(fcntl(node.get(), F_SETFL, O_NONBLOCK), 0);
      igt_assert_eq(flags_of(copy.get()), mode | O_NONBLOCK);
      igt_assert_eq(fcntl(node.get(), F_GETFD), FD_CLOEXEC);
      char byte = 0;
      igt_assert_eq(read(node.get(), &byte, 1), -1);
      igt_assert_eq(errno, mode == O_RDONLY || mode == O_RDWR ? EAGAIN : EBADF);
      igt_assert_eq(write(node.get(), &byte, 1), -1);
      igt_assert_eq(errno, mode == O_WRONLY || mode == O_RDWR ? EINVAL : EBADF);
      drm_version version{};
      do_ioctl(node.get(), DRM_IOCTL_VERSION, &version);
    }
}

// 0 or the errno.
int map(int fd, uint64_t offset, int protection) {
  void* const at = mmap(nullptr, kPage, protection, MAP_SHARED, fd, static_cast<off_t>(offset));
  if (at == MAP_FAILED) return errno;
  const int more = mprotect(at, kPage, PROT_READ | PROT_WRITE) == 0 ? 0 : errno;
  munmap(at, kPage);
  return more;
}

void mapped_as_opened(const Device&) {
  for (const int mode : {O_RDONLY, O_WRONLY, O_RDWR}) {
    const UniqueFd node(open("/dev/dri/renderD128", mode | O_CLOEXEC));
    drm_panthor_bo_create buffer{};
    buffer.size = kPage;
    do_ioctl(node.get(), DRM_IOCTL_PANTHOR_BO_CREATE, &buffer);
    drm_panthor_bo_mmap_offset offset{};
    offset.handle = buffer.handle;
    do_ioctl(node.get(), DRM_IOCTL_PANTHOR_BO_MMAP_OFFSET, &offset);
    const int expected = mode == O_RDWR ? 0 : EACCES;
    igt_assert_eq(map(node.get(), offset.offset, PROT_READ), expected);
    igt_assert_eq(map(node.get(), offset.offset, PROT_READ | PROT_WRITE), expected);
  }
}

// What is handed out can be read, and a dma-buf written to if it was asked for.
void flags_of_objects(const Device& device) {
  const auto mode_of = [](const UniqueFd& fd) { return fcntl(fd.get(), F_GETFL) & O_ACCMODE; };
  const Syncobj object = Syncobj::create_signalled(device);
  igt_assert_eq(mode_of(object.export_sync_file()), O_RDONLY);
  drm_syncobj_handle handle{};
  handle.handle = object.handle();
  do_ioctl(device.fd(), DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &handle);
  igt_assert_eq(mode_of(UniqueFd(handle.fd)), O_RDONLY);
  for (const int mode : {O_RDONLY, O_RDWR}) {
    const Bo bo = Bo::create(device, kPage);
    drm_prime_handle prime{bo.handle(), static_cast<uint32_t>(mode | O_CLOEXEC), -1};
    do_ioctl(device.fd(), DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime);
    igt_assert_eq(mode_of(UniqueFd(prime.fd)), mode);
  }
}

// statx() says no less than fstat().
void status_of_objects(const Device& device) {
  const Bo bo = Bo::create(device, 3 * kPage);
  const UniqueFd dma_buf = bo.export_fd();
  const UniqueFd sync_file = Syncobj::create_signalled(device).export_sync_file();
  for (const int fd : {dma_buf.get(), sync_file.get()}) {
    struct stat known {};
    igt_assert_eq(fstat(fd, &known), 0);
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    for (const std::string& path : {std::string(), link}) {
      struct statx seen {};
      const int flags = path.empty() ? AT_EMPTY_PATH : 0;
      igt_assert_eq(statx(path.empty() ? fd : AT_FDCWD, path.c_str(), flags, STATX_ALL, &seen), 0);
      igt_assert_eq(mode_t{seen.stx_mode}, known.st_mode);
      igt_assert_eq(seen.stx_ino, known.st_ino);
      igt_assert_eq(seen.stx_size, static_cast<uint64_t>(known.st_size));
      igt_assert(!S_ISSOCK(seen.stx_mode));
      if (fd == dma_buf.get()) igt_assert_eq(seen.stx_size, bo.size());
    }
  }
}

using FormerFstatat = int(int version, int at, const char* path, struct stat* status, int flags);

// Programs that were built with an old libc call it by this name.
void former_names(const Device&) {
  for (const char* name : {"__fxstatat", "__fxstatat64"}) {
    auto* const former = reinterpret_cast<FormerFstatat*>(dlsym(RTLD_DEFAULT, name));
    igt_require_f(former != nullptr, "a libc without %s\n", name);
#ifdef __x86_64__
    constexpr int kVersion = 1;
#else
    constexpr int kVersion = 0;
#endif
    struct stat seen {};
    igt_assert_eq(former(kVersion, AT_FDCWD, "/dev/dri/card0", &seen, 0), 0);
    igt_assert(S_ISCHR(seen.st_mode));
    const UniqueFd dri(open("/dev/dri", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    igt_assert_eq(former(kVersion, dri.get(), "renderD128", &seen, 0), 0);
    igt_assert_eq(seen.st_rdev, makedev(226, 128));
  }
}

std::string current_directory() {
  char name[256] = {};
  igt_assert(getcwd(name, sizeof name) != nullptr);
  return name;
}

// What a shell does that is told to `cd /dev/dri`, and its programs then.
void current_directory_in_dev(const Device&) {
  const UniqueFd before(open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  igt_assert_eq(chdir("/dev/dri"), 0);
  const std::string path = "/dev/dri";
  igt_assert(current_directory() == path);
  char name[9] = {};
  igt_assert(getcwd(name, sizeof name) == name);
  igt_assert(getcwd(name, sizeof name - 1) == nullptr);
  igt_assert_eq(errno, ERANGE);
  char link[64] = {};
  igt_assert_eq(readlink("/proc/self/cwd", link, sizeof link), 8);
  igt_assert(path == link);
  const UniqueFd here(open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::string number = "/proc/self/fd/" + std::to_string(here.get());
  igt_assert_eq(readlink(number.c_str(), link, sizeof link), 8);
  igt_assert(path == link);
  const UniqueFd self(open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (const std::string& name : {std::string("cwd"), "fd/" + std::to_string(here.get())}) {
    igt_assert_eq(readlinkat(self.get(), name.c_str(), link, sizeof link), 8);
    igt_assert(path == link);
    igt_assert_eq(readlinkat(self.get(), name.c_str(), link, 4), 4);
    igt_assert(path == link);
  }
  for (const char* node : {"card0", "./renderD128"}) {
    struct stat status {};
    igt_assert_eq(stat(node, &status), 0);
    igt_assert(S_ISCHR(status.st_mode));
    struct statx extended {};
    igt_assert_eq(statx(AT_FDCWD, node, 0, STATX_ALL, &extended), 0);
    expect_node(extended);
    const UniqueFd opened(open(node, O_RDWR | O_CLOEXEC));
    drm_version version{};
    do_ioctl(opened.get(), DRM_IOCTL_VERSION, &version);
    const std::unique_ptr<FILE, int (*)(FILE*)> stream(fopen(node, "r+e"), fclose);
    igt_assert(stream != nullptr);
    do_ioctl(fileno(stream.get()), DRM_IOCTL_VERSION, &version);
  }
  igt_assert_eq(chdir("/sys/class/drm/card0/device"), 0);
  igt_assert(current_directory().starts_with("/sys/devices/"));
  igt_assert_eq(access("uevent", R_OK), 0);
  igt_assert_eq(chdir("/dev/dri/card0"), -1);
  igt_assert_eq(errno, ENOTDIR);
  igt_assert_eq(fchdir(before.get()), 0);
}

std::string text_of(int fd) {
  igt_assert_fd(fd);
  const UniqueFd file(fd);
  char text[64] = {};
  igt_assert_lte(0, read(file.get(), text, sizeof text - 1));
  return text;
}

struct BelowDirectory {
  const char* directory;
  const char* path;
};

// Programs that walk down from an open directory, as libudev does, or from the current one.
void from_directories_above(const Device&) {
  const UniqueFd before(open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (const auto& [directory, path] :
       {BelowDirectory{"/", "dev/dri/card0"}, {"/dev", "dri/card0"}, {"/dev/", "./dri//card0"}}) {
    const UniqueFd above(open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC));
    igt_assert_eq(fchdir(above.get()), 0);
    for (const int at : {above.get(), AT_FDCWD}) {
      struct stat seen {};
      igt_assert_eq(fstatat(at, path, &seen, 0), 0);
      igt_assert_eq(seen.st_rdev, makedev(226, 0));
      struct statx extended {};
      igt_assert_eq(statx(at, path, 0, STATX_ALL, &extended), 0);
      expect_node(extended);
      igt_assert_eq(faccessat(at, path, R_OK | W_OK, 0), 0);
      const UniqueFd node(openat(at, path, O_RDWR | O_CLOEXEC));
      drm_version version{};
      do_ioctl(node.get(), DRM_IOCTL_VERSION, &version);
      const std::string name(path, std::string(path).rfind('/'));
      const UniqueFd dri(openat(at, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      igt_assert_eq(faccessat(dri.get(), "renderD128", R_OK, 0), 0);
    }
    const std::unique_ptr<FILE, int (*)(FILE*)> stream(fopen(path, "r+e"), fclose);
    igt_assert(stream != nullptr);
    const std::unique_ptr<char, void (*)(void*)> canonical(realpath(path, nullptr), free);
    igt_assert(canonical != nullptr && std::string(canonical.get()) == "/dev/dri/card0");
  }
  for (const auto& [directory, path] : {BelowDirectory{"/", "sys/dev/char/226:0/dev"},
                                        {"/sys", "class/drm/card0/dev"},
                                        {"/sys/class", "drm/card0/dev"},
                                        {"/sys/dev/char", "226:0/dev"}}) {
    const UniqueFd above(open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    igt_assert(text_of(openat(above.get(), path, O_RDONLY | O_CLOEXEC)) == "226:0\n");
    igt_assert_eq(fchdir(above.get()), 0);
    igt_assert(text_of(open(path, O_RDONLY | O_CLOEXEC)) == "226:0\n");
    struct statfs status {};
    igt_assert_eq(statfs(path, &status), 0);
    igt_assert_eq(status.f_type, SYSFS_MAGIC);
  }
  char target[128] = {};
  igt_assert_lt(0, readlink("226:0", target, sizeof target - 1));
  igt_assert(std::string(target).starts_with("../../devices/"));
  // Not the device's where it leads elsewhere.
  igt_assert_eq(chdir("/proc"), 0);
  for (const char* path : {"dri/card0", "dev/dri/card0", "drm/card0/dev"}) {
    igt_assert_eq(open(path, O_RDONLY | O_CLOEXEC), -1);
    igt_assert_eq(errno, ENOENT);
  }
  igt_assert_eq(fchdir(before.get()), 0);
}

unsigned char type_of(const std::string& name) {
  return name == "card0" || name == "renderD128" ? DT_CHR : DT_DIR;
}

// Types by every way of listing; a filter sees them, too.
void other_listings(const Device&) {
  static int shown = 0;
  dirent** names = nullptr;
  const auto only_nodes = [](const dirent* entry) {
    const std::string name = entry->d_name;
    if (name == "card0" || name == "renderD128") shown += entry->d_type == DT_CHR;
    return static_cast<int>(entry->d_type == DT_CHR);
  };
  const int count = scandir("/dev/dri", &names, only_nodes, alphasort);
  igt_assert_eq(shown, 2);
  igt_assert_eq(count, 2);
  igt_assert(std::string(names[0]->d_name) == "card0");
  igt_assert(std::string(names[1]->d_name) == "renderD128");
  for (int i = 0; i < count; ++i) {
    igt_assert_eq(names[i]->d_type, DT_CHR);
    free(names[i]);
  }
  free(names);
  names = nullptr;
  const UniqueFd dri(open("/dev/dri", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const int here = scandirat(dri.get(), ".", &names, nullptr, nullptr);
  igt_assert_lte(4, here);
  for (int i = 0; i < here; ++i) {
    igt_assert_eq(names[i]->d_type, type_of(names[i]->d_name));
    free(names[i]);
  }
  free(names);
  errno = 0;
  igt_assert_eq(scandir("/dev/dri/card7", &names, nullptr, nullptr), -1);
  igt_assert_eq(errno, ENOENT);
  igt_assert_eq(scandir("/dev/dri/card0", &names, nullptr, nullptr), -1);
  igt_assert_eq(errno, ENOTDIR);
  alignas(dirent64) char raw[4096];
  const ssize_t bytes = getdents64(dri.get(), raw, sizeof raw);
  igt_assert_lt(0, bytes);
  for (ssize_t at = 0; at < bytes;) {
    const auto* const entry = reinterpret_cast<const dirent64*>(raw + at);
    igt_assert_eq(entry->d_type, type_of(entry->d_name));
    at += entry->d_reclen;
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> sysfs(opendir("/sys/class/drm/card0"), closedir);
  igt_assert(sysfs != nullptr);
  int seen = 0;
  while (const dirent* entry = readdir(sysfs.get())) {
    const std::string name = entry->d_name;
    if (name == "device" || name == "subsystem") seen += entry->d_type == DT_LNK;
    if (name == "uevent" || name == "dev") seen += entry->d_type == DT_REG;
    if (name == ".") seen += entry->d_type == DT_DIR;
  }
  igt_assert_eq(seen, 5);
  char target[128] = {};
  igt_assert_lt(0, readlink("/sys/class/drm/card0/device/driver", target, sizeof target - 1));
  igt_assert(std::string(target).ends_with("/drivers/panthor"));
  struct stat driver {};
  igt_assert_eq(stat("/sys/class/drm/card0/device/driver", &driver), 0);
  igt_assert(S_ISDIR(driver.st_mode));
  igt_assert(text_of(open("/sys/class/drm/version", O_RDONLY | O_CLOEXEC)).starts_with("drm "));
}

mode_t permissions(const char* path) {
  struct stat status {};
  igt_assert_eq(stat(path, &status), 0);
  return status.st_mode & 07777;
}

// Permissions and times are kept, and seen by path and by descriptor.
void attributes(const Device&) {
  igt_require_f(geteuid() == 0, "only root owns the nodes everywhere\n");
  constexpr const char* kPath = "/dev/dri/renderD128";
  const UniqueFd node(open(kPath, O_RDWR | O_CLOEXEC));
  const mode_t before = permissions(kPath);
  igt_assert_eq(chmod(kPath, 0640), 0);
  igt_assert_eq(permissions(kPath), 0640);
  igt_assert_eq(fchmod(node.get(), 0604), 0);
  struct stat status {};
  igt_assert_eq(fstat(node.get(), &status), 0);
  igt_assert(S_ISCHR(status.st_mode));
  igt_assert_eq(status.st_mode & 07777, 0604);
  const UniqueFd dri(open("/dev/dri", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  igt_assert_eq(fchmodat(dri.get(), "renderD128", before, 0), 0);
  igt_assert_eq(permissions(kPath), before);
  igt_assert_eq(chown(kPath, status.st_uid, status.st_gid), 0);
  igt_assert_eq(lchown(kPath, status.st_uid, status.st_gid), 0);
  igt_assert_eq(fchown(node.get(), status.st_uid, status.st_gid), 0);
  const timespec times[2] = {{1000, 0}, {2000, 0}};
  igt_assert_eq(utimensat(AT_FDCWD, kPath, times, 0), 0);
  igt_assert_eq(stat(kPath, &status), 0);
  igt_assert_eq(status.st_mtim.tv_sec, 2000);
}

void file_systems(const Device& device) {
  struct statfs status {};
  const auto is_tmpfs = [&] {
    return status.f_type == TMPFS_MAGIC || status.f_type == RAMFS_MAGIC;
  };
  igt_assert_eq(statfs("/dev/dri/card0", &status), 0);
  igt_assert(is_tmpfs());
  igt_assert_eq(fstatfs(device.fd(), &status), 0);
  igt_assert(is_tmpfs());
  for (const char* path : {"/sys/class/drm/card0/uevent", "/sys/dev/char/226:128"}) {
    igt_assert_eq(statfs(path, &status), 0);
    igt_assert_eq(status.f_type, SYSFS_MAGIC);
    igt_assert_eq(status.f_blocks, 0);
    const UniqueFd file(open(path, O_RDONLY | O_CLOEXEC));
    igt_assert_eq(fstatfs(file.get(), &status), 0);
    igt_assert_eq(status.f_type, SYSFS_MAGIC);
  }
  struct statvfs virtual_status {};
  igt_assert_eq(statvfs("/dev/dri/renderD128", &virtual_status), 0);
  const Bo bo = Bo::create(device, kPage);
  const UniqueFd dma_buf = bo.export_fd();
  igt_assert_eq(fstatfs(dma_buf.get(), &status), 0);
  igt_assert_eq(status.f_type, DMA_BUF_MAGIC);
  const UniqueFd file = Syncobj::create_signalled(device).export_sync_file();
  igt_assert_eq(fstatfs(file.get(), &status), 0);
  igt_assert_eq(status.f_type, ANON_INODE_FS_MAGIC);
  // Not of the device.
  igt_assert_eq(statfs("/proc/self/status", &status), 0);
  igt_assert_eq(status.f_type, PROC_SUPER_MAGIC);
}

// Lists of extended attributes can be had, and a watch be set.
void other_calls_by_path(const Device& device) {
  for (const char* path : {"/dev/dri/card0", "/sys/class/drm/card0/uevent"}) {
    igt_assert_lte(0, listxattr(path, nullptr, 0));
    igt_assert_lte(0, llistxattr(path, nullptr, 0));
    const UniqueFd watcher(inotify_init1(IN_CLOEXEC));
    // A kernel may be built without.
    if (watcher.get() >= 0) igt_assert_lte(0, inotify_add_watch(watcher.get(), path, IN_ATTRIB));
  }
  char names[256] = {};
  const ssize_t bytes = flistxattr(device.fd(), names, sizeof names);
  igt_assert_lte(0, bytes);
  igt_assert(std::string(names, static_cast<size_t>(bytes)).find("sockprotoname") ==
             std::string::npos);
  igt_assert_eq(chmod("/dev/dri/card7", 0600), -1);
  igt_assert_eq(errno, ENOENT);
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
    {"open-flags", "F_GETFL, and what the access mode allows.", open_flags},
    {"mapped-as-opened", "No more than the file was opened for.", mapped_as_opened},
    {"flags-of-objects", "F_GETFL of what the device hands out.", flags_of_objects},
    {"status-of-objects", "statx() of what the device hands out.", status_of_objects},
    {"former-names", "stat() as a libc of before 2.33 called it.", former_names},
    {"current-directory", "chdir(), getcwd() and relative names.", current_directory_in_dev},
    {"from-directories-above", "Relative names from /, /dev and /sys.", from_directories_above},
    {"other-listings", "scandir(), getdents64() and the types of sysfs.", other_listings},
    {"attributes", "chmod(), chown() and utimensat().", attributes},
    {"file-systems", "statfs() by path and by descriptor.", file_systems},
    {"other-calls-by-path", "Lists of attributes, and inotify.", other_calls_by_path},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
