// SPDX-License-Identifier: MIT

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/bench.h"
#include "igt_tests/lib/cases.h"

IGT_TEST_DESCRIPTION("The sysfs attribute `profiling`, and what fdinfo shows with it.");

using namespace gpu;

namespace {

constexpr int kFirstMinor = 1;          // with the attribute
constexpr int kFirstMinorCounting = 6;  // whose firmware always counts cycles

std::string attribute_of(const Device& device) {
  struct stat node {};
  igt_assert_eq(fstat(device.fd(), &node), 0);
  return "/sys/dev/char/226:" + std::to_string(minor(node.st_rdev)) + "/device/profiling";
}

std::string read_file(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  igt_assert_fd(file.get());
  char text[4096];
  const ssize_t size = read(file.get(), text, sizeof text);
  igt_assert_lte(0, size);
  return {text, static_cast<size_t>(size)};
}

// 0 or the errno.
int try_write(const std::string& path, const std::string& text) {
  const UniqueFd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  igt_assert_fd(file.get());
  const ssize_t size = write(file.get(), text.data(), text.size());
  if (size < 0) return errno;
  igt_assert_eq(static_cast<size_t>(size), text.size());
  return 0;
}

// What it was comes back at the end, also of a test that fails.
class Attribute {
 public:
  explicit Attribute(const Device& device) : path_(attribute_of(device)) {
    igt_require_f(device.minor() >= kFirstMinor, "uAPI 1.%d\n", device.minor());
    igt_require_f(access(path_.c_str(), W_OK) == 0, "%s: %s\n", path_.c_str(), strerror(errno));
    before_ = read_file(path_);
  }
  Attribute(const Attribute&) = delete;
  Attribute& operator=(const Attribute&) = delete;
  ~Attribute() { try_write(path_, before_); }

  const std::string& path() const { return path_; }
  void set(const char* text) { igt_assert_eq(try_write(path_, text), 0); }
  std::string get() const { return read_file(path_); }

