// SPDX-License-Identifier: MIT

#include <dirent.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <optional>
#include <set>
#include <string>
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

// Opens `gate` while the caller waits for it.
std::thread opened_soon(Gate& gate) {
  return std::thread([&gate] {
    sleep_ns(kGlance);
    gate.open_and_finish();
  });
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
  std::thread opener = opened_soon(writer);
  igt_assert_eq(poll(entries, 3, -1), 1);
  opener.join();
  igt_assert_eq(entries[0].revents, 0);
  igt_assert_eq(entries[1].revents, POLLIN);
}

// What of `events` select() sees within `us`.
short selected(const UniqueFd& dma_buf, short events, int64_t us = 0) {
  fd_set sets[2];
  for (fd_set& set : sets) FD_ZERO(&set);
  if ((events & POLLIN) != 0) FD_SET(dma_buf.get(), &sets[0]);
  if ((events & POLLOUT) != 0) FD_SET(dma_buf.get(), &sets[1]);
  timeval timeout{0, us};
  const int count = select(dma_buf.get() + 1, &sets[0], &sets[1], nullptr, &timeout);
  const short seen = static_cast<short>((FD_ISSET(dma_buf.get(), &sets[0]) ? POLLIN : 0) |
                                        (FD_ISSET(dma_buf.get(), &sets[1]) ? POLLOUT : 0));
  igt_assert_eq(count, (seen & POLLIN ? 1 : 0) + (seen & POLLOUT ? 1 : 0));
  if (count == 0) igt_assert_eq(timeout.tv_usec, 0);
  return seen;
}

