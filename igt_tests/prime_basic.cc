// SPDX-License-Identifier: MIT

#include <fcntl.h>
#include <linux/dma-buf.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <cerrno>
#include <vector>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/bench.h"
#include "igt_tests/lib/cases.h"
#include "igt_tests/lib/channel.h"

IGT_TEST_DESCRIPTION("PRIME: buffers as descriptors, shared between files and processes.");

using namespace gpu;

namespace {

int export_errno(const Device& device, uint32_t handle, uint32_t flags, int* fd) {
  drm_prime_handle request{handle, flags, -1};
  const int number = igt::ioctl_errno(device.fd(), DRM_IOCTL_PRIME_HANDLE_TO_FD, &request);
  *fd = request.fd;
  return number;
}

int import_errno(const Device& device, int fd, uint32_t* handle) {
  drm_prime_handle request{0, 0, fd};
  const int number = igt::ioctl_errno(device.fd(), DRM_IOCTL_PRIME_FD_TO_HANDLE, &request);
  *handle = request.handle;
  return number;
}

UniqueFd export_with(const Device& device, const Bo& bo, uint32_t flags) {
  int fd = -1;
  igt_assert_eq(export_errno(device, bo.handle(), flags, &fd), 0);
  igt_assert_fd(fd);
  return UniqueFd(fd);
}

void export_bad_arguments(const Device& device) {
  const Bo bo = Bo::create(device, kPage);
  int fd = -1;
  for (const uint32_t flags : {1U, 4U, 0x100U, static_cast<uint32_t>(O_NONBLOCK), ~0U}) {
    igt_assert_eq(export_errno(device, bo.handle(), flags, &fd), EINVAL);
  }
  igt_assert_eq(export_errno(device, 0, 0, &fd), ENOENT);
  igt_assert_eq(export_errno(device, 4711, DRM_CLOEXEC, &fd), ENOENT);
  // Flags first.
  igt_assert_eq(export_errno(device, 4711, 1, &fd), EINVAL);
}

void private_buffers_stay(const Device& device) {
  const Vm vm = Vm::create(device);
  const Bo bo = Bo::create_with(device, kPage, 0, vm.id());
  int fd = -1;
  igt_assert_eq(export_errno(device, bo.handle(), DRM_CLOEXEC, &fd), EINVAL);
}

void import_bad_arguments(const Device& device) {
  uint32_t handle = 0;
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  const UniqueFd memfd(memfd_create("no dma-buf", MFD_CLOEXEC));
  igt_assert_eq(ftruncate(memfd.get(), kPage), 0);
  const UniqueFd syncobj = Syncobj::create(device).export_syncobj();
  igt_assert_eq(import_errno(device, -1, &handle), EBADF);
  igt_assert_eq(import_errno(device, 1000000, &handle), EBADF);
  const UniqueFd path(open("/dev/null", O_PATH | O_CLOEXEC));
  igt_assert_eq(import_errno(device, path.get(), &handle), EBADF);
  for (const int fd : {null.get(), memfd.get(), syncobj.get(), device.fd()}) {
    igt_assert_eq(import_errno(device, fd, &handle), EINVAL);
  }
}

void descriptor_flags(const Device& device) {
  const Bo bo = Bo::create(device, kPage);
  igt_assert(fcntl(export_with(device, bo, DRM_CLOEXEC).get(), F_GETFD) & FD_CLOEXEC);
  igt_assert_eq(fcntl(export_with(device, bo, 0).get(), F_GETFD) & FD_CLOEXEC, 0);
}

void size_by_lseek(const Device& device) {
  for (const uint64_t size : {kPage, 5 * kPage, 3 * kBlock + kPage}) {
    const Bo bo = Bo::create(device, size);
    const UniqueFd fd = bo.export_fd();
    igt_assert_eq(lseek(fd.get(), 0, SEEK_END), size);
    igt_assert_eq(lseek(fd.get(), 0, SEEK_SET), 0);
  }
}

void same_file_same_handle(const Device& device) {
  Bo bo = Bo::create(device, kPage);
  const UniqueFd first = bo.export_fd();
  const UniqueFd second = bo.export_fd();
  uint32_t handle = 0;
  igt_assert_eq(import_errno(device, first.get(), &handle), 0);
  igt_assert_eq(handle, bo.handle());
  igt_assert_eq(import_errno(device, second.get(), &handle), 0);
  igt_assert_eq(handle, bo.handle());
}

// Once the handle is closed, the next import makes a new one.
void handle_closed_between(const Device& opened) {
  const Device device = opened.open_again();
  UniqueFd fd;
  {
    Bo bo = Bo::create(device, kPage);
    bo.word_at(0) = 0x1234;
    fd = bo.export_fd();
  }
  const Bo other = Bo::create(device, kPage);
  igt_assert_eq(other.handle(), 1);
  Bo again = Bo::import_fd(device, fd.get());
  igt_assert_eq(again.handle(), 2);
  igt_assert_eq(uint32_t{again.word_at(0)}, 0x1234);
}

void two_imports_of_another_file(const Device& device) {
  const Device other = device.open_again();
  Bo bo = Bo::create(device, kPage);
  const UniqueFd first = bo.export_fd();
  const UniqueFd second = bo.export_fd();
  const Bo imported = Bo::import_fd(other, first.get());
  uint32_t handle = 0;
  igt_assert_eq(import_errno(other, second.get(), &handle), 0);
  igt_assert_eq(handle, imported.handle());
  // And exported from there, it is still the same.
  const UniqueFd back = imported.export_fd();
  igt_assert_eq(import_errno(device, back.get(), &handle), 0);
  igt_assert_eq(handle, bo.handle());
}

void cpu_sees_one_memory(const Device& device) {
  const Device other = device.open_again();
  Bo bo = Bo::create(device, 3 * kPage);
  bo.tag_pages(50);
  Bo imported = Bo::import_fd(other, bo.export_fd().get());
  igt_assert_eq(imported.size(), 3 * kPage);
  for (uint32_t i = 0; i < 3; ++i) igt_assert_eq(uint32_t{imported.word_at(i * kPage)}, 50 + i);
  imported.word_at(2 * kPage + 4) = 0xABC;
  igt_assert_eq(uint32_t{bo.word_at(2 * kPage + 4)}, 0xABC);
}

void gpu_sees_one_memory(const Device& device) {
  const Device other = device.open_again();
  Bench here(device);
  Bench there(other);
  Bo bo = Bo::create(device, 4 * kPage);
  const Bo imported = Bo::import_fd(other, bo.export_fd().get());
  here.vm().map(bo, kPlay);
  there.vm().map(imported, kPlay + 7 * kPage);
  here.store_tags(kPlay, 4, 0x100);
  auto tags = there.load_tags(kPlay + 7 * kPage, 4);
  for (uint32_t i = 0; i < 4; ++i) igt_assert_eq(tags[i], 0x100 + i);
  there.store_tags(kPlay + 7 * kPage, 4, 0x200);
  tags = here.load_tags(kPlay, 4);
  for (uint32_t i = 0; i < 4; ++i) igt_assert_eq(tags[i], 0x200 + i);
  // Unmapped there, it is still mapped here.
  there.vm().unmap(kPlay + 7 * kPage, 4 * kPage);
  there.expect_load_fault(kPlay + 7 * kPage);
  igt_assert_eq(here.load32(kPlay), 0x200);
}

void mapped_through_the_descriptor(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, 2 * kPage);
  bo.word_at(kPage) = 0x5EA;
  const UniqueFd fd = bo.export_fd();
  void* mapped = mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  igt_assert(mapped != MAP_FAILED);
  auto* words = static_cast<volatile uint32_t*>(mapped);
  const uint32_t read = words[kPage / 4];
  words[1] = 0xF0;
  bench.vm().map(bo, kPlay);
  const uint32_t loaded = bench.load32(kPlay + 4);
  bench.store32(kPlay + 8, 0xF1);
  const uint32_t stored = words[2];
  munmap(mapped, 2 * kPage);
  igt_assert_eq(read, 0x5EA);
  igt_assert_eq(loaded, 0xF0);
  igt_assert_eq(stored, 0xF1);
}

