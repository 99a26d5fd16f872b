// SPDX-License-Identifier: MIT

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
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

struct Gem {
  std::string creator;
  uint64_t name, references, bytes, resident, offset;
  uint32_t state, usage;
  std::string label;
};
struct Gems {
  std::vector<Gem> rows;
  uint64_t bytes = 0, resident = 0;
};

constexpr int kFirstMinorGems = 4;

Gems gems(const Device& device) {
  igt_require_f(device.minor() >= kFirstMinorGems, "uAPI 1.%d\n", device.minor());
  Gems found;
  std::istringstream lines(read_file(directory_of(device) + "/gems"));
  for (std::string line; std::getline(lines, line);) {
    char creator[33];
    Gem gem{};
    int label = 0;
    if (sscanf(line.c_str(),
               "%32s %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNx64 " %x %x%n", creator,
               &gem.name, &gem.references, &gem.bytes, &gem.resident, &gem.offset, &gem.state,
               &gem.usage, &label) == 8) {
      gem.creator = creator;
      const size_t begin = line.find_first_not_of(' ', static_cast<size_t>(label));
      if (begin != std::string::npos) gem.label = line.substr(begin);
      found.rows.push_back(gem);
    }
    sscanf(line.c_str(), "Total size: %" SCNu64 ", Total resident: %" SCNu64, &found.bytes,
           &found.resident);
  }
  return found;
}

const Gem* labelled(const Gems& all, const std::string& label) {
  for (const Gem& gem : all.rows)
    if (gem.label == label) return &gem;
  return nullptr;
}

void set_label(const Bo& bo, const Device& device, const char* text) {
  drm_panthor_bo_set_label label{bo.handle(), 0, reinterpret_cast<uint64_t>(text)};
  do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_BO_SET_LABEL, &label);
}

void gems_with_labels(const Device& opened) {
  const Device device = opened.open_again();
  const Gems before = gems(device);
  {
    const Bo first = Bo::create(device, 3 * kPage);
    const Bo second = Bo::create(device, kBlock);
    set_label(first, device, "of the first, with blanks");
    const Gems all = gems(device);
    igt_assert_eq(all.rows.size(), before.rows.size() + 2);
    igt_assert_eq(all.bytes, before.bytes + 3 * kPage + kBlock);
    igt_assert_eq(all.resident, before.resident + 3 * kPage + kBlock);
    const Gem* const gem = labelled(all, "of the first, with blanks");
    igt_assert(gem != nullptr);
    igt_assert_eq(gem->bytes, 3 * kPage);
    igt_assert_eq(gem->resident, 3 * kPage);
    igt_assert_eq(gem->offset * kPage, first.mmap_offset());
    igt_assert_eq(gem->state, 0);
    igt_assert_eq(gem->usage, 0);
    igt_assert_eq(gem->name, 0);
    igt_assert_lte(1, gem->references);
    igt_assert(gem->creator.ends_with("/" + std::to_string(getpid())));
    igt_assert(gem->creator.starts_with("panthor_debugfs"));
    // More of them, as it is mapped.
    const uint64_t references = gem->references;
    Vm vm = Vm::create(device);
    vm.map(first, kPlay);
    igt_assert_lt(references, labelled(gems(device), gem->label)->references);
    set_label(first, device, "another");
    igt_assert(labelled(gems(device), "of the first, with blanks") == nullptr);
    igt_assert(labelled(gems(device), "another") != nullptr);
    const UniqueFd dma_buf = first.export_fd();
    igt_assert_eq(labelled(gems(device), "another")->state, 2);
  }
  igt_assert_eq(gems(device).rows.size(), before.rows.size());
}

// The driver's own are there, the firmware's among them.
void gems_of_the_driver(const Device& opened) {
  const Device device = opened.open_again();
  const auto count = [&](uint32_t usage) {
    size_t found = 0;
    for (const Gem& gem : gems(device).rows) found += gem.usage == usage;
    return found;
  };
  igt_assert_lt(0, count(3));
  const size_t before = count(1);
  const Vm vm = Vm::create(device);
  const Group group = Group::create_simple(vm);
  igt_assert_lt(before, count(1));
}