void select_waits(const Device& device) {
  const Bo bo = Bo::create(device, kPage);
  const UniqueFd fd = bo.export_fd();
  Gate reader(device);
  Gate writer(device);
  igt_assert_eq(selected(fd, POLLIN | POLLOUT), POLLIN | POLLOUT);
  import_fence(fd, DMA_BUF_SYNC_READ, reader);
  igt_assert_eq(selected(fd, POLLIN | POLLOUT), POLLIN);
  import_fence(fd, DMA_BUF_SYNC_WRITE, writer);
  igt_assert_eq(selected(fd, POLLIN | POLLOUT), 0);
  const int64_t start = now_ns();
  igt_assert_eq(selected(fd, POLLIN, 50'000), 0);
  igt_assert_lte(50 * kMillisecond, now_ns() - start);

  // Another descriptor, and then the fence, end a wait.
  const UniqueFd event(eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
  fd_set read_set;
  FD_ZERO(&read_set);
  FD_SET(fd.get(), &read_set);
  FD_SET(event.get(), &read_set);
  igt_assert_eq(
      pselect(std::max(fd.get(), event.get()) + 1, &read_set, nullptr, nullptr, nullptr, nullptr),
      1);
  igt_assert(FD_ISSET(event.get(), &read_set) && !FD_ISSET(fd.get(), &read_set));
  std::thread opener = opened_soon(writer);
  FD_ZERO(&read_set);
  FD_SET(fd.get(), &read_set);
  igt_assert_eq(select(fd.get() + 1, &read_set, nullptr, nullptr, nullptr), 1);
  opener.join();
  igt_assert(FD_ISSET(fd.get(), &read_set));
  reader.open_and_finish();
  igt_assert_eq(selected(fd, POLLIN | POLLOUT), POLLIN | POLLOUT);
}

// An epoll set, whose members have their address as data.
class EpollSet {
 public:
  int control(int operation, const UniqueFd& fd, uint32_t events) const {
    epoll_event event{};
    event.events = events;
    event.data.u64 = kMark + static_cast<uint64_t>(fd.get());
    return epoll_ctl(set_.get(), operation, fd.get(), &event);
  }
  int number() const { return set_.get(); }
  int release() { return set_.release(); }
  // The events of `fd` that come within `ms`, which must be the only ones; 0: none.
  uint32_t wait(const UniqueFd& fd, int ms = 0) const {
    epoll_event events[4] = {};
    const int count = epoll_wait(set_.get(), events, 4, ms);
    igt_assert_lte(0, count);
    igt_assert_lte(count, 1);
    if (count == 0) return 0;
    igt_assert_eq(events[0].data.u64, kMark + static_cast<uint64_t>(fd.get()));
    return events[0].events;
  }

 private:
  static constexpr uint64_t kMark = 0x4711'0000'0000;
  UniqueFd set_{epoll_create1(EPOLL_CLOEXEC)};
};

void epoll_waits(const Device& device) {
  const Bo bo = Bo::create(device, kPage);
  const UniqueFd fd = bo.export_fd();
  Gate reader(device);
  Gate writer(device);
  const EpollSet set;
  igt_assert_eq(set.control(EPOLL_CTL_MOD, fd, EPOLLIN), -1);
  igt_assert_eq(errno, ENOENT);
  igt_assert_eq(set.control(EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT), 0);
  igt_assert_eq(set.control(EPOLL_CTL_ADD, fd, EPOLLIN), -1);
  igt_assert_eq(errno, EEXIST);
  // As long as it lasts.
  for (int i = 0; i < 3; ++i) igt_assert_eq(set.wait(fd), EPOLLIN | EPOLLOUT);
  import_fence(fd, DMA_BUF_SYNC_READ, reader);
  for (int i = 0; i < 3; ++i) igt_assert_eq(set.wait(fd), EPOLLIN);
  import_fence(fd, DMA_BUF_SYNC_WRITE, writer);
  const int64_t start = now_ns();
  igt_assert_eq(set.wait(fd, 50), 0);
  igt_assert_lte(50 * kMillisecond, now_ns() - start);
  igt_assert_eq(set.control(EPOLL_CTL_MOD, fd, EPOLLIN), 0);
  std::thread opener = opened_soon(writer);
  igt_assert_eq(set.wait(fd, -1), EPOLLIN);
  opener.join();
  igt_assert_eq(set.control(EPOLL_CTL_MOD, fd, EPOLLOUT), 0);
  igt_assert_eq(set.wait(fd, 20), 0);
  reader.open_and_finish();
  igt_assert_eq(set.wait(fd, -1), EPOLLOUT);
  igt_assert_eq(set.control(EPOLL_CTL_DEL, fd, 0), 0);
  igt_assert_eq(set.wait(fd), 0);
  igt_assert_eq(set.control(EPOLL_CTL_DEL, fd, 0), -1);
  igt_assert_eq(errno, ENOENT);
}

// Told once, until asked for again; and each time that it becomes ready.
void epoll_manners(const Device& device) {
  const Bo bo = Bo::create(device, kPage);
  const UniqueFd fd = bo.export_fd();
  Gate writer(device);
  const EpollSet set;
  igt_assert_eq(set.control(EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT | EPOLLONESHOT), 0);
  igt_assert_eq(set.wait(fd), EPOLLIN | EPOLLOUT);
  igt_assert_eq(set.wait(fd, 20), 0);
  import_fence(fd, DMA_BUF_SYNC_WRITE, writer);
  igt_assert_eq(set.control(EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLET), 0);
  igt_assert_eq(set.wait(fd, 20), 0);
  writer.open_and_finish();
  igt_assert_eq(set.wait(fd, -1), EPOLLIN);
}

// Who is told of edges finds those of all later fences, too, and a buffer that is ready at each
// wait: each look at it wakes who watches it.
void epoll_edges(const Device& device) {
  const Bo bo = Bo::create(device, kPage);
  const UniqueFd fd = bo.export_fd();
  const EpollSet set;
  igt_assert_eq(set.control(EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET), 0);
  for (int frame = 0; frame < 3; ++frame) {
    for (int i = 0; i < 2; ++i) igt_assert_eq(set.wait(fd), EPOLLIN);
    Gate writer(device);
    import_fence(fd, DMA_BUF_SYNC_WRITE, writer);
    igt_assert_eq(set.wait(fd, 1), 0);
    std::thread opener = opened_soon(writer);
    igt_assert_eq(set.wait(fd, -1), EPOLLIN);
    opener.join();
  }
}

// What is closed leaves the set, once no handle leads to it either, and its number is free for
// another buffer.
void epoll_closed(const Device& device) {
  const EpollSet set;
  for (int i = 0; i < 20; ++i) {
    std::optional<Bo> bo(Bo::create(device, kPage));
    UniqueFd fd = bo->export_fd();
    igt_assert_eq(set.control(EPOLL_CTL_ADD, fd, EPOLLIN), 0);
    igt_assert_eq(set.wait(fd), EPOLLIN);
    bo.reset();
    fd.reset();
    igt_assert_eq(set.wait(fd, 1), 0);
  }
}

std::set<std::string> open_descriptors() {
  std::set<std::string> numbers;
  DIR* const directory = opendir("/proc/self/fd");
  igt_assert(directory != nullptr);
  while (const dirent* const entry = readdir(directory)) numbers.insert(entry->d_name);
  closedir(directory);
  return numbers;
}

// A set that goes while it waits for buffers takes along what it waits with, however it is closed.
void epoll_set_closed(const Device& device) {
  const Bo bo = Bo::create(device, kPage);
  const UniqueFd fd = bo.export_fd();
  Gate writer(device);
  import_fence(fd, DMA_BUF_SYNC_WRITE, writer);
  const UniqueFd other(dup(fd.get()));
  const std::set<std::string> before = open_descriptors();
  void (*const closers[])(int) = {[](int set) { igt_assert_eq(close(set), 0); },
                                  [](int set) {
                                    const auto number = static_cast<unsigned>(set);
                                    igt_assert_eq(close_range(number, number, 0), 0);
                                  },
                                  [](int set) {
                                    igt_assert_eq(dup2(0, set), set);
                                    igt_assert_eq(close(set), 0);
                                  },
                                  [](int set) {
                                    igt_assert_eq(dup3(0, set, O_CLOEXEC), set);
                                    igt_assert_eq(close(set), 0);
                                  }};
  for (const auto closer : closers) {
    EpollSet set;
    igt_assert_eq(set.control(EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT), 0);
    igt_assert_eq(set.control(EPOLL_CTL_ADD, other, EPOLLIN), 0);
    igt_assert_eq(set.wait(fd, 1), 0);
    closer(set.release());
    igt_assert(open_descriptors() == before);
  }
}

// What a child of fork() or vfork() closes is its own.
void epoll_closed_by_a_child(const Device& device) {
  const Bo bo = Bo::create(device, kPage);
  const UniqueFd fd = bo.export_fd();
  Gate writer(device);
  import_fence(fd, DMA_BUF_SYNC_WRITE, writer);
  const EpollSet set;
  igt_assert_eq(set.control(EPOLL_CTL_ADD, fd, EPOLLIN), 0);
  const pid_t shares_memory = vfork();
  if (shares_memory == 0) {
    close(set.number());
    close(fd.get());
    _exit(0);
  }
  igt_assert_lt(0, shares_memory);
  igt_assert_eq(waitpid(shares_memory, nullptr, 0), shares_memory);
  igt_fork(child, 1) {
    close(set.number());
    close(fd.get());
  };
  igt_waitchildren();
  igt_fork(child, 1) {
    close(fd.get());
    close(set.number());
  };
  igt_waitchildren();
  std::thread opener = opened_soon(writer);
  igt_assert_eq(set.wait(fd, 5000), EPOLLIN);
  opener.join();
}

// A child that lives on keeps nothing in the set that its parent has taken out of it.
void epoll_beside_a_child(const Device& device) {
  const Bo bo = Bo::create(device, kPage);
  const UniqueFd fd = bo.export_fd();
  Gate writer(device);
  import_fence(fd, DMA_BUF_SYNC_WRITE, writer);
  const EpollSet set;
  igt_assert_eq(set.control(EPOLL_CTL_ADD, fd, EPOLLIN), 0);
  int hold[2];
  igt_assert_eq(pipe(hold), 0);
  igt_fork(child, 1) {
    close(hold[1]);
    char end = 0;
    igt_assert_eq(read(hold[0], &end, 1), 0);
  };
  igt_assert_eq(set.control(EPOLL_CTL_DEL, fd, 0), 0);
  writer.open_and_finish();
  igt_assert_eq(set.wait(fd, 20), 0);
  close(hold[0]);
  close(hold[1]);
  igt_waitchildren();
}

// A program that closes all that it does not know has its buffers watched all the same.
void epoll_after_close_range(const Device& device) {
  const Bo bo = Bo::create(device, kPage);
  const UniqueFd fd = bo.export_fd();
  Gate writer(device);
  import_fence(fd, DMA_BUF_SYNC_WRITE, writer);
  const EpollSet set;
  igt_assert_eq(set.control(EPOLL_CTL_ADD, fd, EPOLLIN), 0);
  const int last = std::max({set.number(), fd.get(), device.fd()});
  igt_assert_eq(close_range(static_cast<unsigned>(last) + 1, ~0U, 0), 0);
  std::thread opener = opened_soon(writer);
  igt_assert_eq(set.wait(fd, 5000), EPOLLIN);
  opener.join();
}

// A sync_file becomes readable and never writable; a device node neither.
void nothing_to_write(const Device& device) {
  Gate gate(device);
  const UniqueFd file = gate.fence().export_sync_file();
  const EpollSet set;
  igt_assert_eq(ready(file), 0);
  igt_assert_eq(selected(file, POLLIN | POLLOUT), 0);
  igt_assert_eq(set.control(EPOLL_CTL_ADD, file, EPOLLIN | EPOLLOUT), 0);
  igt_assert_eq(set.wait(file), 0);
  pollfd entry{device.fd(), POLLIN | POLLOUT, 0};
  igt_assert_eq(poll(&entry, 1, 0), 0);
  gate.open_and_finish();
  igt_assert_eq(ready(file), POLLIN);
  igt_assert_eq(selected(file, POLLIN | POLLOUT), POLLIN);
  igt_assert_eq(set.wait(file, -1), EPOLLIN);
}

int bracket(const UniqueFd& dma_buf, uint64_t flags) {
  dma_buf_sync request{flags};
  // Not begun anew after a signal, as libdrm would.
  return ioctl(dma_buf.get(), DMA_BUF_IOCTL_SYNC, &request) == 0 ? 0 : errno;
}

// The beginning of an access that has to wait does so until an alarm ends it.
bool waits(const UniqueFd& dma_buf, uint64_t access) {
  struct sigaction rings {};
  struct sigaction before {};
  rings.sa_handler = [](int) {};
  igt_assert_eq(sigaction(SIGALRM, &rings, &before), 0);
  // Again and again, lest the first one comes before the wait.
  const itimerval soon{{0, 50'000}, {0, 50'000}};
  const itimerval never{};
  igt_assert_eq(setitimer(ITIMER_REAL, &soon, nullptr), 0);
  const int result = bracket(dma_buf, DMA_BUF_SYNC_START | access);
  igt_assert_eq(setitimer(ITIMER_REAL, &never, nullptr), 0);
  igt_assert_eq(sigaction(SIGALRM, &before, nullptr), 0);
  igt_assert(result == 0 || result == EINTR);
  return result == EINTR;
}

void cpu_access_waits(const Device& device) {
  const Bo bo = Bo::create(device, kPage);
  const UniqueFd fd = bo.export_fd();
  Gate reader(device);
  import_fence(fd, DMA_BUF_SYNC_READ, reader);
  igt_assert(!waits(fd, DMA_BUF_SYNC_READ));
  igt_assert(waits(fd, DMA_BUF_SYNC_WRITE));
  igt_assert(waits(fd, DMA_BUF_SYNC_RW));
  reader.open_and_finish();
  igt_assert(!waits(fd, DMA_BUF_SYNC_RW));
  Gate writer(device);
  import_fence(fd, DMA_BUF_SYNC_WRITE, writer);
  igt_assert(waits(fd, DMA_BUF_SYNC_READ));
  igt_assert_eq(bracket(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW), 0);
  std::thread opener([&] {
    usleep(20'000);
    writer.open_and_finish();
  });
  const int result = bracket(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ);
  const short seen = ready(fd);
  opener.join();
  igt_assert_eq(result, 0);
  igt_assert_eq(seen, POLLIN | POLLOUT);
}

// Closed by a process that is killed while it waits.
void killed_while_it_waits(const Device& device) {
  const Bo bo = Bo::create(device, kPage);
  const UniqueFd fd = bo.export_fd();
  Gate writer(device);
  import_fence(fd, DMA_BUF_SYNC_WRITE, writer);
  const pid_t child = fork();
  if (child == 0) {
    bracket(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ);
    _exit(0);
  }
  usleep(20'000);
  igt_assert_eq(kill(child, SIGKILL), 0);
  int status = 0;
  igt_assert_eq(waitpid(child, &status, 0), child);
  igt_assert(WIFSIGNALED(status));
  igt_assert_eq(ready(fd), 0);
  writer.open_and_finish();
  igt_assert_eq(bracket(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW), 0);
}

constexpr Case kCases[] = {
    {"import-basic", "A write that is not over holds up readers and writers.", import_basic},
    {"import-multiple-read-only", "Reads that are not over hold up writers.",
     import_multiple_read_only},
    {"import-multiple-read-write", "A read and a write, of two descriptors.",
     import_multiple_read_write},
    {"cpu-access-waits",
     "DMA_BUF_IOCTL_SYNC begins an access when those before it are over. [B3.7]", cpu_access_waits},
    {"killed-while-it-waits", "Nobody else notices.", killed_while_it_waits},
    {"poll-waits", "A poll() that waits is woken by the fence, and by what else it waits for.",
     poll_waits},
    {"select-waits", "select() and pselect() know the fences, too.", select_waits},
    {"epoll-waits", "And so does epoll, while it lasts.", epoll_waits},
    {"epoll-manners", "Once, and at each change.", epoll_manners},
    {"epoll-edges", "EPOLLET, over several fences.", epoll_edges},
    {"epoll-closed", "Buffers that are closed leave the set.", epoll_closed},
    {"epoll-set-closed", "A set that is closed leaves nothing open.", epoll_set_closed},
    {"epoll-closed-by-a-child", "A child's copies are its own.", epoll_closed_by_a_child},
    {"epoll-beside-a-child", "A child keeps nothing in the set.", epoll_beside_a_child},
    {"epoll-after-close-range", "All else is closed.", epoll_after_close_range},
    {"nothing-to-write", "Sync_files and device nodes are never writable.", nothing_to_write},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
