// SPDX-License-Identifier: MIT

#include <fcntl.h>
#include <linux/dma-buf.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <thread>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/bench.h"
#include "igt_tests/lib/cases.h"

IGT_TEST_DESCRIPTION("Sync_files imported into a dma-buf, as its poll() shows them.");

using namespace gpu;

namespace {

void import_fence(const UniqueFd& dma_buf, uint32_t access, const Gate& gate) {
  const UniqueFd file = gate.fence().export_sync_file();
  dma_buf_import_sync_file request{access, file.get()};
  igt_assert_eq(ioctl(dma_buf.get(), DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &request), 0);
}

// What of `events` there is now.
short ready(const UniqueFd& dma_buf, short events = POLLIN | POLLOUT) {
  pollfd entry{dma_buf.get(), events, 0};
  const int count = poll(&entry, 1, 0);
  igt_assert_eq(count, entry.revents == 0 ? 0 : 1);
  return entry.revents;
}

void import_basic(const Device& device) {
  const Bo bo = Bo::create(device, kPage);
  const UniqueFd fd = bo.export_fd();
  Gate writer(device);
  igt_assert_eq(ready(fd), POLLIN | POLLOUT);
  import_fence(fd, DMA_BUF_SYNC_WRITE, writer);
  igt_assert_eq(ready(fd), 0);
  igt_assert_eq(ready(fd, POLLIN), 0);
  igt_assert_eq(ready(fd, POLLOUT), 0);
  writer.open_and_finish();
  igt_assert_eq(ready(fd), POLLIN | POLLOUT);
  igt_assert_eq(ready(fd, POLLIN), POLLIN);
}

// Who reads waits for no reader; who writes waits for all of them.
void import_multiple_read_only(const Device& device) {
  const Bo bo = Bo::create(device, kPage);
  const UniqueFd fd = bo.export_fd();
  Gate readers[] = {Gate(device), Gate(device), Gate(device)};
  for (const Gate& reader : readers) import_fence(fd, DMA_BUF_SYNC_READ, reader);
  for (Gate& reader : readers) {
    igt_assert_eq(ready(fd), POLLIN);
    igt_assert_eq(ready(fd, POLLOUT), 0);
    reader.open_and_finish();
  }
  igt_assert_eq(ready(fd), POLLIN | POLLOUT);
}

void import_multiple_read_write(const Device& device) {
  const Bo bo = Bo::create(device, kPage);
  const UniqueFd fd = bo.export_fd();
  Gate reader(device);
  Gate writer(device);
  import_fence(fd, DMA_BUF_SYNC_READ, reader);
  // Another descriptor of the buffer has the same fences.
  import_fence(bo.export_fd(), DMA_BUF_SYNC_RW, writer);
  igt_assert_eq(ready(fd), 0);
  writer.open_and_finish();
  igt_assert_eq(ready(fd), POLLIN);
  reader.open_and_finish();
  igt_assert_eq(ready(fd), POLLIN | POLLOUT);
}

// A poll() that has begun ends with the fence, with its time, with a signal or with another
// descriptor.
void poll_waits(const Device& device) {
  const Bo bo = Bo::create(device, kPage);
  const UniqueFd fd = bo.export_fd();
  Gate writer(device);
  import_fence(fd, DMA_BUF_SYNC_WRITE, writer);
  const UniqueFd event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  pollfd entries[] = {{event.get(), POLLIN, 0}, {fd.get(), POLLIN, 0}, {-1, POLLIN, 0}};

  const int64_t start = now_ns();
  igt_assert_eq(poll(entries, 3, 50), 0);
  igt_assert_lte(50 * kMillisecond, now_ns() - start);
  const timespec moment{0, 50 * kMillisecond};
  igt_assert_eq(ppoll(entries, 3, &moment, nullptr), 0);

  std::thread other([&] {
    sleep_ns(kGlance);
    const uint64_t one = 1;
    igt_assert_eq(write(event.get(), &one, sizeof one), static_cast<ssize_t>(sizeof one));
  });
  igt_assert_eq(poll(entries, 3, -1), 1);
  other.join();
  igt_assert_eq(entries[0].revents, POLLIN);
  igt_assert_eq(entries[1].revents, 0);

  uint64_t taken = 0;
  igt_assert_eq(read(event.get(), &taken, sizeof taken), static_cast<ssize_t>(sizeof taken));
  std::thread opener([&] {
    sleep_ns(kGlance);
    writer.open_and_finish();
  });
  igt_assert_eq(poll(entries, 3, -1), 1);
  opener.join();
  igt_assert_eq(entries[0].revents, 0);
  igt_assert_eq(entries[1].revents, POLLIN);
}

constexpr Case kCases[] = {
    {"import-basic", "A write that is not over holds up readers and writers.", import_basic},
    {"import-multiple-read-only", "Reads that are not over hold up writers.",
     import_multiple_read_only},
    {"import-multiple-read-write", "A read and a write, of two descriptors.",
     import_multiple_read_write},
    {"poll-waits", "A poll() that waits is woken by the fence, and by what else it waits for.",
     poll_waits},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
