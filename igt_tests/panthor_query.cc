// SPDX-License-Identifier: MIT

#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <cstddef>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/bo.h"
#include "igt_tests/lib/cases.h"
#include "igt_tests/lib/clock.h"
#include "igt_tests/lib/group.h"
#include "igt_tests/lib/syncobj.h"

IGT_TEST_DESCRIPTION("What the device says of itself, and how ioctls are dispatched.");

using gpu::Bo;
using gpu::Case;
using gpu::Device;
using gpu::Syncobj;
using gpu::UniqueFd;

namespace {

constexpr uint8_t kFill = 0xA5;

// One query into a buffer of 256 bytes filled with kFill, of which `size` are offered.
struct Query {
  std::array<uint8_t, 256> bytes;
  uint32_t size_after = 0;

  int run(const Device& device, uint32_t type, uint32_t size) {
    bytes.fill(kFill);
    drm_panthor_dev_query query{type, size, reinterpret_cast<uint64_t>(bytes.data())};
    const int number = igt::ioctl_errno(device.fd(), DRM_IOCTL_PANTHOR_DEV_QUERY, &query);
    size_after = query.size;
    return number;
  }

  bool all_equal(size_t from, size_t to, uint8_t value) const {
    for (size_t i = from; i < to; ++i) {
      if (bytes[i] != value) return false;
    }
    return true;
  }
};

uint32_t known_size(const Device& device, uint32_t type) {
  drm_panthor_dev_query query{type, 12345, 0};
  do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_DEV_QUERY, &query);
  return query.size;
}

void version(const Device& device) {
  drmVersionPtr version = drmGetVersion(device.fd());
  igt_assert(version != nullptr);
  const bool is_panthor = strcmp(version->name, "panthor") == 0 && version->name_len == 7;
  const int major = version->version_major;
  const int patch = version->version_patchlevel;
  drmFreeVersion(version);
  igt_assert(is_panthor);
  igt_assert_eq(major, 1);
  igt_assert_eq(patch, 0);
}

void version_lengths(const Device& device) {
  char name[4] = {'x', 'x', 'x', 'x'};
  drm_version request{};
  request.name = name;
  request.name_len = 3;
  do_ioctl(device.fd(), DRM_IOCTL_VERSION, &request);
  igt_assert_eq(request.name_len, 7);
  igt_assert(memcmp(name, "panx", 4) == 0);
  igt_assert_lt(0, request.desc_len);
  igt_assert_lt(0, request.date_len);
}

void capabilities(const Device& device) {
  uint64_t value = 0;
  igt_assert_eq(drmGetCap(device.fd(), DRM_CAP_PRIME, &value), 0);
  igt_assert_eq(value, DRM_PRIME_CAP_IMPORT | DRM_PRIME_CAP_EXPORT);
  igt_assert_eq(drmGetCap(device.fd(), DRM_CAP_SYNCOBJ, &value), 0);
  igt_assert_eq(value, 1);
  igt_assert_eq(drmGetCap(device.fd(), DRM_CAP_SYNCOBJ_TIMELINE, &value), 0);
  igt_assert_eq(value, 1);
  igt_assert_eq(drmGetCap(device.fd(), DRM_CAP_TIMESTAMP_MONOTONIC, &value), 0);
  igt_assert_eq(value, 1);
  drm_get_cap request{};
  request.capability = DRM_CAP_DUMB_BUFFER;
  do_ioctl_err(device.fd(), DRM_IOCTL_GET_CAP, &request, EOPNOTSUPP);
}

void gpu_info_size(const Device& device) {
  const uint32_t size = known_size(device, DRM_PANTHOR_DEV_QUERY_GPU_INFO);
  // gpu_features came in somewhere between 1.5 and 1.7.
  if (device.minor() < 5)
    igt_assert_eq(size, 104);
  else if (device.minor() >= 7)
    igt_assert_eq(size, 112);
  else
    igt_assert(size == 104 || size == 112);
}

