// SPDX-License-Identifier: MIT

#include <fcntl.h>
#include <linux/dma-buf.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/bench.h"
#include "igt_tests/lib/cases.h"

IGT_TEST_DESCRIPTION("What /proc/self/fdinfo says of a client, and names of dma-bufs.");

using namespace gpu;

namespace {

constexpr int kFirstMinor = 1;        // with keys of DRM's
constexpr int kFirstMinorMemory = 4;  // with memory

// Key to value, without the blanks between.
using Keys = std::map<std::string, std::string>;

std::string read_all(int fd) {
  std::string text;
  char part[512];
  for (ssize_t size = 0; (size = read(fd, part, sizeof part)) > 0;)
    text.append(part, static_cast<size_t>(size));
  return text;
}

Keys keys_in(const std::string& text) {
  Keys keys;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    igt_assert_f(end != std::string::npos, "a line without an end\n");
    const std::string line = text.substr(at, end - at);
    const size_t colon = line.find(':');
    igt_assert_f(colon != std::string::npos, "no key: %s\n", line.c_str());
    const size_t value = line.find_first_not_of(" \t", colon + 1);
    const bool is_new =
        keys.emplace(line.substr(0, colon), value == std::string::npos ? "" : line.substr(value))
            .second;
    igt_assert_f(is_new, "twice: %s\n", line.c_str());
    at = end + 1;
  }
  return keys;
}

std::string path_of(int fd) { return "/proc/self/fdinfo/" + std::to_string(fd); }

Keys fdinfo(int fd) {
  const UniqueFd file(open(path_of(fd).c_str(), O_RDONLY | O_CLOEXEC));
  igt_assert_fd(file.get());
  return keys_in(read_all(file.get()));
}

void require_minor(const Device& device, int minor) {
  igt_require_f(device.minor() >= minor, "uAPI 1.%d\n", device.minor());
}

uint64_t bytes_of(const Keys& keys, const char* key) {
  const auto found = keys.find(key);
  igt_assert_f(found != keys.end(), "no %s\n", key);
  uint64_t number = 0;
  char unit[8] = "";
  igt_assert_lte(1, sscanf(found->second.c_str(), "%lu %7s", &number, unit));
  if (strcmp(unit, "KiB") == 0) return number << 10;
  if (strcmp(unit, "MiB") == 0) return number << 20;
  igt_assert_f(unit[0] == '\0', "a unit of its own: %s\n", unit);
  return number;
}

void common_lines(const Device& device) {
  const Keys keys = fdinfo(device.fd());
  for (const char* key : {"pos", "flags", "mnt_id", "ino"})
    igt_assert_f(keys.contains(key), "no %s\n", key);
  igt_assert(!keys.contains("scm_fds"));
}

void who_it_is(const Device& device) {
  require_minor(device, kFirstMinor);
  const Keys keys = fdinfo(device.fd());
  igt_assert(keys.at("drm-driver") == "panthor");
  igt_assert(!keys.at("drm-client-id").empty());
  const std::string& most = keys.at("drm-maxfreq-panthor");
  igt_assert(most.ends_with(" Hz") && most.find_first_not_of("0123456789") == most.size() - 3);
  igt_assert(keys.at("drm-curfreq-panthor").ends_with(" Hz"));
}

void nothing_before(const Device& device) {
  igt_require_f(device.minor() < kFirstMinor, "uAPI 1.%d\n", device.minor());
  igt_assert(!fdinfo(device.fd()).contains("drm-driver"));
}

void clients(const Device& device) {
  require_minor(device, kFirstMinor);
  const std::string id = fdinfo(device.fd()).at("drm-client-id");
  const Device other = device.open_again();
  igt_assert(fdinfo(other.fd()).at("drm-client-id") != id);
  // A client is an open file, whatever its number.
  const UniqueFd copy(dup(device.fd()));
  igt_assert(fdinfo(copy.get()).at("drm-client-id") == id);
}