void no_gems_before_1_4(const Device& device) {
  igt_require_f(device.minor() < kFirstMinorGems, "uAPI 1.%d\n", device.minor());
  igt_assert_eq(access((directory_of(device) + "/gems").c_str(), F_OK), -1);
  igt_assert_eq(errno, ENOENT);
  igt_assert_eq(open((directory_of(device) + "/gems").c_str(), O_RDONLY | O_CLOEXEC), -1);
  igt_assert_eq(errno, ENOENT);
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

struct Client {
  std::string program;
  int pid = 0, minor = 0;
  char master = 0, authenticated = 0;
  unsigned uid = 0, magic = 0;
};

std::vector<Client> own_clients(const Device& device) {
  std::vector<Client> found;
  std::istringstream lines(read_file(directory_of(device) + "/clients"));
  for (std::string line; std::getline(lines, line);) {
    char program[21] = {};
    Client client;
    const bool is_row =
        sscanf(line.c_str(), "%20s %d %d %c %c %u %u", program, &client.pid, &client.minor,
               &client.master, &client.authenticated, &client.uid, &client.magic) == 7;
    client.program = program;
    if (is_row && client.pid == getpid()) found.push_back(client);
  }
  return found;
}

// Each open file, the oldest first.
void clients(const Device& device) {
  const size_t before = own_clients(device).size();
  igt_assert_lt(0, before);
  {
    const UniqueFd card(open("/dev/dri/card0", O_RDWR | O_CLOEXEC));
    const UniqueFd render(open("/dev/dri/renderD128", O_RDWR | O_CLOEXEC));
    drm_magic_t magic = 0;
    igt_assert_eq(drmGetMagic(card.get(), &magic), 0);
    const std::vector<Client> all = own_clients(device);
    igt_assert_eq(all.size(), before + 2);
    const Client& of_card = all[before];
    const Client& of_render = all[before + 1];
    igt_assert_eq(of_card.minor, 0);
    igt_assert_eq(of_render.minor, 128);
    igt_assert_eq(of_card.magic, magic);
    igt_assert_eq(of_render.magic, 0);
    igt_assert_eq(of_card.uid, geteuid());
    igt_assert(of_card.program == std::string("panthor_debugfs").substr(0, 15));
    igt_assert_eq(of_card.master, drmIsMaster(card.get()) != 0 ? 'y' : 'n');
    igt_assert_eq(of_render.master, 'n');
  }
  igt_assert_eq(own_clients(device).size(), before);
}

void gem_names(const Device& opened) {
  const UniqueFd card(open("/dev/dri/card0", O_RDWR | O_CLOEXEC));
  const auto rows = [&] {
    std::vector<std::vector<uint64_t>> found;
    std::istringstream lines(read_file(directory_of(opened) + "/gem_names"));
    std::string line;
    igt_assert(std::getline(lines, line));
    igt_assert(line == "  name     size handles refcount");
    uint64_t name = 0, size = 0, handles = 0, references = 0;
    while (lines >> name >> size >> handles >> references)
      found.push_back({name, size, handles, references});
    return found;
  };
  const size_t before = rows().size();
  drm_panthor_bo_create buffer{};
  buffer.size = 3 * kPage;
  do_ioctl(card.get(), DRM_IOCTL_PANTHOR_BO_CREATE, &buffer);
  igt_assert_eq(rows().size(), before);
  drm_gem_flink flink{buffer.handle, 0};
  igt_require_f(ioctl(card.get(), DRM_IOCTL_GEM_FLINK, &flink) == 0, "not authenticated\n");
  drm_gem_open again{flink.name, 0, 0};
  do_ioctl(card.get(), DRM_IOCTL_GEM_OPEN, &again);
  const auto all = rows();
  igt_assert_eq(all.size(), before + 1);
  const auto row =
      std::find_if(all.begin(), all.end(), [&](const auto& each) { return each[0] == flink.name; });
  igt_assert(row != all.end());
  igt_assert_eq((*row)[1], 3 * kPage);
  igt_assert_eq((*row)[2], 2);
  // All handles are one reference.
  igt_assert_eq((*row)[3], 1);
  for (const uint32_t handle : {buffer.handle, again.handle}) {
    drm_gem_close close{handle, 0};
    do_ioctl(card.get(), DRM_IOCTL_GEM_CLOSE, &close);
  }
  igt_assert_eq(rows().size(), before);
}

// The minors are links to one directory, whose name is the device's.
void minors(const Device& device) {
  char target[64] = {};
  for (const char* minor : {"0", "128"}) {
    const std::string path = std::string("/sys/kernel/debug/dri/") + minor;
    igt_require(readlink(path.c_str(), target, sizeof target - 1) > 0);
    struct stat status {};
    igt_assert_eq(lstat(path.c_str(), &status), 0);
    igt_assert(S_ISLNK(status.st_mode));
    igt_assert_eq(
        spaces_in(read_file("/sys/kernel/debug/dri/" + std::string(target) + "/gpuvas")).size(),
        spaces(device).size());
  }
}

// For reading only, as a stream that was another file before.
void reopened(const Device& device) {
  const std::string path = directory_of(device) + "/gpuvas";
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  igt_require(file.get() >= 0);
  igt_assert_eq(fcntl(file.get(), F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDONLY | O_NONBLOCK);
  FILE* stream = fopen("/dev/zero", "re");
  igt_assert(stream != nullptr);
  igt_assert_eq(fgetc(stream), 0);
  stream = freopen(path.c_str(), "re", stream);
  igt_assert(stream != nullptr);
  igt_assert_eq(fgetc(stream), 'D');
  igt_assert(freopen((directory_of(device) + "/nothing").c_str(), "re", stream) == nullptr);
  igt_assert_eq(errno, ENOENT);
}

constexpr Case kCases[] = {
    {"name", "Which driver and device it is.", name_of_the_device},
    {"gpuvas-firmware", "The firmware's space comes first. [B5.4]", firmware_space},
    {"gpuvas-mappings", "What is mapped where. [B5.4]", mappings},
    {"gpuvas-kernel", "The driver's own mappings.", kernel_mappings},
    {"gems-labels", "Sizes, offsets and labels of buffers. [B5.5]", gems_with_labels},
    {"gems-kernel", "The driver's own buffers. [B5.5]", gems_of_the_driver},
    {"gems-absent", "Not there before 1.4. [B5.5]", no_gems_before_1_4},
    {"ways-to-open", "By directory and as a stream.", ways_to_open},
    {"clients", "Whose files are open.", clients},
    {"gem-names", "What FLINK has named.", gem_names},
    {"minors", "One directory by three names.", minors},
    {"reopened", "F_GETFL and freopen().", reopened},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
