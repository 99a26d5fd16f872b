// SPDX-License-Identifier: MIT

#include <fcntl.h>
#include <linux/sync_file.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/bench.h"
#include "igt_tests/lib/cases.h"

IGT_TEST_DESCRIPTION("sw_sync: timelines that a program moves by hand, and their fences.");

using namespace gpu;

namespace {

constexpr const char* kPath = "/sys/kernel/debug/sync/sw_sync";

struct CreateFence {
  uint32_t value;
  char name[32];
  int32_t fence;
};
constexpr unsigned long kCreateFence = _IOWR('W', 0, CreateFence);
constexpr unsigned long kIncrement = _IOW('W', 1, uint32_t);

class Timeline {
 public:
  Timeline() : fd_(open(kPath, O_RDWR | O_CLOEXEC)) {
    igt_require_f(fd_.get() >= 0, "%s: %s\n", kPath, strerror(errno));
  }
  int fd() const { return fd_.get(); }
  void close() { fd_.reset(); }
  UniqueFd fence(uint32_t value) const {
    CreateFence request{value, "ignored", -1};
    igt_assert_eq(ioctl(fd_.get(), kCreateFence, &request), 0);
    igt_assert_fd(request.fence);
    igt_assert(fcntl(request.fence, F_GETFD) & FD_CLOEXEC);
    return UniqueFd(request.fence);
  }
  void increment(uint32_t by) const { igt_assert_eq(ioctl(fd_.get(), kIncrement, &by), 0); }