void ways_to_open(const Device& device) {
  require_minor(device, kFirstMinor);
  const std::string id = fdinfo(device.fd()).at("drm-client-id");
  for (const std::string& directory :
       {std::string("/proc/self/fdinfo"), "/proc/" + std::to_string(getpid()) + "/fdinfo"}) {
    const UniqueFd opened(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    igt_assert_fd(opened.get());
    const UniqueFd file(
        openat(opened.get(), std::to_string(device.fd()).c_str(), O_RDONLY | O_CLOEXEC));
    igt_assert_fd(file.get());
    igt_assert(keys_in(read_all(file.get())).at("drm-client-id") == id);
  }
  FILE* stream = fopen(path_of(device.fd()).c_str(), "re");
  igt_assert(stream != nullptr);
  std::string text;
  for (int c = 0; (c = fgetc(stream)) != EOF;) text += static_cast<char>(c);
  igt_assert(keys_in(text).at("drm-client-id") == id);
  // A stream that was another file before.
  stream = freopen(path_of(device.fd()).c_str(), "re", stream);
  igt_assert(stream != nullptr);
  text.clear();
  for (int c = 0; (c = fgetc(stream)) != EOF;) text += static_cast<char>(c);
  fclose(stream);
  igt_assert(keys_in(text).at("drm-client-id") == id);
}

// How the file was opened, in octal.
void flags_line(const Device&) {
  for (const int mode : {O_RDONLY, O_WRONLY, O_RDWR}) {
    const UniqueFd node(open("/dev/dri/renderD128", mode | O_NONBLOCK | O_CLOEXEC));
    const auto flags = std::stoul(fdinfo(node.get()).at("flags"), nullptr, 8);
    igt_assert_eq(flags & (O_ACCMODE | O_NONBLOCK | O_CLOEXEC),
                  static_cast<unsigned>(mode | O_NONBLOCK | O_CLOEXEC));
  }
}

void client_name(const Device& opened) {
  require_minor(opened, kFirstMinor);
  const Device device = opened.open_again();
  igt_assert(!fdinfo(device.fd()).contains("drm-client-name"));
  struct {
    uint64_t length;
    uint64_t name;
  } request{8, reinterpret_cast<uint64_t>("tester-1")};
  do_ioctl(device.fd(), _IOWR('d', 0xD1, decltype(request)), &request);
  igt_assert(fdinfo(device.fd()).at("drm-client-name") == "tester-1");
}

void memory_of_buffers(const Device& opened) {
  require_minor(opened, kFirstMinorMemory);
  const Device device = opened.open_again();
  const auto total = [&] { return bytes_of(fdinfo(device.fd()), "drm-total-memory"); };
  const auto shared = [&] { return bytes_of(fdinfo(device.fd()), "drm-shared-memory"); };
  igt_assert_eq(total(), 0);
  {
    const Bo small = Bo::create(device, kPage);
    const Bo large = Bo::create(device, 3 * kBlock);
    const Keys keys = fdinfo(device.fd());
    igt_assert_eq(bytes_of(keys, "drm-total-memory"), kPage + 3 * kBlock);
    igt_assert_eq(bytes_of(keys, "drm-shared-memory"), 0);
    igt_assert_eq(bytes_of(keys, "drm-active-memory"), 0);
    igt_assert_eq(bytes_of(keys, "drm-resident-memory"), kPage + 3 * kBlock);
    const UniqueFd dma_buf = small.export_fd();
    igt_assert_eq(shared(), kPage);
    const Device other = device.open_again();
    const Bo imported = Bo::import_fd(other, dma_buf.get());
    igt_assert_eq(bytes_of(fdinfo(other.fd()), "drm-total-memory"), kPage);
    igt_assert_eq(bytes_of(fdinfo(other.fd()), "drm-shared-memory"), kPage);
  }
  igt_assert_eq(total(), 0);
}

// Rings, sync objects and heap chunks are the driver's, on the client's account.
void memory_of_the_driver(const Device& opened) {
  require_minor(opened, kFirstMinorMemory);
  const Device device = opened.open_again();
  const auto resident = [&] { return bytes_of(fdinfo(device.fd()), "panthor-resident-memory"); };
  igt_assert_eq(resident(), 0);
  const Vm vm = Vm::create(device);
  igt_assert_eq(resident(), 0);
  const Group group = Group::create(vm, {2, 65536, PANTHOR_GROUP_PRIORITY_MEDIUM});
  const uint64_t with_group = resident();
  igt_assert_lte(2 * 65536, with_group);
  drm_panthor_tiler_heap_create heap{};
  heap.vm_id = vm.id();
  heap.initial_chunk_count = 3;
  heap.max_chunks = 5;
  heap.chunk_size = kBlock;
  do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_TILER_HEAP_CREATE, &heap);
  igt_assert_lte(with_group + 3 * kBlock, resident());
  igt_assert_lt(resident(), with_group + 4 * kBlock);
}

std::string link_of(int fd) {
  char name[128];
  const ssize_t length =
      readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), name, sizeof name);
  igt_assert_lt(0, length);
  return {name, static_cast<size_t>(length)};
}

int try_set_name(int dma_buf, const char* name) {
  return ioctl(dma_buf, DMA_BUF_SET_NAME_B, name) == 0 ? 0 : errno;
}

void name_of_a_dma_buf(const Device& device) {
  const Bo bo = Bo::create(device, 2 * kPage);
  const UniqueFd dma_buf = bo.export_fd();
  const Keys before = fdinfo(dma_buf.get());
  igt_assert(!before.contains("name"));
  igt_assert(before.at("size") == "8192");
  igt_assert(before.at("exp_name") == "drm");
  igt_assert(link_of(dma_buf.get()) == "/dmabuf:");
  igt_assert_eq(try_set_name(dma_buf.get(), "frame 7"), 0);
  igt_assert(fdinfo(dma_buf.get()).at("name") == "frame 7");
  igt_assert(link_of(dma_buf.get()) == "/dmabuf:frame 7");
  const std::string longest(31, 'n');
  igt_assert_eq(try_set_name(dma_buf.get(), longest.c_str()), 0);
  igt_assert_eq(try_set_name(dma_buf.get(), (longest + "n").c_str()), EINVAL);
  igt_assert_eq(try_set_name(dma_buf.get(), nullptr), EFAULT);
  igt_assert(link_of(dma_buf.get()) == "/dmabuf:" + longest);
  igt_assert_eq(ioctl(dma_buf.get(), DMA_BUF_SET_NAME_A, "a"), 0);
  // Of the dma-buf, whoever holds it.
  const UniqueFd again = bo.export_fd();
  igt_assert(fdinfo(again.get()).at("name") == "a");
}

constexpr Case kCases[] = {
    {"common-lines", "What every file has.", common_lines},
    {"driver-and-clock", "Driver, client and the GPU's clock. [B5.1]", who_it_is},
    {"nothing-on-1-0", "Linux 6.12 shows none of it. [B5.1]", nothing_before},
    {"client-id", "One for each open file.", clients},
    {"flags-line", "The flags that a node was opened with.", flags_line},
    {"ways-to-open", "By path, by directory and as a stream.", ways_to_open},
    {"client-name", "What the client calls itself.", client_name},
    {"memory", "Buffers by handle, shared ones too. [B5.2]", memory_of_buffers},
    {"driver-memory", "What the driver keeps for the client.", memory_of_the_driver},
    {"dma-buf-name", "DMA_BUF_SET_NAME, in fdinfo and in the link.", name_of_a_dma_buf},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