// Exported for reading, it cannot be mapped for writing.
void read_only_descriptor(const Device& device) {
  const Bo bo = Bo::create(device, kPage);
  const UniqueFd fd = export_with(device, bo, DRM_CLOEXEC);
  void* mapped = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  const int number = errno;
  igt_assert(mapped == MAP_FAILED);
  igt_assert_eq(number, EACCES);
  mapped = mmap(nullptr, kPage, PROT_READ, MAP_SHARED, fd.get(), 0);
  igt_assert(mapped != MAP_FAILED);
  munmap(mapped, kPage);
}

// The rules of the device's own mappings hold for the descriptor's.
void refused_mappings(const Device& device) {
  const Bo open_to_all = Bo::create(device, kPage);
  const Bo closed = Bo::create_with(device, kPage, DRM_PANTHOR_BO_NO_MMAP, 0);
  const auto refused = [](const UniqueFd& fd, uint64_t size, int flags, off_t offset) {
    errno = 0;
    igt_assert(mmap(nullptr, size, PROT_READ, flags, fd.get(), offset) == MAP_FAILED);
    igt_assert_eq(errno, EINVAL);
  };
  refused(closed.export_fd(), kPage, MAP_SHARED, 0);
  const UniqueFd fd = open_to_all.export_fd();
  refused(fd, kPage, MAP_PRIVATE, 0);
  refused(fd, 2 * kPage, MAP_SHARED, 0);
  refused(fd, kPage, MAP_SHARED, kPage);
}