void gpu_info_sane(const Device& device) {
  const drm_panthor_gpu_info& info = device.info();
  igt_assert_lte(10, DRM_PANTHOR_ARCH_MAJOR(info.gpu_id));
  igt_assert_lte(32, device.va_bits());
  igt_assert_lte(device.va_bits(), 48);
  igt_assert_lte(32, (info.mmu_features >> 8) & 0xFF);
  igt_assert_lte(1, std::popcount(info.shader_present));
  igt_assert_lte(1, std::popcount(info.l2_present));
  igt_assert_lte(1, std::popcount(info.tiler_present));
  // The firmware's address space and at least one for clients.
  igt_assert_eq(info.as_present & 1, 1);
  igt_assert_lte(2, std::popcount(info.as_present));
  igt_assert_neq(info.max_threads, 0);
  igt_assert_neq(info.thread_max_workgroup_size, 0);
  igt_assert_eq(info.pad, 0);
  if (device.minor() < 7)
    igt_assert_eq(info.pad0, 0);
  else
    igt_assert(info.selected_coherency == DRM_PANTHOR_GPU_COHERENCY_ACE_LITE ||
               info.selected_coherency == DRM_PANTHOR_GPU_COHERENCY_NONE);
}

void gpu_info_minimum(const Device& device) {
  Query whole;
  Query least;
  igt_assert_eq(whole.run(device, DRM_PANTHOR_DEV_QUERY_GPU_INFO, 104), 0);
  igt_assert_eq(least.run(device, DRM_PANTHOR_DEV_QUERY_GPU_INFO, 96), 0);
  igt_assert(memcmp(whole.bytes.data(), least.bytes.data(), 96) == 0);
  igt_assert(least.all_equal(96, 256, kFill));
  igt_assert_eq(least.size_after, 96);
}

void gpu_info_too_short(const Device& device) {
  Query query;
  igt_assert_eq(query.run(device, DRM_PANTHOR_DEV_QUERY_GPU_INFO, 95), EINVAL);
  igt_assert(query.all_equal(0, 256, kFill));
}

void gpu_info_truncated(const Device& device) {
  Query query;
  igt_assert_eq(query.run(device, DRM_PANTHOR_DEV_QUERY_GPU_INFO, 100), 0);
  uint32_t core_features = 0;
  memcpy(&core_features, &query.bytes[96], sizeof(core_features));
  igt_assert_eq(core_features, device.info().core_features);
  igt_assert(query.all_equal(100, 256, kFill));
}

void long_tail_is_zeroed(const Device& device) {
  for (const uint32_t type : {DRM_PANTHOR_DEV_QUERY_GPU_INFO, DRM_PANTHOR_DEV_QUERY_CSIF_INFO}) {
    const uint32_t size = known_size(device, type);
    Query query;
    igt_assert_eq(query.run(device, type, 200), 0);
    igt_assert(query.all_equal(size, 200, 0));
    igt_assert(query.all_equal(200, 256, kFill));
    igt_assert_eq(query.size_after, 200);
  }
}

void csif_info(const Device& device) {
  igt_assert_eq(known_size(device, DRM_PANTHOR_DEV_QUERY_CSIF_INFO), 24);
  const drm_panthor_csif_info& csif = device.csif();
  igt_assert_lte(3, csif.csg_slot_count);
  igt_assert_lte(csif.csg_slot_count, 31);
  igt_assert_lte(8, csif.cs_slot_count);
  igt_assert_lte(csif.cs_slot_count, 32);
  igt_assert_lte(96, csif.cs_reg_count);
  igt_assert_lte(8, csif.scoreboard_slot_count);
  igt_assert_eq(csif.unpreserved_cs_reg_count, 4);
  igt_assert_eq(csif.pad, 0);
  Query query;
  igt_assert_eq(query.run(device, DRM_PANTHOR_DEV_QUERY_CSIF_INFO, 23), EINVAL);
}

