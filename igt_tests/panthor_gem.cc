// SPDX-License-Identifier: MIT

#include <fcntl.h>
#include <sys/mman.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/bench.h"
#include "igt_tests/lib/cases.h"

IGT_TEST_DESCRIPTION("Buffers: creation, CPU mappings, and what the GPU sees of them.");

using namespace gpu;

namespace {

drm_panthor_bo_create bo_request(uint64_t size) {
  drm_panthor_bo_create request{};
  request.size = size;
  return request;
}

void expect_create(const Device& device, drm_panthor_bo_create request, int expected) {
  do_ioctl_err(device.fd(), DRM_IOCTL_PANTHOR_BO_CREATE, &request, expected);
}

void create_rounds_size(const Device& device) {
  const uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  for (const uint64_t size : {uint64_t{1}, page - 1, page, page + 1, 5 * page + 123}) {
    const Bo bo = Bo::create(device, size);
    igt_assert_eq(bo.size(), (size + page - 1) / page * page);
  }
}

void create_bad_arguments(const Device& device) {
  expect_create(device, bo_request(0), EINVAL);
  drm_panthor_bo_create request = bo_request(kPage);
  request.pad = 1;
  expect_create(device, request, EINVAL);
  for (const uint32_t flag : {1U << 2, 1U << 7, 1U << 31}) {
    request = bo_request(kPage);
    request.flags = flag;
    expect_create(device, request, EINVAL);
  }
  request = bo_request(kPage);
  request.flags = DRM_PANTHOR_BO_WB_MMAP;
  if (device.minor() < 7) expect_create(device, request, EINVAL);
  request.flags = DRM_PANTHOR_BO_WB_MMAP | DRM_PANTHOR_BO_NO_MMAP;
  expect_create(device, request, EINVAL);
  request = bo_request(kPage);
  request.exclusive_vm_id = 31;
  expect_create(device, request, EINVAL);
}

void create_huge_sizes(const Device& device) {
  drm_panthor_bo_create request = bo_request(~uint64_t{0});
  do_ioctl_err(device.fd(), DRM_IOCTL_PANTHOR_BO_CREATE, &request, ENOSPC);
  igt_assert_eq(request.size, ~uint64_t{0});
  expect_create(device, bo_request(uint64_t{1} << 63), EINVAL);
  expect_create(device, bo_request(uint64_t{2} << 40), ENOSPC);
}

void handles_are_lowest_free(const Device& opened) {
  const Device device = opened.open_again();
  std::vector<Bo> bos;
  for (uint32_t i = 1; i <= 4; ++i) {
    bos.push_back(Bo::create(device, kPage));
    igt_assert_eq(bos.back().handle(), i);
  }
  bos[1].close_handle();
  const Bo again = Bo::create(device, kPage);
  igt_assert_eq(again.handle(), 2);
}

void handles_belong_to_their_file(const Device& device) {
  const Device other = device.open_again();
  const Bo bo = Bo::create(device, kPage);
  drm_panthor_bo_mmap_offset request{};
  request.handle = bo.handle();
  do_ioctl_err(other.fd(), DRM_IOCTL_PANTHOR_BO_MMAP_OFFSET, &request, ENOENT);
  const uint64_t offset = bo.mmap_offset();
  errno = 0;
  igt_assert(mmap(nullptr, kPage, PROT_READ, MAP_SHARED, other.fd(), static_cast<off_t>(offset)) ==
             MAP_FAILED);
  igt_assert_eq(errno, EACCES);
}

void close_unknown_handle(const Device& opened) {
  const Device device = opened.open_again();
  for (const uint32_t handle : {0U, 1U, 4711U}) {
    drm_gem_close request{};
    request.handle = handle;
    do_ioctl_err(device.fd(), DRM_IOCTL_GEM_CLOSE, &request, EINVAL);
  }
  const uint32_t handle = [&] { return Bo::create(device, kPage).handle(); }();
  drm_gem_close request{};
  request.handle = handle;
  do_ioctl_err(device.fd(), DRM_IOCTL_GEM_CLOSE, &request, EINVAL);
}

void new_buffers_are_zeroed(const Device& device) {
  Bo bo = Bo::create(device, 3 * kPage);
  for (uint64_t i = 0; i < bo.size() / 8; ++i) igt_assert_eq(uint64_t{bo.quads()[i]}, 0);
}

void recycled_memory_is_zeroed(const Device& device) {
  for (int round = 0; round < 8; ++round) {
    Bo bo = Bo::create(device, 64 * kPage);
    for (uint64_t page = 0; page < 64; ++page) {
      igt_assert_eq(uint32_t{bo.word_at(page * kPage + 40)}, 0);
      bo.word_at(page * kPage + 40) = 0xFFFFFFFF;
    }
  }
}

void mmap_offset(const Device& device) {
  const Bo a = Bo::create(device, kPage);
  const Bo b = Bo::create(device, kPage);
  const uint64_t offset = a.mmap_offset();
  igt_assert_eq(a.mmap_offset(), offset);
  igt_assert_neq(b.mmap_offset(), offset);
  igt_assert_eq(offset % kPage, 0);
  // Test suites compare it as an int.
  igt_assert_neq(static_cast<uint32_t>(offset), 0);
  igt_assert_lt(offset, DRM_PANTHOR_USER_MMIO_OFFSET_32BIT);
}

void mmap_offset_bad_arguments(const Device& device) {
  const Bo bo = Bo::create(device, kPage);
  drm_panthor_bo_mmap_offset request{};
  request.handle = bo.handle();
  request.pad = 1;
  do_ioctl_err(device.fd(), DRM_IOCTL_PANTHOR_BO_MMAP_OFFSET, &request, EINVAL);
  request.pad = 0;
  for (const uint32_t handle : {0U, 4711U}) {
    request.handle = handle;
    do_ioctl_err(device.fd(), DRM_IOCTL_PANTHOR_BO_MMAP_OFFSET, &request, ENOENT);
  }
}

void expect_no_mapping(const Device& device, size_t size, int protection, int flags,
                       uint64_t offset, int expected) {
  errno = 0;
  void* mapped = mmap(nullptr, size, protection, flags, device.fd(), static_cast<off_t>(offset));
  igt_assert(mapped == MAP_FAILED);
  igt_assert_eq(errno, expected);
}

void mmap_bad_arguments(const Device& device) {
  const Bo bo = Bo::create(device, 4 * kPage);
  const uint64_t offset = bo.mmap_offset();
  expect_no_mapping(device, 5 * kPage, PROT_READ, MAP_SHARED, offset, EINVAL);
  expect_no_mapping(device, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, offset, EINVAL);
  expect_no_mapping(device, kPage, PROT_READ, MAP_PRIVATE, offset, EINVAL);
  expect_no_mapping(device, kPage, PROT_READ, MAP_SHARED, offset + kPage, EINVAL);
  expect_no_mapping(device, kPage, PROT_READ, MAP_SHARED, 0, EINVAL);
}

void mmap_part(const Device& device) {
  Bo bo = Bo::create(device, 4 * kPage);
  bo.tag_pages(0x100);
  void* mapped = mmap(nullptr, kPage, PROT_READ, MAP_SHARED, device.fd(),
                      static_cast<off_t>(bo.mmap_offset()));
  igt_assert(mapped != MAP_FAILED);
  igt_assert_eq(uint32_t{*static_cast<volatile uint32_t*>(mapped)}, 0x100);
  munmap(mapped, kPage);
}

void mmap_twice(const Device& device) {
  Bo bo = Bo::create(device, 2 * kPage);
  void* second = mmap(nullptr, bo.size(), PROT_READ | PROT_WRITE, MAP_SHARED, device.fd(),
                      static_cast<off_t>(bo.mmap_offset()));
  igt_assert(second != MAP_FAILED);
  bo.word_at(kPage + 8) = 0x55AA;
  igt_assert_eq(uint32_t{static_cast<volatile uint32_t*>(second)[(kPage + 8) / 4]}, 0x55AA);
  static_cast<volatile uint32_t*>(second)[0] = 77;
  igt_assert_eq(uint32_t{bo.word_at(0)}, 77);
  munmap(second, bo.size());
}

void mapping_outlives_handle(const Device& device) {
  Bo bo = Bo::create(device, kPage);
  bo.word_at(0) = 1;
  bo.close_handle();
  // Somebody else may take the handle and new memory.
  Bo other = Bo::create(device, kPage);
  other.word_at(0) = 2;
  igt_assert_eq(uint32_t{bo.word_at(0)}, 1);
  bo.word_at(4) = 3;
  igt_assert_eq(uint32_t{other.word_at(4)}, 0);
}

void mapping_outlives_file(const Device& device) {
  Device other = device.open_again();
  Bo bo = Bo::create(other, 2 * kPage);
  bo.word_at(kPage) = 123;
  other.close();
  igt_assert_eq(uint32_t{bo.word_at(kPage)}, 123);
  bo.word_at(kPage) = 124;
  igt_assert_eq(uint32_t{bo.word_at(kPage)}, 124);
}

void no_mmap(const Device& device) {
  const Bo bo = Bo::create_with(device, kPage, DRM_PANTHOR_BO_NO_MMAP, 0);
  drm_panthor_bo_mmap_offset request{};
  request.handle = bo.handle();
  const int number = igt::ioctl_errno(device.fd(), DRM_IOCTL_PANTHOR_BO_MMAP_OFFSET, &request);
  if (device.minor() >= 4) {
    igt_assert_eq(number, EPERM);
    return;
  }
  igt_assert_eq(number, 0);
  expect_no_mapping(device, kPage, PROT_READ, MAP_SHARED, request.offset, EINVAL);
}

void gpu_reads_what_the_cpu_wrote(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, 16 * kPage);
  bench.vm().map(bo, kPlay);
  for (uint32_t round = 1; round <= 4; ++round) {
    bo.tag_pages(round * 1000);
    const auto tags = bench.load_tags(kPlay, 16);
    for (uint32_t i = 0; i < 16; ++i) igt_assert_eq(tags[i], round * 1000 + i);
  }
}