 private:
  UniqueFd fd_;
};

// How much of a sync_file has signalled, by status of its fences.
struct Fences {
  explicit Fences(const UniqueFd& file) {
    sync_fence_info inside[16] = {};
    sync_file_info info{};
    info.num_fences = 16;
    info.sync_fence_info = reinterpret_cast<uint64_t>(inside);
    igt_assert_eq(ioctl(file.get(), SYNC_IOC_FILE_INFO, &info), 0);
    count = info.num_fences;
    status = info.status;
    for (uint32_t i = 0; i < count; ++i) {
      done += inside[i].status == 1;
      driver = inside[i].driver_name;
      timeline = inside[i].obj_name;
    }
  }
  uint32_t count = 0;
  uint32_t done = 0;
  int status = 0;
  std::string driver;
  std::string timeline;
};

UniqueFd merge(const UniqueFd& a, const UniqueFd& b) {
  sync_merge_data request{};
  request.fd2 = b.get();
  igt_assert_eq(ioctl(a.get(), SYNC_IOC_MERGE, &request), 0);
  return UniqueFd(request.fence);
}

bool is_readable(const UniqueFd& file, int64_t timeout) {
  pollfd entry{file.get(), POLLIN, 0};
  return poll(&entry, 1, static_cast<int>(timeout / kMillisecond)) == 1;
}

void counter(const Device&) {
  const Timeline timeline;
  const UniqueFd first = timeline.fence(1);
  const UniqueFd fifth = timeline.fence(5);
  igt_assert_eq(sync_file_status(first.get()), 0);
  igt_assert(!is_readable(first, 0));
  timeline.increment(1);
  igt_assert_eq(sync_file_status(first.get()), 1);
  igt_assert(is_readable(first, 0));
  igt_assert_eq(sync_file_status(fifth.get()), 0);
  timeline.increment(0);
  timeline.increment(10);
  igt_assert_eq(sync_file_status(fifth.get()), 1);
  igt_assert_eq(sync_file_status(timeline.fence(11).get()), 1);
  igt_assert_eq(sync_file_status(timeline.fence(12).get()), 0);
}

// The event is there when the call that signals is back.
void fires_an_eventfd(const Device& device) {
  const Timeline timeline;
  for (uint32_t value = 1; value <= 50; ++value) {
    const Syncobj object = Syncobj::create(device);
    object.import_sync_file(timeline.fence(value).get());
    const UniqueFd event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    drm_syncobj_eventfd request{object.handle(), 0, 0, event.get(), 0};
    do_ioctl(device.fd(), DRM_IOCTL_SYNCOBJ_EVENTFD, &request);
    igt_assert(!is_readable(event, 0));
    timeline.increment(1);
    igt_assert(is_readable(event, 0));
  }
}

void own_timelines(const Device&) {
  const Timeline first;
  const Timeline second;
  const UniqueFd a = first.fence(1);
  const UniqueFd b = second.fence(1);
  first.increment(1);
  igt_assert_eq(sync_file_status(a.get()), 1);
  igt_assert_eq(sync_file_status(b.get()), 0);
  // Not of the number of the descriptor, but of the open file.
  const UniqueFd again(dup(second.fd()));
  uint32_t one = 1;
  igt_assert_eq(ioctl(again.get(), kIncrement, &one), 0);
  igt_assert_eq(sync_file_status(b.get()), 1);
}

void bad_calls(const Device& device) {
  const Timeline timeline;
  CreateFence request{1, {}, -1};
  igt_assert_eq(ioctl(timeline.fd(), _IOW('W', 9, uint32_t), &request), -1);
  igt_assert_eq(errno, ENOTTY);
  igt_assert_eq(ioctl(timeline.fd(), kCreateFence, nullptr), -1);
  igt_assert_eq(errno, EFAULT);
  igt_assert_eq(ioctl(timeline.fd(), kIncrement, nullptr), -1);
  igt_assert_eq(errno, EFAULT);
  const UniqueFd fence = timeline.fence(1);
  igt_assert_eq(ioctl(fence.get(), kCreateFence, &request), -1);
  igt_assert_eq(errno, ENOTTY);
  igt_assert_eq(ioctl(device.fd(), kIncrement, &request), -1);
  igt_assert_eq(errno, ENOTTY);
}

void names(const Device&) {
  const Timeline timeline;
  const Fences inside(timeline.fence(3));
  igt_assert_eq(inside.count, 1);
  igt_assert(inside.driver == "sw_sync");
  // The name of this program, of which 15 bytes are known.
  igt_assert(inside.timeline == "sw_sync");
}

// What is pending when the timeline goes, fails; so no one waits for ever.
void closed_timeline(const Device&) {
  Timeline timeline;
  const UniqueFd done = timeline.fence(1);
  const UniqueFd pending = timeline.fence(2);
  timeline.increment(1);
  const UniqueFd copy(dup(timeline.fd()));
  timeline.close();
  igt_assert_eq(sync_file_status(pending.get()), 0);
  close(copy.get());
  igt_assert(is_readable(pending, kPatience));
  igt_assert_eq(finish_sync_file(pending.get(), kPatience), -ENOENT);
  igt_assert_eq(sync_file_status(done.get()), 1);
}

void merged(const Device&) {
  const Timeline timelines[3];
  UniqueFd all = timelines[0].fence(1);
  all = merge(all, timelines[1].fence(1));
  all = merge(all, timelines[2].fence(1));
  igt_assert_eq(Fences(all).count, 3);
  for (uint32_t i = 0; i < 3; ++i) {
    igt_assert_eq(sync_file_status(all.get()), 0);
    igt_assert_eq(Fences(all).done, i);
    timelines[i].increment(1);
  }
  igt_assert_eq(sync_file_status(all.get()), 1);
}

// Of one timeline only the later fence counts.
void merged_on_one_timeline(const Device&) {
  const Timeline timeline;
  const UniqueFd both = merge(timeline.fence(1), timeline.fence(2));
  igt_assert_eq(Fences(both).count, 1);
  timeline.increment(1);
  igt_assert_eq(sync_file_status(both.get()), 0);
  timeline.increment(1);
  igt_assert_eq(sync_file_status(both.get()), 1);
}

void wraps(const Device&) {
  const Timeline timeline;
  timeline.increment(UINT_MAX);
  const UniqueFd next = timeline.fence(0);
  igt_assert_eq(sync_file_status(next.get()), 0);
  igt_assert_eq(sync_file_status(timeline.fence(UINT_MAX).get()), 1);
  timeline.increment(1);
  igt_assert_eq(sync_file_status(next.get()), 1);
}

void wakes_a_poll(const Device&) {
  const Timeline timeline;
  const UniqueFd fence = timeline.fence(1);
  std::thread other([&] {
    sleep_ns(20 * kMillisecond);
    timeline.increment(1);
  });
  igt_assert(is_readable(fence, kPatience));
  other.join();
}

// A job waits for it, by way of a syncobj.
void holds_back_a_job(const Device& device) {
  Bench bench(device);
  const Timeline timeline;
  const Syncobj before = Syncobj::create(device);
  const Syncobj done = Syncobj::create(device);
  before.import_sync_file(timeline.fence(1).get());
  bench.set_result(0, 0);
  bench.group().submit(0, bench.place(Assembler().store_value(bench.result_va(0), 7).publish()),
                       Syncs().wait(before).signal(done));
  sleep_ns(20 * kMillisecond);
  igt_assert_eq(done.wait(0), ETIME);
  igt_assert_eq(bench.result(0), 0);
  timeline.increment(1);
  igt_assert_eq(done.finish(kPatience), 1);
  igt_assert_eq(bench.result(0), 7);
}

void is_a_file(const Device&) {
  const Timeline timeline;
  struct stat by_path {};
  struct stat by_fd {};
  igt_assert_eq(access(kPath, R_OK | W_OK), 0);
  igt_assert_eq(stat(kPath, &by_path), 0);
  igt_assert_eq(fstat(timeline.fd(), &by_fd), 0);
  igt_assert(S_ISREG(by_path.st_mode) && S_ISREG(by_fd.st_mode));
  igt_assert_eq(by_path.st_ino, by_fd.st_ino);
}

constexpr Case kCases[] = {
    {"counter", "Fences signal when the counter comes to them.", counter},
    {"fires-an-eventfd", "A syncobj's event comes with the increment.", fires_an_eventfd},
    {"own-timelines", "Each open file is a timeline of its own.", own_timelines},
    {"bad-calls", "Unknown commands, bad pointers, wrong files.", bad_calls},
    {"names", "What FILE_INFO says of such a fence.", names},
    {"closed-timeline", "Pending fences fail when the last descriptor is closed.", closed_timeline},
    {"merge", "Fences of three timelines in one file.", merged},
    {"merge-same-timeline", "Of one timeline only the later one counts.", merged_on_one_timeline},
    {"wrap-around", "Numbers wrap at 32 bits.", wraps},
    {"wakes-a-poll", "Someone who waits is woken.", wakes_a_poll},
    {"holds-back-a-job", "A job waits for such a fence.", holds_back_a_job},
    {"file", "What stat() says of it.", is_a_file},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