void size_zero(const Device& device) {
  Query query;
  igt_assert_eq(query.run(device, DRM_PANTHOR_DEV_QUERY_GPU_INFO, 0), EINVAL);
  igt_assert_eq(query.run(device, DRM_PANTHOR_DEV_QUERY_CSIF_INFO, 0), EINVAL);
  if (device.minor() >= 1) {
    igt_assert_eq(query.run(device, DRM_PANTHOR_DEV_QUERY_TIMESTAMP_INFO, 0), EINVAL);
  }
  if (device.minor() >= 2) {
    igt_assert_eq(query.run(device, DRM_PANTHOR_DEV_QUERY_GROUP_PRIORITIES_INFO, 0), EINVAL);
  }
}

void unknown_types(const Device& device) {
  drm_panthor_dev_query query{1000, 0, 0};
  do_ioctl_err(device.fd(), DRM_IOCTL_PANTHOR_DEV_QUERY, &query, EINVAL);
  Query with_buffer;
  igt_assert_eq(with_buffer.run(device, 1000, 64), EINVAL);
  // Types of a later version are unknown, too.
  const struct {
    uint32_t type;
    int minor;
  } later[] = {{DRM_PANTHOR_DEV_QUERY_TIMESTAMP_INFO, 1},
               {DRM_PANTHOR_DEV_QUERY_GROUP_PRIORITIES_INFO, 2},
               {DRM_PANTHOR_DEV_QUERY_MMU_INFO, 9}};
  for (const auto& each : later) {
    drm_panthor_dev_query probe{each.type, 0, 0};
    const int expected = device.minor() >= each.minor ? 0 : EINVAL;
    igt_assert_eq(igt::ioctl_errno(device.fd(), DRM_IOCTL_PANTHOR_DEV_QUERY, &probe), expected);
  }
}

void bad_pointers(const Device& device) {
  drm_panthor_dev_query query{DRM_PANTHOR_DEV_QUERY_GPU_INFO, 104, 8};
  do_ioctl_err(device.fd(), DRM_IOCTL_PANTHOR_DEV_QUERY, &query, EFAULT);
  void* readable = mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  igt_assert(readable != MAP_FAILED);
  query = {DRM_PANTHOR_DEV_QUERY_CSIF_INFO, 24, reinterpret_cast<uint64_t>(readable)};
  do_ioctl_err(device.fd(), DRM_IOCTL_PANTHOR_DEV_QUERY, &query, EFAULT);
  munmap(readable, 4096);
}

void bad_argument_pointer(const Device& device) {
  do_ioctl_err(device.fd(), DRM_IOCTL_PANTHOR_DEV_QUERY, nullptr, EFAULT);
  do_ioctl_err(device.fd(), DRM_IOCTL_PANTHOR_VM_CREATE, nullptr, EFAULT);
  // The answer finds no room in it; what is only read needs none.
  auto* const pages = static_cast<std::byte*>(
      mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  igt_assert(pages != MAP_FAILED);
  igt_assert_eq(mprotect(pages, 4096, PROT_READ), 0);
  igt_assert_eq(mprotect(pages + 4096, 4096, PROT_NONE), 0);
  for (const int offset : {0, 4096 - int{sizeof(drm_panthor_dev_query)}})
    do_ioctl_err(device.fd(), DRM_IOCTL_PANTHOR_DEV_QUERY, pages + offset, EFAULT);
  do_ioctl_err(device.fd(), DRM_IOCTL_GEM_CLOSE, pages, EINVAL);
  do_ioctl_err(device.fd(), DRM_IOCTL_GEM_CLOSE, pages + 4096 - 4, EFAULT);
  // Nothing of those answers comes later.
  drm_panthor_dev_query sizes{DRM_PANTHOR_DEV_QUERY_GPU_INFO, 0, 0};
  do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_DEV_QUERY, &sizes);
  igt_assert_lt(0, static_cast<int>(sizes.size));
  munmap(pages, 8192);
}