void cpu_reads_what_the_gpu_wrote(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, 16 * kPage);
  bench.vm().map(bo, kPlay);
  for (uint32_t round = 1; round <= 4; ++round) {
    bench.store_tags(kPlay, 16, round * 1000);
    for (uint32_t i = 0; i < 16; ++i)
      igt_assert_eq(uint32_t{bo.word_at(i * kPage)}, round * 1000 + i);
  }
}

void no_mmap_on_the_gpu(const Device& device) {
  Bench bench(device);
  const Bo bo = Bo::create_with(device, 8 * kPage, DRM_PANTHOR_BO_NO_MMAP, 0);
  bench.vm().map(bo, kPlay);
  for (const uint32_t tag : bench.load_tags(kPlay, 8)) igt_assert_eq(tag, 0);
  bench.store_tags(kPlay, 8, 500);
  const auto tags = bench.load_tags(kPlay, 8);
  for (uint32_t i = 0; i < 8; ++i) igt_assert_eq(tags[i], 500 + i);
}

void gpu_finds_recycled_memory_zeroed(const Device& device) {
  Bench bench(device);
  for (uint32_t round = 0; round < 4; ++round) {
    Bo bo = Bo::create(device, 32 * kPage);
    bench.vm().map(bo, kPlay);
    for (const uint32_t tag : bench.load_tags(kPlay, 32)) igt_assert_eq(tag, 0);
    bench.store_tags(kPlay, 32, 0xF000);
    bench.vm().unmap(kPlay, bo.size());
  }
}