// Jobs do not show in a dma-buf (their fences are bookkeeping), so it is always ready.
void poll_is_ready(const Device& device) {
  const Bo bo = Bo::create(device, kPage);
  const UniqueFd fd = bo.export_fd();
  pollfd entry{fd.get(), POLLIN | POLLOUT, 0};
  igt_assert_eq(poll(&entry, 1, 0), 1);
  igt_assert_eq(entry.revents, POLLIN | POLLOUT);
  // And goes on to answer.
  igt_assert_eq(lseek(fd.get(), 0, SEEK_END), kPage);
}

void cpu_access_brackets(const Device& device) {
  const Bo bo = Bo::create(device, kPage);
  const UniqueFd fd = bo.export_fd();
  for (const uint64_t way : {DMA_BUF_SYNC_READ, DMA_BUF_SYNC_WRITE, DMA_BUF_SYNC_RW}) {
    dma_buf_sync sync{way | DMA_BUF_SYNC_START};
    igt_assert_eq(ioctl(fd.get(), DMA_BUF_IOCTL_SYNC, &sync), 0);
    sync.flags = way | DMA_BUF_SYNC_END;
    igt_assert_eq(ioctl(fd.get(), DMA_BUF_IOCTL_SYNC, &sync), 0);
  }
  for (const uint64_t flags : {uint64_t{0}, uint64_t{0x10}, uint64_t{DMA_BUF_SYNC_END}}) {
    dma_buf_sync sync{flags};
    igt_assert_eq(ioctl(fd.get(), DMA_BUF_IOCTL_SYNC, &sync), -1);
    igt_assert_eq(errno, EINVAL);
  }
}

void unmappable_buffers_travel(const Device& device) {
  const Device other = device.open_again();
  Bench here(device);
  Bench there(other);
  const Bo bo = Bo::create_with(device, kPage, DRM_PANTHOR_BO_NO_MMAP, 0);
  const Bo imported = Bo::import_fd(other, bo.export_fd().get());
  here.vm().map(bo, kPlay);
  there.vm().map(imported, kPlay);
  here.store32(kPlay + 12, 0x9009);
  igt_assert_eq(there.load32(kPlay + 12), 0x9009);
}