void timestamp_info(const Device& device) {
  igt_require_f(device.minor() >= 1, "needs uAPI 1.1\n");
  igt_assert_eq(known_size(device, DRM_PANTHOR_DEV_QUERY_TIMESTAMP_INFO),
                device.minor() >= 8 ? 56 : 24);
  uint64_t last = 0;
  for (int i = 0; i < 2; ++i) {
    drm_panthor_timestamp_info info{};
    drm_panthor_dev_query query{DRM_PANTHOR_DEV_QUERY_TIMESTAMP_INFO, 24,
                                reinterpret_cast<uint64_t>(&info)};
    do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_DEV_QUERY, &query);
    igt_assert_lte(last, info.current_timestamp);
    last = info.current_timestamp;
    usleep(2000);
  }
  igt_assert_neq(last, 0);
}

drm_panthor_timestamp_info timestamps(const Device& device, uint32_t flags) {
  drm_panthor_timestamp_info info;
  memset(&info, 0xFF, sizeof(info));
  info.flags = flags;
  drm_panthor_dev_query query{DRM_PANTHOR_DEV_QUERY_TIMESTAMP_INFO, sizeof(info),
                              reinterpret_cast<uint64_t>(&info)};
  do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_DEV_QUERY, &query);
  igt_assert_eq(info.flags, flags);
  return info;
}

void timestamp_flags(const Device& device) {
  igt_require_f(device.minor() >= 8, "needs uAPI 1.8\n");
  const drm_panthor_timestamp_info old = timestamps(device, 0);
  igt_assert_neq(old.current_timestamp, 0);
  igt_assert_eq(old.cycle_count, 0);
  igt_assert_eq(old.duration_nsec, 0);
  igt_assert_eq(old.cpu_timestamp_sec, 0);
  igt_assert_eq(old.cpu_timestamp_nsec, 0);

  const drm_panthor_timestamp_info gpu = timestamps(device, DRM_PANTHOR_TIMESTAMP_GPU);
  igt_assert_lte(old.current_timestamp, gpu.current_timestamp);
  igt_assert_eq(gpu.timestamp_frequency, 0);
  igt_assert_eq(timestamps(device, DRM_PANTHOR_TIMESTAMP_FREQ).timestamp_frequency,
                old.timestamp_frequency);
  igt_assert_eq(timestamps(device, DRM_PANTHOR_TIMESTAMP_FREQ).current_timestamp, 0);

  const int64_t before = gpu::now_ns();
  const drm_panthor_timestamp_info cpu = timestamps(
      device, DRM_PANTHOR_TIMESTAMP_CPU_MONOTONIC | DRM_PANTHOR_TIMESTAMP_GPU_CYCLE_COUNT |
                  DRM_PANTHOR_TIMESTAMP_DURATION);
  const int64_t after = gpu::now_ns();
  igt_assert_eq(cpu.current_timestamp, 0);
  igt_assert_lt(cpu.cpu_timestamp_nsec, 1000000000);
  const auto stamp =
      static_cast<int64_t>(cpu.cpu_timestamp_sec * 1000000000 + cpu.cpu_timestamp_nsec);
  igt_assert_lte(before, stamp);
  igt_assert_lte(stamp, after);
  igt_assert_lte(cpu.duration_nsec, after - before);
  // From one resume to the next; the GPU may be asleep by the time of the second query.
  igt_assert(gpu::wait_until(gpu::kPatience, [&] {
    const auto cycles = [&] {
      return uint64_t{timestamps(device, DRM_PANTHOR_TIMESTAMP_GPU_CYCLE_COUNT).cycle_count};
    };
    const uint64_t first = cycles();
    usleep(2000);
    return first < cycles();
  }));

  for (const uint32_t bad : {3U << 1, 7U << 1, 1U << 8, 1U << 31}) {
    drm_panthor_timestamp_info info{};
    info.flags = bad;
    drm_panthor_dev_query query{DRM_PANTHOR_DEV_QUERY_TIMESTAMP_INFO, sizeof(info),
                                reinterpret_cast<uint64_t>(&info)};
    do_ioctl_err(device.fd(), DRM_IOCTL_PANTHOR_DEV_QUERY, &query, EINVAL);
  }
}