 private:
  std::string path_;
  std::string before_;
};

std::optional<uint64_t> number_in_fdinfo(const Device& device, const std::string& key) {
  const std::string text = read_file("/proc/self/fdinfo/" + std::to_string(device.fd()));
  const size_t at = text.find(key + ":\t");
  if (at == std::string::npos) return {};
  return strtoull(text.c_str() + at + key.size() + 2, nullptr, 10);
}
std::optional<uint64_t> engine_ns(const Device& device) {
  return number_in_fdinfo(device, "drm-engine-panthor");
}
std::optional<uint64_t> cycles(const Device& device) {
  return number_in_fdinfo(device, "drm-cycles-panthor");
}

void absent_on_1_0(const Device& device) {
  igt_require_f(device.minor() < kFirstMinor, "uAPI 1.%d\n", device.minor());
  igt_assert_eq(access(attribute_of(device).c_str(), F_OK), -1);
  igt_assert_eq(errno, ENOENT);
  igt_assert_eq(open(attribute_of(device).c_str(), O_WRONLY | O_CLOEXEC), -1);
  igt_assert_eq(errno, ENOENT);
}

void masks(const Device& device) {
  Attribute attribute(device);
  for (const char* text : {"0", "1", "2", "3"}) {
    attribute.set(text);
    igt_assert(attribute.get() == std::string(text) + "\n");
  }
  attribute.set("0x1\n");
  igt_assert(attribute.get() == "1\n");
  attribute.set("02\n");
  igt_assert(attribute.get() == "2\n");
}

void bad_masks(const Device& device) {
  Attribute attribute(device);
  attribute.set("2");
  for (const char* text : {"4", "5", "0x80000000", "8\n", "", "on", "-1", "1 2", "3 "})
    igt_assert_eq(try_write(attribute.path(), text), text[0] == '\0' ? 0 : EINVAL);
  igt_assert_eq(try_write(attribute.path(), "4294967296"), ERANGE);
  igt_assert(attribute.get() == "2\n");
}

void ways_to_write(const Device& device) {
  Attribute attribute(device);
  const UniqueFd file(open(attribute.path().c_str(), O_RDWR | O_CLOEXEC));
  igt_assert_fd(file.get());
  igt_assert_eq(pwrite(file.get(), "1", 1, 0), 1);
  igt_assert(attribute.get() == "1\n");
  iovec piece = {const_cast<char*>("2"), 1};
  igt_assert_eq(writev(file.get(), &piece, 1), 1);
  igt_assert(attribute.get() == "2\n");
  void* const page = mmap(nullptr, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  igt_assert(page != MAP_FAILED);
  igt_assert_eq(write(file.get(), page, 1), -1);
  igt_assert_eq(errno, EFAULT);
  igt_assert_eq(munmap(page, 1), 0);
  for (const char* text : {"3\n", "0\n", "2\n", "1\n"}) {
    FILE* const stream = fopen(attribute.path().c_str(), "we");
    igt_assert(stream != nullptr);
    igt_assert_lt(0, fputs(text, stream));
    igt_assert_eq(fclose(stream), 0);
    igt_assert(attribute.get() == text);
  }
}

void status(const Device& device) {
  const Attribute attribute(device);
  struct stat found {};
  igt_assert_eq(stat(attribute.path().c_str(), &found), 0);
  igt_assert(S_ISREG(found.st_mode));
  igt_assert_eq(found.st_mode & 0777, 0644);
}

// Long enough to be measured by the system counter.
void run_something(Bench& bench) {
  for (int i = 0; i < 4; ++i) {
    bench.store32(bench.result_va(1), 7);
    igt_assert_eq(bench.load32(bench.result_va(1)), 7);
  }
}

void keys_follow_the_mask(const Device& device) {
  Attribute attribute(device);
  attribute.set("0");
  igt_assert(!engine_ns(device) && !cycles(device));
  attribute.set("1");
  igt_assert(!engine_ns(device) && cycles(device));
  attribute.set("2");
  igt_assert(engine_ns(device) && !cycles(device));
  attribute.set("3");
  igt_assert(engine_ns(device) && cycles(device));
}

void engine_time(const Device& opened) {
  Attribute attribute(opened);
  const Device device = opened.open_again();
  const Device idle = opened.open_again();
  Bench bench(device);
  attribute.set("2");
  const uint64_t before = *engine_ns(device);
  run_something(bench);
  const uint64_t after = *engine_ns(device);
  igt_assert_lt(before, after);
  igt_assert_eq(*engine_ns(idle), 0);
  // What is not measured does not count.
  attribute.set("0");
  run_something(bench);
  attribute.set("2");
  igt_assert_eq(*engine_ns(device), after);
  // Nor does it end with the group.
  bench.drop_group();
  igt_assert_eq(*engine_ns(device), after);
}

void engine_cycles(const Device& opened) {
  igt_require_f(opened.minor() >= kFirstMinorCounting, "uAPI 1.%d\n", opened.minor());
  Attribute attribute(opened);
  const Device device = opened.open_again();
  Bench bench(device);
  for (const char* mask : {"1", "3"}) {
    attribute.set(mask);
    const uint64_t before = *cycles(device);
    run_something(bench);
    igt_assert_lt(before, *cycles(device));
  }
}

// Jobs of 128 and of 192 bytes share a ring of 4 KiB, several times around, and all are done.
void mixed_jobs(const Device& device) {
  Attribute attribute(device);
  Bench bench(device, 0, kBenchVa, {1, 4096, PANTHOR_GROUP_PRIORITY_MEDIUM});
  const Stream stream = bench.place(Assembler().store_value(bench.result_va(0), 1).publish());
  for (int i = 0; i < 200; ++i) {
    attribute.set(i % 3 == 0 ? "0" : i % 3 == 1 ? "3" : "1");
    const Syncobj done = Syncobj::create(device);
    bench.group().submit(0, stream, Syncs().signal(done));
    if (i % 40 == 39) igt_assert_eq(done.finish(kPatience), 1);
  }
  igt_assert_eq(bench.result(0), 1);
}

int try_any_write(int fd) { return write(fd, "x", 1) < 0 ? errno : 0; }

// No file that a client gets from the driver takes a write.
void nodes_take_none(const Device& device) {
  igt_assert_eq(try_any_write(device.fd()), EINVAL);
  igt_assert_eq(pwrite(device.fd(), "x", 1, 0), -1);
  igt_assert_eq(errno, EINVAL);
  iovec piece = {const_cast<char*>("x"), 1};
  igt_assert_eq(writev(device.fd(), &piece, 1), -1);
  igt_assert_eq(errno, EINVAL);
  const UniqueFd copy(dup(device.fd()));
  igt_assert_eq(try_any_write(copy.get()), EINVAL);
  // It still works, and so do other files.
  igt_assert_neq(Vm::create(device).id(), 0);
  const UniqueFd other(open("/dev/null", O_WRONLY | O_CLOEXEC));
  igt_assert_eq(try_any_write(other.get()), 0);
}

constexpr Case kCases[] = {
    {"absent-on-1-0", "Linux 6.12 has no such attribute. [B5.3]", absent_on_1_0},
    {"masks", "Every mask, in every notation. [B5.3]", masks},
    {"bad-masks", "Unknown bits and what is no number change nothing. [B5.3]", bad_masks},
    {"ways-to-write", "At a place, vectored, as a stream, from a bad pointer.", ways_to_write},
    {"status", "A regular file that its owner writes.", status},
    {"fdinfo-keys", "Each counter has a key while it is on. [B5.1 B5.3]", keys_follow_the_mask},
    {"engine-time", "Grows with jobs, of this file, while it is on. [B5.1]", engine_time},
    {"engine-cycles", "Grows with jobs, alone and beside the time. [B5.1]", engine_cycles},
    {"mixed-jobs", "Profiled and plain jobs in one ring.", mixed_jobs},
    {"write-to-node", "EINVAL for any write to a device node.", nodes_take_none},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