void importer_outlives_exporter(const Device& device) {
  Bench bench(device);
  UniqueFd fd;
  {
    const Device other = device.open_again();
    Bench there(other);
    const Bo bo = Bo::create(other, 2 * kPage);
    there.vm().map(bo, kPlay);
    there.store_tags(kPlay, 2, 0x4444);
    fd = bo.export_fd();
  }
  // Only the descriptor is left; new buffers must not get its memory.
  std::vector<Bo> others;
  for (int i = 0; i < 16; ++i) {
    others.push_back(Bo::create(device, 2 * kPage));
    others.back().tag_pages(1);
  }
  const Bo imported = Bo::import_fd(device, fd.get());
  fd.reset();
  bench.vm().map(imported, kPlay);
  igt_assert_eq(bench.load32(kPlay), 0x4444);
  igt_assert_eq(bench.load32(kPlay + kPage), 0x4445);
}

// A mapping of the GPU is enough to keep the memory of somebody else's buffer.
void gpu_mapping_outlives_all(const Device& device) {
  Bench bench(device);
  {
    const Device other = device.open_again();
    Bo bo = Bo::create(other, kPage);
    bo.word_at(0) = 0x77;
    const Bo imported = Bo::import_fd(device, bo.export_fd().get());
    bench.vm().map(imported, kPlay);
  }
  std::vector<Bo> others;
  for (int i = 0; i < 16; ++i) {
    others.push_back(Bo::create(device, kPage));
    others.back().word_at(0) = 1;
  }
  igt_assert_eq(bench.load32(kPlay), 0x77);
}

// A child stores by the GPU into what its parent has made.
void across_fork(const Device& device) {
  Bo bo = Bo::create(device, kPage);
  bo.word_at(0) = 20;
  const UniqueFd fd = bo.export_fd();
  igt_fork(child, 2) {
    const Device own = device.open_again();
    Bench bench(own);
    const Bo imported = Bo::import_fd(own, fd.get());
    bench.vm().map(imported, kPlay);
    igt_assert_eq(bench.load32(kPlay), 20);
    bench.store32(kPlay + 4 + static_cast<uint32_t>(child) * 4, 30 + static_cast<uint32_t>(child));
  };
  igt_waitchildren();
  igt_assert_eq(uint32_t{bo.word_at(4)}, 30);
  igt_assert_eq(uint32_t{bo.word_at(8)}, 31);
}

// A child's buffer arrives when the child is gone.
void through_a_socket(const Device& device) {
  Bench bench(device);
  const Channel channel;
  igt_fork(child, 1) {
    const Device own = device.open_again();
    Bo bo = Bo::create(own, 6 * kPage);
    bo.tag_pages(0x600);
    channel.send(bo.export_fd().get());
  };
  igt_waitchildren();
  const UniqueFd fd = channel.receive();
  const Bo imported = Bo::import_fd(device, fd.get());
  igt_assert_eq(imported.size(), 6 * kPage);
  bench.vm().map(imported, kPlay);
  const auto tags = bench.load_tags(kPlay, 6);
  for (uint32_t i = 0; i < 6; ++i) igt_assert_eq(tags[i], 0x600 + i);
}

// Two descriptors are of one buffer if they are of one inode: what compositors go by.
void one_inode(const Device& device) {
  const Bo bo = Bo::create(device, 3 * kPage);
  const Bo other = Bo::create(device, kPage);
  struct stat seen[3] = {};
  const UniqueFd fds[] = {bo.export_fd(), bo.export_fd(), other.export_fd()};
  for (int i = 0; i < 3; ++i) igt_assert_eq(fstat(fds[i].get(), &seen[i]), 0);
  igt_assert_eq(seen[0].st_size, 3 * kPage);
  igt_assert_eq(seen[0].st_ino, seen[1].st_ino);
  igt_assert_eq(seen[0].st_dev, seen[2].st_dev);
  igt_assert_neq(seen[0].st_ino, seen[2].st_ino);
}