void group_priorities(const Device& device) {
  igt_require_f(device.minor() >= 2, "needs uAPI 1.2\n");
  igt_assert_eq(known_size(device, DRM_PANTHOR_DEV_QUERY_GROUP_PRIORITIES_INFO), 4);
  drm_panthor_group_priorities_info info{};
  drm_panthor_dev_query query{DRM_PANTHOR_DEV_QUERY_GROUP_PRIORITIES_INFO, sizeof(info),
                              reinterpret_cast<uint64_t>(&info)};
  do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_DEV_QUERY, &query);
  igt_assert_eq(info.allowed_mask & 0x3, 0x3);
  igt_assert_eq(info.allowed_mask & ~0xF, 0);
  // Neither half of the upper two without the other, and true.
  igt_assert(info.allowed_mask == 0x3 || info.allowed_mask == 0xF);
  const gpu::Vm vm = gpu::Vm::create(device);
  for (uint8_t priority = 0; priority <= PANTHOR_GROUP_PRIORITY_REALTIME; ++priority) {
    drm_panthor_queue_create queue{0, {}, 4096};
    drm_panthor_group_create request = gpu::group_request(device, vm.id(), &queue, 1);
    request.priority = priority;
    const int number = igt::ioctl_errno(device.fd(), DRM_IOCTL_PANTHOR_GROUP_CREATE, &request);
    igt_assert_eq(number, info.allowed_mask >> priority & 1 ? 0 : EACCES);
    if (number != 0) continue;
    drm_panthor_group_destroy destroy{request.group_handle, 0};
    do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_GROUP_DESTROY, &destroy);
  }
}

void mmu_info(const Device& device) {
  igt_require_f(device.minor() >= 9, "needs uAPI 1.9\n");
  drm_panthor_mmu_info info{};
  drm_panthor_dev_query query{DRM_PANTHOR_DEV_QUERY_MMU_INFO, sizeof(info),
                              reinterpret_cast<uint64_t>(&info)};
  do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_DEV_QUERY, &query);
  igt_assert_eq(info.page_size_bitmap, 0x201000);
}

void render_node(const Device& device) {
  const Device render = Device::open_render();
  igt_assert_eq(render.minor(), device.minor());
  igt_assert(memcmp(&render.info(), &device.info(), sizeof(drm_panthor_gpu_info)) == 0);
  igt_assert(memcmp(&render.csif(), &device.csif(), sizeof(drm_panthor_csif_info)) == 0);
  drm_auth magic{};
  do_ioctl_err(render.fd(), DRM_IOCTL_GET_MAGIC, &magic, EACCES);
  drm_gem_flink flink{};
  do_ioctl_err(render.fd(), DRM_IOCTL_GEM_FLINK, &flink, EACCES);
}

void dispatch(const Device& device) {
  uint64_t argument[16] = {};
  // Behind the driver's table, a hole of the core, another type letter.
  do_ioctl_err(device.fd(), DRM_IOWR(DRM_COMMAND_BASE + 0x3F, uint64_t[2]), argument, EINVAL);
  do_ioctl_err(device.fd(), DRM_IOWR(0x04, uint64_t[2]), argument, EINVAL);
  igt_assert_eq(ioctl(device.fd(), _IOWR('x', 0x40, uint64_t[2]), argument), -1);
  igt_assert_eq(errno, ENOTTY);
  // Calls that a later version brought.
  const struct {
    unsigned long request;
    int minor;
    int present;  // errno for an argument of zeroes
  } later[] = {{DRM_IOCTL_PANTHOR_BO_SET_LABEL, 4, ENOENT},
               {DRM_IOCTL_PANTHOR_SET_USER_MMIO_OFFSET, 5, EINVAL},
               {DRM_IOCTL_PANTHOR_BO_SYNC, 7, 0},
               {DRM_IOCTL_PANTHOR_BO_QUERY_INFO, 7, ENOENT}};
  for (const auto& each : later) {
    uint64_t zeroes[4] = {};
    const int expected = device.minor() >= each.minor ? each.present : EINVAL;
    igt_assert_eq(igt::ioctl_errno(device.fd(), each.request, zeroes), expected);
  }
}

