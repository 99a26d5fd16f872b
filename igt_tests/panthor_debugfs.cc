// SPDX-License-Identifier: MIT

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <sstream>
#include <string>
#include <vector>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/bench.h"
#include "igt_tests/lib/cases.h"

IGT_TEST_DESCRIPTION("The device's files in debugfs.");

using namespace gpu;

namespace {

std::string directory_of(const Device& device) {
  struct stat node {};
  igt_assert_eq(fstat(device.fd(), &node), 0);
  return "/sys/kernel/debug/dri/" + std::to_string(minor(node.st_rdev));
}

std::string read_all(int fd) {
  std::string text;
  char part[1024];
  for (ssize_t size = 0; (size = read(fd, part, sizeof part)) > 0;)
    text.append(part, static_cast<size_t>(size));
  return text;
}

std::string read_file(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  igt_require_f(file.get() >= 0, "%s: %s\n", path.c_str(), strerror(errno));
  return read_all(file.get());
}

struct Row {
  uint64_t start, bytes, end, object, offset;
};
struct Space {
  std::string name;
  uint64_t start, end;
  std::vector<Row> rows;
};

std::vector<Space> spaces_in(const std::string& text) {
  std::vector<Space> spaces;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    char name[32];
    Space space{};
    Row row{};
    if (sscanf(line.c_str(), "DRM GPU VA space (%31[^)]) [0x%" SCNx64 ";0x%" SCNx64 "]", name,
               &space.start, &space.end) == 3) {
      space.name = name;
      spaces.push_back(space);
    } else if (sscanf(line.c_str(),
                      "     | 0x%" SCNx64 " | 0x%" SCNx64 " | 0x%" SCNx64 " | 0x%" SCNx64
                      " | 0x%" SCNx64,
                      &row.start, &row.bytes, &row.end, &row.object, &row.offset) == 5) {
      igt_assert(!spaces.empty());
      igt_assert_eq(line.size(), 109);
      spaces.back().rows.push_back(row);
    }
  }
  return spaces;
}

std::vector<Space> spaces(const Device& device) {
  return spaces_in(read_file(directory_of(device) + "/gpuvas"));
}

const Row* row_at(const Space& space, uint64_t va) {
  for (const Row& row : space.rows)
    if (row.start == va) return &row;
  return nullptr;
}

void name_of_the_device(const Device& device) {
  const std::string text = read_file(directory_of(device) + "/name");
  igt_assert(text.starts_with("panthor dev="));
  igt_assert(text.ends_with("\n"));
}

void firmware_space(const Device& device) {
  const std::vector<Space> all = spaces(device);
  igt_assert(!all.empty());
  igt_assert(all[0].name == "panthor-MCU-VM");
  igt_assert_eq(all[0].start, 0);
  igt_assert_eq(all[0].end, uint64_t{1} << 32);
  igt_assert(row_at(all[0], 0x0400'0000) != nullptr);
}

void mappings(const Device& device) {
  const size_t before = spaces(device).size();
  Vm vm = Vm::create(device);
  const Bo first = Bo::create(device, 4 * kPage);
  const Bo second = Bo::create(device, kBlock);
  vm.map(first, kPlay);
  vm.map_part(first, kPage, kPlay + 16 * kPage, 2 * kPage, 0);
  vm.map(second, kPlay + kBlock);
  std::vector<Space> all = spaces(device);
  igt_assert_eq(all.size(), before + 1);
  const Space& space = all.back();
  igt_assert(space.name == "panthor-GPU-VM");
  igt_assert_eq(space.end, device.full_va_range());
  igt_assert_eq(space.rows.size(), 3);
  const Row* const whole = row_at(space, kPlay);
  const Row* const part = row_at(space, kPlay + 16 * kPage);
  const Row* const block = row_at(space, kPlay + kBlock);
  igt_assert(whole && part && block);
  igt_assert_eq(whole->bytes, 4 * kPage);
  igt_assert_eq(whole->offset, 0);
  igt_assert_eq(part->bytes, 2 * kPage);
  igt_assert_eq(part->end, kPlay + 18 * kPage);
  igt_assert_eq(part->offset, kPage);
  igt_assert_eq(part->object, whole->object);
  igt_assert_eq(block->bytes, kBlock);
  igt_assert_neq(block->object, whole->object);
  // A hole in the block leaves two pieces.
  vm.unmap(kPlay + kBlock + 3 * kPage, kPage);
  all = spaces(device);
  igt_assert_eq(all.back().rows.size(), 4);
  const Row* const rest = row_at(all.back(), kPlay + kBlock + 4 * kPage);
  igt_assert(rest != nullptr);
  igt_assert_eq(rest->offset, 4 * kPage);
  vm.destroy();
  igt_assert_eq(spaces(device).size(), before);
}

// What the driver keeps in the space for a group is there, too.
void kernel_mappings(const Device& device) {
  const Vm vm = Vm::create(device);
  igt_assert_eq(spaces(device).back().rows.size(), 0);
  const Group group = Group::create_simple(vm);
  const Space space = spaces(device).back();
  igt_assert_lt(0, space.rows.size());
  for (const Row& row : space.rows) igt_assert_lte(vm.user_va_range(), row.start);
}

// By its directory, as a stream; for reading only.
void ways_to_open(const Device& device) {
  const std::string text = read_file(directory_of(device) + "/gpuvas");
  const std::string path = directory_of(device) + "/gpuvas";
  const UniqueFd directory(open(directory_of(device).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  igt_assert_fd(directory.get());
  const UniqueFd file(openat(directory.get(), "gpuvas", O_RDONLY | O_CLOEXEC));
  igt_assert_fd(file.get());
  igt_assert_eq(spaces_in(read_all(file.get())).size(), spaces_in(text).size());
  FILE* const stream = fopen(path.c_str(), "re");
  igt_assert(stream != nullptr);
  igt_assert_eq(fgetc(stream), 'D');
  fclose(stream);
  struct stat status {};
  igt_assert_eq(stat(path.c_str(), &status), 0);
  igt_assert(S_ISREG(status.st_mode));
  igt_assert_eq(status.st_mode & 0222, 0);
}

constexpr Case kCases[] = {
    {"name", "Which driver and device it is.", name_of_the_device},
    {"gpuvas-firmware", "The firmware's space comes first. [B5.4]", firmware_space},
    {"gpuvas-mappings", "What is mapped where. [B5.4]", mappings},
    {"gpuvas-kernel", "The driver's own mappings.", kernel_mappings},
    {"ways-to-open", "By directory and as a stream.", ways_to_open},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