void gpu_mapping_outlives_handle(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, 4 * kPage);
  bo.tag_pages(40);
  bench.vm().map(bo, kPlay);
  bo.unmap();
  bo.close_handle();
  // Plenty of new buffers that would take the pages if they were free.
  std::vector<Bo> others;
  for (int i = 0; i < 16; ++i) {
    others.push_back(Bo::create(device, 4 * kPage));
    others.back().tag_pages(9000);
  }
  const auto tags = bench.load_tags(kPlay, 4);
  for (uint32_t i = 0; i < 4; ++i) igt_assert_eq(tags[i], 40 + i);
  bench.store_tags(kPlay, 4, 70);
  for (Bo& other : others) igt_assert_eq(uint32_t{other.word_at(0)}, 9000);
}

void exclusive_vm(const Device& device) {
  Bench bench(device);
  Bench stranger(device);
  Bo bo = Bo::create_with(device, 2 * kPage, 0, bench.vm().id());
  bo.tag_pages(7);
  bench.vm().map(bo, kPlay);
  igt_assert_eq(bench.load32(kPlay + kPage), 8);
  Binds binds;
  binds.map(bo, 0, kPlay, bo.size(), 0, {});
  uint32_t failed_at = 99;
  igt_assert_eq(stranger.vm().bind_sync(binds, failed_at), EINVAL);
  igt_assert_eq(failed_at, 0);
  igt_assert_eq(stranger.vm().bind_async(binds), EINVAL);
  stranger.expect_load_fault(kPlay);
}