void argument_sizes(const Device& device) {
  // A caller that knows only the first 8 bytes: the rest reads as zero, so that this asks for the
  // size of GPU_INFO, and only 8 bytes come back.
  struct {
    uint32_t type = DRM_PANTHOR_DEV_QUERY_CSIF_INFO;
    uint32_t size = 0;
    uint64_t canary = 0x1234567812345678;
  } small;
  do_ioctl(device.fd(), DRM_IOC(DRM_IOC_READWRITE, DRM_IOCTL_BASE, DRM_COMMAND_BASE, 8), &small);
  igt_assert_eq(small.size, 24);
  igt_assert_eq(small.canary, 0x1234567812345678u);
  // A caller that knows more: the surplus is not looked at.
  struct {
    drm_panthor_dev_query query{DRM_PANTHOR_DEV_QUERY_CSIF_INFO, 0, 0};
    uint64_t surplus[2] = {1, 2};
  } large;
  do_ioctl(device.fd(), DRM_IOC(DRM_IOC_READWRITE, DRM_IOCTL_BASE, DRM_COMMAND_BASE, sizeof(large)),
           &large);
  igt_assert_eq(large.query.size, 24);
  igt_assert_eq(large.surplus[0], 1);
  igt_assert_eq(large.surplus[1], 2);
}

constexpr unsigned long with_size(unsigned long command, unsigned size) {
  return DRM_IOC(DRM_IOC_READWRITE, DRM_IOCTL_BASE, _IOC_NR(command), size);
}

// The number that the next new descriptor has.
int next_descriptor() { return UniqueFd(dup(STDERR_FILENO)).get(); }

// A new descriptor's number is not written where the caller's struct has ended; the descriptor is
// there nevertheless.
void descriptor_past_the_end(const Device& device) {
  const Bo bo = Bo::create(device, 4096);
  const Syncobj syncobj = Syncobj::create(device);
  drm_prime_handle prime{bo.handle(), DRM_CLOEXEC, 0x12345678};
  do_ioctl(device.fd(), DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime);
  close(prime.fd);
  const auto installed = [&](unsigned long command, auto& argument) {
    const int next = next_descriptor();
    argument.fd = 0x12345678;
    do_ioctl(device.fd(), command, &argument);
    igt_assert_eq(fcntl(next, F_GETFD), FD_CLOEXEC);
    return UniqueFd(next);
  };
  installed(with_size(DRM_IOCTL_PRIME_HANDLE_TO_FD, 8), prime);
  igt_assert_eq(prime.fd, 0x12345678);
  installed(DRM_IOW(_IOC_NR(DRM_IOCTL_PRIME_HANDLE_TO_FD), drm_prime_handle), prime);
  igt_assert_eq(prime.fd, 0x12345678);
  const UniqueFd half = installed(with_size(DRM_IOCTL_PRIME_HANDLE_TO_FD, 10), prime);
  igt_assert_eq(prime.fd, 0x12340000 | half.get());
  drm_syncobj_handle request{};
  request.handle = syncobj.handle();
  installed(with_size(DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, 8), request);
  igt_assert_eq(request.fd, 0x12345678);
}

// And one that goes in is not read there: it is 0 then.
void descriptor_in_past_the_end(const Device& device) {
  const Bo bo = Bo::create(device, 4096);
  const Syncobj syncobj = Syncobj::create(device);
  const UniqueFd dma_buf = bo.export_fd();
  const UniqueFd of_syncobj = syncobj.export_syncobj();
  const UniqueFd event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const UniqueFd input(dup(STDIN_FILENO));
  const auto with_input = [&](const UniqueFd& file, unsigned long command, auto& argument) {
    igt_assert_eq(dup2(file.get(), STDIN_FILENO), STDIN_FILENO);
    argument.fd = -1;
    const int error = igt::ioctl_errno(device.fd(), command, &argument);
    if (input.get() >= 0)
      dup2(input.get(), STDIN_FILENO);
    else
      close(STDIN_FILENO);
    igt_assert_eq(error, 0);
    igt_assert_eq(argument.fd, -1);
  };
  drm_prime_handle prime{};
  with_input(dma_buf, with_size(DRM_IOCTL_PRIME_FD_TO_HANDLE, 8), prime);
  igt_assert_eq(prime.handle, bo.handle());
  with_input(dma_buf, DRM_IO(_IOC_NR(DRM_IOCTL_PRIME_FD_TO_HANDLE)), prime);
  drm_syncobj_handle request{};
  with_input(of_syncobj, with_size(DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, 8), request);
  igt_assert_neq(request.handle, 0);
  Syncobj::adopt(device, request.handle);
  drm_syncobj_eventfd registration{syncobj.handle(), 0, 0, 0, 0};
  with_input(event, with_size(DRM_IOCTL_SYNCOBJ_EVENTFD, 16), registration);
}