// There is nothing to read in a buffer's or a fence's descriptor; to try must not wait.
void nothing_to_read(const Device& device) {
  const Bo bo = Bo::create(device, kPage);
  const Syncobj object = Syncobj::create_signalled(device);
  Gate gate(device);
  const UniqueFd fds[] = {bo.export_fd(), object.export_syncobj(), gate.fence().export_sync_file()};
  for (const UniqueFd& fd : fds) {
    char bytes[16];
    iovec piece{bytes, sizeof bytes};
    igt_assert_eq(read(fd.get(), bytes, sizeof bytes), -1);
    igt_assert_eq(errno, EINVAL);
    igt_assert_eq(readv(fd.get(), &piece, 1), -1);
    igt_assert_eq(errno, EINVAL);
  }
  gate.open_and_finish();
}

// A descriptor of the fences that an access would wait for.
UniqueFd fences_of(const UniqueFd& dma_buf, uint32_t access) {
  dma_buf_export_sync_file request{access, -1};
  igt_assert_eq(ioctl(dma_buf.get(), DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &request), 0);
  igt_assert_fd(request.fd);
  igt_assert(fcntl(request.fd, F_GETFD) & FD_CLOEXEC);
  return UniqueFd(request.fd);
}

void add_fence(const UniqueFd& dma_buf, uint32_t access, int sync_file) {
  dma_buf_import_sync_file request{access, sync_file};
  igt_assert_eq(ioctl(dma_buf.get(), DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &request), 0);
}

constexpr uint32_t kReads = DMA_BUF_SYNC_READ;
constexpr uint32_t kWrites = DMA_BUF_SYNC_WRITE;

// The fence of a job on the buffer is its own affair until somebody says what the job does.
void jobs_are_not_implicit(const Device& device) {
  Bench bench(device);
  Gate gate(device);
  const Bo bo = Bo::create(device, kPage);
  const UniqueFd fd = bo.export_fd();
  bench.vm().map(bo, kPlay);
  const Syncobj done = Syncobj::create(device);
  const Stream stream = bench.place(Assembler().store_value(kPlay, 1).publish());
  bench.group().submit(0, stream, Syncs().wait(gate.fence()).signal(done));
  igt_assert_eq(sync_file_status(fences_of(fd, kReads).get()), 1);
  igt_assert_eq(sync_file_status(fences_of(fd, kReads | kWrites).get()), 1);
  add_fence(fd, kWrites, done.export_sync_file().get());
  const UniqueFd pending = fences_of(fd, kReads);
  igt_assert_eq(sync_file_status(pending.get()), 0);
  gate.open_and_finish();
  igt_assert_eq(finish_sync_file(pending.get(), kPatience), 1);
  igt_assert_eq(done.finish(kPatience), 1);
}

void readers_and_writers(const Device& device) {
  Gate reader(device);
  Gate writer(device);
  const Bo bo = Bo::create(device, kPage);
  const UniqueFd fd = bo.export_fd();
  add_fence(fd, kReads, reader.fence().export_sync_file().get());
  igt_assert_eq(sync_file_status(fences_of(fd, kReads).get()), 1);
  const UniqueFd read = fences_of(fd, kWrites);
  igt_assert_eq(sync_file_status(read.get()), 0);
  // A descriptor of another export shows the same.
  add_fence(bo.export_fd(), kWrites, writer.fence().export_sync_file().get());
  const UniqueFd written = fences_of(fd, kReads);
  const UniqueFd both = fences_of(fd, kReads | kWrites);
  reader.open_and_finish();
  igt_assert_eq(finish_sync_file(read.get(), kPatience), 1);
  igt_assert_eq(sync_file_status(written.get()), 0);
  igt_assert_eq(sync_file_status(both.get()), 0);
  writer.open_and_finish();
  igt_assert_eq(finish_sync_file(written.get(), kPatience), 1);
  igt_assert_eq(finish_sync_file(both.get(), kPatience), 1);
  igt_assert_eq(sync_file_status(fences_of(fd, kReads | kWrites).get()), 1);
}