void labels(const Device& device) {
  igt_require_f(device.minor() >= 4, "needs uAPI 1.4\n");
  const Bo bo = Bo::create(device, kPage);
  drm_panthor_bo_set_label request{bo.handle(), 0, reinterpret_cast<uint64_t>("a label")};
  do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_BO_SET_LABEL, &request);
  request.label = 0;
  do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_BO_SET_LABEL, &request);
  std::vector<char> longest(4096, 'x');
  longest.back() = '\0';
  request.label = reinterpret_cast<uint64_t>(longest.data());
  do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_BO_SET_LABEL, &request);
  std::vector<char> too_long(4097, 'x');
  too_long.back() = '\0';
  request.label = reinterpret_cast<uint64_t>(too_long.data());
  do_ioctl_err(device.fd(), DRM_IOCTL_PANTHOR_BO_SET_LABEL, &request, E2BIG);
  request.label = 8;
  do_ioctl_err(device.fd(), DRM_IOCTL_PANTHOR_BO_SET_LABEL, &request, EFAULT);
  request = {bo.handle(), 1, 0};
  do_ioctl_err(device.fd(), DRM_IOCTL_PANTHOR_BO_SET_LABEL, &request, EINVAL);
  request = {4711, 0, 0};
  do_ioctl_err(device.fd(), DRM_IOCTL_PANTHOR_BO_SET_LABEL, &request, ENOENT);
}

void sync_ranges(const Device& device) {
  igt_require_f(device.minor() >= 7, "needs uAPI 1.7\n");
  const Bo bo = Bo::create_with(device, 2 * kPage, DRM_PANTHOR_BO_WB_MMAP, 0);
  const auto sync = [&](uint32_t handle, uint32_t type, uint64_t offset, uint64_t size) {
    drm_panthor_bo_sync_op op{handle, type, offset, size};
    drm_panthor_bo_sync request{{sizeof(op), 1, reinterpret_cast<uint64_t>(&op)}};
    return igt::ioctl_errno(device.fd(), DRM_IOCTL_PANTHOR_BO_SYNC, &request);
  };
  igt_assert_eq(sync(bo.handle(), DRM_PANTHOR_BO_SYNC_CPU_CACHE_FLUSH, 0, bo.size()), 0);
  igt_assert_eq(sync(bo.handle(), DRM_PANTHOR_BO_SYNC_CPU_CACHE_FLUSH_AND_INVALIDATE, 64, 64), 0);
  igt_assert_eq(sync(bo.handle(), 0, 0, 0), 0);
  igt_assert_eq(sync(bo.handle(), 0, kPage, 2 * kPage), EINVAL);
  igt_assert_eq(sync(bo.handle(), 0, ~uint64_t{0}, 2), EINVAL);
  igt_assert_eq(sync(bo.handle(), 2, 0, kPage), EINVAL);
  igt_assert_eq(sync(4711, 0, 0, kPage), ENOENT);
}