void no_display(const Device& device) {
  drm_mode_create_dumb dumb{};
  dumb.width = dumb.height = 64;
  dumb.bpp = 32;
  do_ioctl_err(device.fd(), DRM_IOCTL_MODE_CREATE_DUMB, &dumb, ENOSYS);
  drm_set_client_cap cap{};
  cap.capability = DRM_CLIENT_CAP_UNIVERSAL_PLANES;
  cap.value = 1;
  do_ioctl_err(device.fd(), DRM_IOCTL_SET_CLIENT_CAP, &cap, EOPNOTSUPP);
}

constexpr uint64_t kFlushPage = DRM_PANTHOR_USER_FLUSH_ID_MMIO_OFFSET;

void* map_mmio(const Device& device, size_t size, int protection, int flags, uint64_t offset) {
  errno = 0;
  return mmap(nullptr, size, protection, flags, device.fd(), static_cast<off_t>(offset));
}

void flush_id(const Device& device) {
  void* page = map_mmio(device, 4096, PROT_READ, MAP_SHARED, kFlushPage);
  igt_assert(page != MAP_FAILED);
  const uint32_t value = *static_cast<volatile uint32_t*>(page);
  igt_assert_neq(value, 0);
  errno = 0;
  igt_assert_eq(mprotect(page, 4096, PROT_READ | PROT_WRITE), -1);
  igt_assert_eq(errno, EACCES);
  munmap(page, 4096);
}

void flush_id_bad_mappings(const Device& device) {
  const struct {
    size_t size;
    int protection;
    int flags;
    uint64_t offset;
  } bad[] = {
      {4096, PROT_READ | PROT_WRITE, MAP_SHARED, kFlushPage},
      {4096, PROT_READ | PROT_EXEC, MAP_SHARED, kFlushPage},
      {4096, PROT_READ, MAP_PRIVATE, kFlushPage},
      {8192, PROT_READ, MAP_SHARED, kFlushPage},
      {4096, PROT_READ, MAP_SHARED, kFlushPage + 4096},
  };
  for (const auto& each : bad) {
    void* page = map_mmio(device, each.size, each.protection, each.flags, each.offset);
    igt_assert(page == MAP_FAILED);
    // Where /dev is mounted noexec, the kernel refuses PROT_EXEC before the driver can.
    if ((each.protection & PROT_EXEC) != 0 && errno == EPERM) continue;
    igt_assert_eq(errno, EINVAL);
  }
  // The window of 32-bit processes is not this process's.
  igt_assert(map_mmio(device, 4096, PROT_READ, MAP_SHARED, DRM_PANTHOR_USER_MMIO_OFFSET_32BIT) ==
             MAP_FAILED);
}