void fences_bad_arguments(const Device& device) {
  const Bo bo = Bo::create(device, kPage);
  const UniqueFd fd = bo.export_fd();
  const Syncobj signalled = Syncobj::create_signalled(device);
  const UniqueFd sync_file = signalled.export_sync_file();
  const UniqueFd syncobj = signalled.export_syncobj();
  const auto refused = [&](unsigned long call, uint32_t flags, int fence, int expected) {
    dma_buf_import_sync_file request{flags, fence};
    errno = 0;
    igt_assert_eq(ioctl(fd.get(), call, &request), -1);
    igt_assert_eq(errno, expected);
  };
  for (const uint32_t flags : {0U, 4U, kReads | 8U, ~0U}) {
    refused(DMA_BUF_IOCTL_EXPORT_SYNC_FILE, flags, -1, EINVAL);
    refused(DMA_BUF_IOCTL_IMPORT_SYNC_FILE, flags, sync_file.get(), EINVAL);
  }
  for (const int other : {-1, 1000000, fd.get(), syncobj.get(), device.fd()})
    refused(DMA_BUF_IOCTL_IMPORT_SYNC_FILE, kReads, other, EINVAL);
  igt_assert_eq(ioctl(fd.get(), DMA_BUF_IOCTL_IMPORT_SYNC_FILE, nullptr), -1);
  igt_assert_eq(errno, EFAULT);
  igt_assert_eq(ioctl(fd.get(), DMA_BUF_IOCTL_EXPORT_SYNC_FILE, nullptr), -1);
  igt_assert_eq(errno, EFAULT);
}

constexpr Case kCases[] = {
    {"export-bad-arguments", "Flags and handles that are refused. [B3.1]", export_bad_arguments},
    {"private-buffers-stay", "A buffer of one space cannot be exported. [B3.2]",
     private_buffers_stay},
    {"import-bad-arguments", "Descriptors that are no dma-buf. [B3.4]", import_bad_arguments},
    {"descriptor-flags", "CLOEXEC where it was asked for.", descriptor_flags},
    {"size-by-lseek", "The size of the buffer. [B3.6]", size_by_lseek},
    {"same-file-same-handle", "An import finds the handle that is there. [B3.3 B3.5]",
     same_file_same_handle},
    {"handle-closed-between", "Or makes a new one. [B3.5]", handle_closed_between},
    {"two-imports-of-another-file", "To another file and back. [B3.5]",
     two_imports_of_another_file},
    {"cpu-sees-one-memory", "CPU mappings of two files show the same.", cpu_sees_one_memory},
    {"gpu-sees-one-memory", "GPU mappings of two files show the same.", gpu_sees_one_memory},
    {"mapped-through-the-descriptor", "mmap() of the descriptor itself. [B3.6]",
     mapped_through_the_descriptor},
    {"read-only-descriptor", "Without RDWR there is no mapping for writing.", read_only_descriptor},
    {"refused-mappings", "NO_MMAP, private and too long.", refused_mappings},
    {"poll-is-ready", "poll() of the descriptor.", poll_is_ready},
    {"cpu-access-brackets", "DMA_BUF_IOCTL_SYNC around accesses.", cpu_access_brackets},
    {"unmappable-buffers-travel", "NO_MMAP buffers between GPU clients.",
     unmappable_buffers_travel},
    {"importer-outlives-exporter", "The descriptor keeps the memory. [G1.4]",
     importer_outlives_exporter},
    {"gpu-mapping-outlives-all", "So does a GPU mapping alone.", gpu_mapping_outlives_all},
    {"jobs-are-not-implicit", "Jobs count for others once they are said to. [A9.10]",
     jobs_are_not_implicit},
    {"readers-and-writers", "Readers wait for writers, writers for all.", readers_and_writers},
    {"fences-bad-arguments", "Fences that are refused.", fences_bad_arguments},
    {"one-inode", "fstat() tells buffers apart, not descriptors.", one_inode},
    {"nothing-to-read", "read() of a dma-buf, a syncobj and a sync_file.", nothing_to_read},
    {"across-fork", "Children work on an inherited buffer.", across_fork},
    {"through-a-socket", "A buffer arrives by message.", through_a_socket},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