void query_info(const Device& device) {
  igt_require_f(device.minor() >= 7, "needs uAPI 1.7\n");
  for (const uint32_t flags : {0U, 1U, 2U}) {
    const Bo bo = Bo::create_with(device, kPage, flags, 0);
    drm_panthor_bo_query_info request{bo.handle(), ~0U, ~0U, ~0U};
    do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_BO_QUERY_INFO, &request);
    igt_assert_eq(request.create_flags, flags);
    igt_assert_eq(request.extra_flags, 0);
    igt_assert_eq(request.pad, 0);
  }
  drm_panthor_bo_query_info request{};
  do_ioctl_err(device.fd(), DRM_IOCTL_PANTHOR_BO_QUERY_INFO, &request, ENOENT);
}

constexpr Case kCases[] = {
    {"create-rounds-size", "Sizes are rounded up to CPU pages and told. [A5.3]",
     create_rounds_size},
    {"create-bad-arguments", "Size 0, pads, unknown flags and spaces are refused. [A5.1 A5.2]",
     create_bad_arguments},
    {"create-huge-sizes", "Sizes beyond all memory fail in the way they do. [A5.4]",
     create_huge_sizes},
    {"handles-are-lowest-free", "Handles count from 1 and are used again. [A5.5]",
     handles_are_lowest_free},
    {"handles-belong-to-their-file", "Another file can neither name nor map a buffer. [A0.10 H1.1]",
     handles_belong_to_their_file},
    {"close-unknown-handle", "Closing what is not there is refused. [B2.7]", close_unknown_handle},
    {"new-buffers-are-zeroed", "A new buffer holds zeroes. [A5.6]", new_buffers_are_zeroed},
    {"recycled-memory-is-zeroed", "So does one made of freed memory. [A5.6]",
     recycled_memory_is_zeroed},
    {"mmap-offset", "Offsets are stable, distinct and not 0 in their low word. [A5.10]",
     mmap_offset},
    {"mmap-offset-bad-arguments", "Pads and unknown handles are refused. [A5.8]",
     mmap_offset_bad_arguments},
    {"mmap-bad-arguments",
     "Mappings too long, private or from within are refused. [H1.1 H1.2 H1.3 H1.4]",
     mmap_bad_arguments},
    {"mmap-part", "The beginning alone can be mapped. [H1.2]", mmap_part},
    {"mmap-twice", "Two mappings show the same memory.", mmap_twice},
    {"mapping-outlives-handle", "A CPU mapping keeps the memory without a handle. [H1.6]",
     mapping_outlives_handle},
    {"mapping-outlives-file", "A CPU mapping keeps the memory without the file. [G1.2]",
     mapping_outlives_file},
    {"no-mmap", "A NO_MMAP buffer cannot be mapped by the CPU. [A5.9 H1.5]", no_mmap},
    {"gpu-reads-what-the-cpu-wrote", "A job loads what the CPU stored.",
     gpu_reads_what_the_cpu_wrote},
    {"cpu-reads-what-the-gpu-wrote", "The CPU loads what a job stored.",
     cpu_reads_what_the_gpu_wrote},
    {"no-mmap-on-the-gpu", "A NO_MMAP buffer holds zeroes, then what a job stored.",
     no_mmap_on_the_gpu},
    {"gpu-finds-recycled-memory-zeroed", "Jobs never see what a freed buffer held.",
     gpu_finds_recycled_memory_zeroed},
    {"gpu-mapping-outlives-handle", "A GPU mapping keeps the memory without a handle. [C5.1]",
     gpu_mapping_outlives_handle},
    {"exclusive-vm", "A private buffer works in its space and in no other. [A4.16]", exclusive_vm},
    {"labels", "Labels of up to 4095 characters. [A11.1 A11.2 A11.3]", labels},
    {"sync-ranges", "Ranges of cached buffers can be synchronised. [A13.1 A13.2 A13.3]",
     sync_ranges},
    {"query-info", "A buffer's flags can be asked for. [A14.1 A14.2]", query_info},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