void user_mmio_offset(const Device& opened) {
  igt_require_f(opened.minor() >= 5, "needs uAPI 1.5\n");
  const Device device = opened.open_again();
  drm_panthor_set_user_mmio_offset request{DRM_PANTHOR_USER_MMIO_OFFSET_32BIT};
  do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_SET_USER_MMIO_OFFSET, &request);
  igt_assert(map_mmio(device, 4096, PROT_READ, MAP_SHARED, DRM_PANTHOR_USER_MMIO_OFFSET_64BIT) ==
             MAP_FAILED);
  void* page = map_mmio(device, 4096, PROT_READ, MAP_SHARED, DRM_PANTHOR_USER_MMIO_OFFSET_32BIT);
  igt_assert(page != MAP_FAILED);
  munmap(page, 4096);
  for (const uint64_t bad : {uint64_t{0}, uint64_t{1} << 44, (uint64_t{1} << 56) + 4096}) {
    request.offset = bad;
    do_ioctl_err(device.fd(), DRM_IOCTL_PANTHOR_SET_USER_MMIO_OFFSET, &request, EINVAL);
  }
  // Another file has its own window.
  page = map_mmio(opened, 4096, PROT_READ, MAP_SHARED, kFlushPage);
  igt_assert(page != MAP_FAILED);
  munmap(page, 4096);
}

constexpr Case kCases[] = {
    {"version", "The driver is panthor 1.x.0. [B1.1]", version},
    {"version-lengths", "VERSION tells full lengths and writes only what was asked for. [B1.1]",
     version_lengths},
    {"capabilities", "PRIME, syncobjs and timelines are there; dumb buffers are not. [B2.6]",
     capabilities},
    {"gpu-info-size", "Size of GPU_INFO of this version. [A2.1 A2.4]", gpu_info_size},
    {"gpu-info-sane", "GPU_INFO describes a possible GPU. [A2.3 A2.15]", gpu_info_sane},
    {"gpu-info-minimum", "GPU_INFO can be cut to 96 bytes. [A1.8 A1.11 A2.4]", gpu_info_minimum},
    {"gpu-info-too-short", "GPU_INFO of 95 bytes is refused and nothing is written. [A1.7 A2.4]",
     gpu_info_too_short},
    {"gpu-info-truncated", "Only the bytes asked for are written.", gpu_info_truncated},
    {"long-tail-is-zeroed", "Bytes that the driver does not know are zeroed. [A1.9 A1.11]",
     long_tail_is_zeroed},
    {"csif-info", "CSIF_INFO describes a possible interface. [A2.5]", csif_info},
    {"size-zero", "A buffer of no bytes is refused. [A1.7 A2.11]", size_zero},
    {"unknown-types", "Query types unknown to this version are refused. [A2.2]", unknown_types},
    {"bad-pointers", "A buffer that cannot be written gives EFAULT. [A1.10]", bad_pointers},
    {"bad-argument-pointer",
     "An argument that cannot be read, or written where it is answered, gives EFAULT. [A0.4]",
     bad_argument_pointer},
    {"timestamp-info", "GPU time does not run backwards. [A2.6]", timestamp_info},
    {"timestamp-flags", "The caller chooses which clocks it is told. [A2.7 A2.8 A2.9]",
     timestamp_flags},
    {"group-priorities", "LOW and MEDIUM are allowed to everybody. [A2.12 A2.13]",
     group_priorities},
    {"mmu-info", "Leaves are of 4 KiB and 2 MiB. [A2.14]", mmu_info},
    {"render-node",
     "The render node is the same device without the primary node's calls. [A0.9 B2.1]",
     render_node},
    {"dispatch", "Unknown calls give EINVAL, foreign ones ENOTTY. [A0.1 A0.3 A0.11]", dispatch},
    {"argument-sizes", "Shorter and longer argument structs are understood. [A0.5 A0.6]",
     argument_sizes},
    {"descriptor-past-the-end", "A number is written into the caller's struct only. [A0.5 A0.7]",
     descriptor_past_the_end},
    {"descriptor-in-past-the-end", "A number that is not passed is 0. [A0.5 A0.7]",
     descriptor_in_past_the_end},
    {"no-display", "There is nothing to display with. [B2.2 B2.3]", no_display},
    {"flush-id", "The page of the flush id can be read and never written. [H2.2 H2.4]", flush_id},
    {"flush-id-bad-mappings", "Only the one correct mapping of the flush id is allowed. [H2.1]",
     flush_id_bad_mappings},
    {"user-mmio-offset", "Each file chooses where its MMIO window lies. [A12.1 A12.2]",
     user_mmio_offset},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
