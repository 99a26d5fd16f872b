// SPDX-License-Identifier: MIT

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <atomic>
#include <cerrno>
#include <deque>
#include <thread>
#include <vector>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/bench.h"
#include "igt_tests/lib/cases.h"
#include "igt_tests/lib/waits.h"

IGT_TEST_DESCRIPTION("Waiting for sync objects: flags, time, several at once, and by eventfd.");

using namespace gpu;

namespace {

constexpr uint32_t kAll = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_ALL;
constexpr uint32_t kForSubmit = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT;
constexpr uint32_t kAvailable = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE;
constexpr uint32_t kWithDeadline = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_DEADLINE;
constexpr uint32_t kNowhere = 4711;
constexpr uint32_t kNone = ~0U;

void bad_arguments(const Device& device) {
  const Syncobj ready = Syncobj::create_signalled(device);
  for (const uint32_t flags : {kAvailable, 0x10U, 0x8000'0000U, kAll | 0x20U}) {
    igt_assert_eq(Waits(device).add(ready).run(flags, 0), EINVAL);
    // Looked at before anything else.
    igt_assert_eq(Waits(device).run(flags, 0), EINVAL);
    igt_assert_eq(Waits(device).add_handle(kNowhere).run(flags, 0), EINVAL);
  }
  igt_assert_eq(Waits(device).run(0, 0), 0);
  igt_assert_eq(Waits(device).run(kAll | kForSubmit, 0), 0);
  igt_assert_eq(Waits(device).add(ready).add_handle(kNowhere).run(0, 0), ENOENT);
  igt_assert_eq(Waits(device).add_handle(0).run(0, 0), ENOENT);
  for (const uint64_t address : {uint64_t{0}, uint64_t{8}}) {
    drm_syncobj_wait request{};
    request.handles = address;
    request.count_handles = 1;
    do_ioctl_err(device.fd(), DRM_IOCTL_SYNCOBJ_WAIT, &request, EFAULT);
  }
}

// Something without a fence spoils the wait, whatever else there is.
void without_a_fence(const Device& device) {
  const Syncobj ready = Syncobj::create_signalled(device);
  const Syncobj empty = Syncobj::create(device);
  igt_assert_eq(Waits(device).add(ready).add(empty).run(0, kPatience), EINVAL);
  igt_assert_eq(Waits(device).add(empty).add(ready).run(kAll, kPatience), EINVAL);
  igt_assert_eq(Waits(device).add(empty).add(ready).run(kForSubmit, kPatience), 0);
  igt_assert_eq(Waits(device).add(ready).add(empty).run(kForSubmit | kAll, kGlance), ETIME);
}

void polling(const Device& device) {
  Gate gate(device);
  const int64_t start = now_ns();
  for (int i = 0; i < 20; ++i) {
    igt_assert_eq(Waits(device).add(gate.fence()).run(0, 0), ETIME);
    igt_assert_eq(Waits(device).add(gate.fence()).run_until(0, 1), ETIME);
    igt_assert_eq(Waits(device).add(gate.fence()).run_until(0, -1), ETIME);
    igt_assert_eq(Waits(device).add(gate.fence()).run_until(0, INT64_MIN), ETIME);
  }
  igt_assert_lt(now_ns() - start, 2 * kSecond);
  gate.open_and_finish();
  for (const int64_t absolute : {int64_t{0}, int64_t{1}, int64_t{-1}, INT64_MAX}) {
    igt_assert_eq(Waits(device).add(gate.fence()).run_until(0, absolute), 0);
  }
}

void time_out(const Device& device) {
  Gate gate(device);
  const Syncobj empty = Syncobj::create(device);
  for (const int64_t timeout : {5 * kMillisecond, 60 * kMillisecond}) {
    int64_t start = now_ns();
    igt_assert_eq(Waits(device).add(gate.fence()).run(0, timeout), ETIME);
    igt_assert_lte(timeout, now_ns() - start);
    start = now_ns();
    igt_assert_eq(Waits(device).add(empty).run(kForSubmit, timeout), ETIME);
    igt_assert_lte(timeout, now_ns() - start);
  }
}

// Whoever waits is woken by a job, and finds its result.
void woken_by_a_job(const Device& device) {
  Bench bench(device);
  for (uint32_t i = 1; i <= 50; ++i) {
    const Syncobj done = Syncobj::create(device);
    const Stream stream = bench.place(Assembler().store_value(bench.result_va(0), i).publish());
    bench.group().submit(0, stream, Syncs().signal(done));
    igt_assert_eq(Waits(device).add(done).run_until(0, INT64_MAX), 0);
    igt_assert_eq(bench.result(0), i);
  }
}

void woken_by_a_signal(const Device& device) {
  const Syncobj empty = Syncobj::create(device);
  const std::jthread later([&] {
    sleep_ns(kGlance);
    empty.signal();
  });
  Waits waits(device);
  igt_assert_eq(waits.add(empty).run(kForSubmit, kPatience), 0);
  igt_assert_eq(waits.first(), 0);
}

// The fence comes, and later signals.
void woken_by_a_submit(const Device& device) {
  Bench bench(device);
  bench.set_result(0, 0);
  const Syncobj empty = Syncobj::create(device);
  const Group& group = bench.group();
  const Stream stream = bench.place(Assembler().store_value(bench.result_va(0), 0x5B).publish());
  const std::jthread later([&] {
    sleep_ns(kGlance);
    group.submit(0, stream, Syncs().signal(empty));
  });
  igt_assert_eq(Waits(device).add(empty).run(kForSubmit, kPatience), 0);
  igt_assert_eq(bench.result(0), 0x5B);
}

void any_of_several(const Device& device) {
  constexpr uint32_t kCount = 10;
  Gate gate(device);
  for (const uint32_t ready : {0U, 4U, kCount - 1}) {
    std::deque<Syncobj> objects;
    Waits waits(device);
    for (uint32_t i = 0; i < kCount; ++i) {
      objects.push_back(Syncobj::create(device));
      igt_assert_eq(transfer(device, objects.back(), 0, gate.fence(), 0), 0);
      waits.add(objects.back());
    }
    igt_assert_eq(waits.run(0, kMillisecond), ETIME);
    igt_assert_eq(waits.first(), Waits::kUntouched);
    objects[ready].signal();
    igt_assert_eq(waits.run(0, kPatience), 0);
    igt_assert_eq(waits.first(), ready);
    igt_assert_eq(waits.run(kAll, kMillisecond), ETIME);
    igt_assert_eq(waits.first(), Waits::kUntouched);
  }
}

void any_is_the_first_of_those_ready(const Device& device) {
  const Syncobj objects[] = {Syncobj::create(device), Syncobj::create_signalled(device),
                             Syncobj::create_signalled(device)};
  Waits waits(device);
  for (const Syncobj& object : objects) waits.add(object);
  igt_assert_eq(waits.run(kForSubmit, kPatience), 0);
  igt_assert_eq(waits.first(), 1);
}

void all_of_several(const Device& device) {
  constexpr uint32_t kCount = 8;
  std::deque<Syncobj> objects;
  Waits waits(device);
  for (uint32_t i = 0; i < kCount; ++i) {
    objects.push_back(Syncobj::create(device));
    waits.add(objects.back());
  }
  std::atomic<uint32_t> signalled = 0;
  {
    const std::jthread later([&] {
      for (const uint32_t i : {3U, 0U, 7U, 5U, 1U, 2U, 6U, 4U}) {
        sleep_ns(2 * kMillisecond);
        ++signalled;
        objects[i].signal();
      }
    });
    igt_assert_eq(waits.run(kAll | kForSubmit, kPatience), 0);
  }
  igt_assert_eq(signalled.load(), kCount);
  // Nothing had signalled when the wait began, so nothing was the first.
  igt_assert_eq(waits.first(), kNone);
  igt_assert_eq(waits.run(kAll, 0), 0);
  igt_assert_eq(waits.first(), 0);
}

void one_object_twice(const Device& device) {
  Gate gate(device);
  Waits waits(device);
  waits.add(gate.fence()).add(gate.fence()).add(gate.fence());
  igt_assert_eq(waits.run(kAll, kMillisecond), ETIME);
  gate.open();
  igt_assert_eq(waits.run(kAll, kPatience), 0);
}

// A failed fence is a signalled one.
void errors_count_as_signals(const Device& device) {
  Bench bench(device);
  const Syncobj failed = Syncobj::create(device);
  bench.group().submit(0, bench.place(Assembler().word(uint64_t{255} << 56)),
                       Syncs().signal(failed));
  igt_assert_eq(Waits(device).add(failed).run(kAll, kPatience), 0);
  igt_assert_eq(failed.finish(0), -EINVAL);
}

enum class Change { kReset, kReplace };

// A wait that `change` comes to after `head_start`, when nobody can know that it has begun, though
// it has had time. True: it ended with the fence that the object had at first, no earlier.
bool keeps_to_its_fence(const Device& device, Change change, int64_t head_start) {
  Gate gate(device);
  const Syncobj object = Syncobj::create(device);
  igt_assert_eq(transfer(device, object, 0, gate.fence(), 0), 0);
  std::atomic<bool> opened = false;
  const std::jthread later([&] {
    sleep_ns(head_start);
    if (change == Change::kReplace)
      object.signal();
    else
      object.reset();
    sleep_ns(kGlance);
    opened = true;
    gate.open();
  });
  return Waits(device).add(object).run(0, kPatience) == 0 && opened.load();
}

// A wait that has begun keeps to the fences that it found, whatever becomes of the objects.
void changed_while_waiting(const Device& device) {
  for (const Change change : {Change::kReset, Change::kReplace}) {
    bool kept = false;
    // One that comes too late, on a busy machine, finds another fence or none.
    for (int64_t head_start = kGlance; !kept && head_start < 2 * kSecond; head_start *= 4)
      kept = keeps_to_its_fence(device, change, head_start);
    igt_assert(kept);
  }
}

void many_waiters(const Device& device) {
  constexpr int kThreads = 12;
  Gate gate(device);
  std::atomic<int> woken = 0;
  {
    std::vector<std::jthread> waiters;
    for (int i = 0; i < kThreads; ++i) {
      waiters.emplace_back([&] {
        igt_assert_eq(Waits(device).add(gate.fence()).run(0, kPatience), 0);
        ++woken;
      });
    }
    sleep_ns(kGlance);
    igt_assert_eq(woken.load(), 0);
    gate.open();
  }
  igt_assert_eq(woken.load(), kThreads);
}

// A thread that waits does not keep others from the file.
void waiting_blocks_nobody(const Device& device) {
  Bench bench(device);
  Gate gate(device);
  const std::jthread waiter(
      [&] { igt_assert_eq(Waits(device).add(gate.fence()).run(0, kPatience), 0); });
  for (uint32_t i = 1; i <= 20; ++i) {
    bench.store32(bench.result_va(0), i);
    igt_assert_eq(bench.result(0), i);
  }
  gate.open();
}

void deadline_hint(const Device& device) {
  Gate gate(device);
  // A hint and no more. The field itself is newer than some headers: 0 then.
  igt_assert_eq(Waits(device).add(gate.fence()).run(kWithDeadline, kMillisecond), ETIME);
  gate.open();
  igt_assert_eq(Waits(device).add(gate.fence()).run(kWithDeadline, kPatience), 0);
}

void interrupted(const Device& device) {
  Gate gate(device);
  const Syncobj empty = Syncobj::create(device);
  igt_while_interruptible(true) {
    const int64_t start = now_ns();
    igt_assert_eq(Waits(device).add(gate.fence()).run(0, 3 * kMillisecond), ETIME);
    igt_assert_lte(3 * kMillisecond, now_ns() - start);
    igt_assert_eq(Waits(device).add(empty).run(kForSubmit, 2 * kMillisecond), ETIME);
  }
}

int eventfd_errno(const Device& device, drm_syncobj_eventfd request) {
  return igt::ioctl_errno(device.fd(), DRM_IOCTL_SYNCOBJ_EVENTFD, &request);
}

drm_syncobj_eventfd eventfd_request(const Syncobj& object, uint64_t point, uint32_t flags,
                                    const UniqueFd& event) {
  return {object.handle(), flags, point, event.get(), 0};
}

UniqueFd new_event() { return UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

// How often it has fired, after waiting for the first time.
uint64_t fired(const UniqueFd& event, int64_t timeout) {
  pollfd entry{event.get(), POLLIN, 0};
  if (poll(&entry, 1, static_cast<int>(timeout / kMillisecond)) != 1) return 0;
  uint64_t count = 0;
  igt_assert_eq(read(event.get(), &count, sizeof(count)), sizeof(count));
  return count;
}

void eventfd_bad_arguments(const Device& device) {
  const Syncobj object = Syncobj::create(device);
  const UniqueFd event = new_event();
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  drm_syncobj_eventfd request = eventfd_request(object, 0, 0, event);
  igt_assert_eq(eventfd_errno(device, request), 0);
  for (const uint32_t flags : {kAll, kForSubmit, kWithDeadline, 0x10U}) {
    request.flags = flags;
    igt_assert_eq(eventfd_errno(device, request), EINVAL);
  }
  request = eventfd_request(object, 0, 0, event);
  request.pad = 1;
  igt_assert_eq(eventfd_errno(device, request), EINVAL);
  request = eventfd_request(object, 0, 0, event);
  request.handle = kNowhere;
  igt_assert_eq(eventfd_errno(device, request), ENOENT);
  request = eventfd_request(object, 0, 0, null);
  igt_assert_eq(eventfd_errno(device, request), EINVAL);
  const UniqueFd path(open("/dev/null", O_PATH | O_CLOEXEC));
  for (const int fd : {-1, path.get()}) {
    request.fd = fd;
    igt_assert_eq(eventfd_errno(device, request), EBADF);
  }
}

void eventfd_fires_once(const Device& device) {
  const Syncobj object = Syncobj::create_signalled(device);
  const UniqueFd event = new_event();
  igt_assert_eq(eventfd_errno(device, eventfd_request(object, 0, 0, event)), 0);
  igt_assert_eq(fired(event, kPatience), 1);
  object.reset();
  object.signal();
  igt_assert_eq(fired(event, kGlance), 0);
}

void eventfd_fires_after_a_job(const Device& device) {
  Bench bench(device);
  const UniqueFd event = new_event();
  const Syncobj done = Syncobj::create(device);
  // Registered before there is a fence at all.
  igt_assert_eq(eventfd_errno(device, eventfd_request(done, 0, 0, event)), 0);
  igt_assert_eq(fired(event, kGlance), 0);
  bench.set_result(0, 0);
  const Stream stream = bench.place(Assembler().store_value(bench.result_va(0), 0xEF).publish());
  bench.group().submit(0, stream, Syncs().signal(done));
  igt_assert_eq(fired(event, kPatience), 1);
  igt_assert_eq(bench.result(0), 0xEF);
}

void eventfd_when_available(const Device& device) {
  Gate gate(device);
  const UniqueFd signalled = new_event();
  const UniqueFd available = new_event();
  const Syncobj object = Syncobj::create(device);
  igt_assert_eq(eventfd_errno(device, eventfd_request(object, 0, 0, signalled)), 0);
  igt_assert_eq(eventfd_errno(device, eventfd_request(object, 0, kAvailable, available)), 0);
  igt_assert_eq(fired(available, kGlance), 0);
  igt_assert_eq(transfer(device, object, 0, gate.fence(), 0), 0);
  igt_assert_eq(fired(available, kPatience), 1);
  igt_assert_eq(fired(signalled, kGlance), 0);
  gate.open();
  igt_assert_eq(fired(signalled, kPatience), 1);
}

// When the call that brings it is back, the event is there: for somebody who does not wait at all.
void eventfd_fires_in_the_call(const Device& device) {
  const auto one_more = [&](const Syncobj& object, uint64_t point, uint32_t flags) {
    UniqueFd event = new_event();
    igt_assert_eq(eventfd_errno(device, eventfd_request(object, point, flags, event)), 0);
    igt_assert_eq(fired(event, 0), 0);
    return event;
  };
  Gate gate(device);
  const UniqueFd pending = gate.fence().export_sync_file();
  for (int i = 0; i < 50; ++i) {
    const Syncobj object = Syncobj::create(device);
    const UniqueFd signalled = one_more(object, 0, 0);
    object.signal();
    igt_assert_eq(fired(signalled, 0), 1);
    const UniqueFd point = one_more(object, 5, 0);
    object.signal_point(5);
    igt_assert_eq(fired(point, 0), 1);
    object.reset();
    const UniqueFd available = one_more(object, 0, kAvailable);
    object.import_sync_file(pending.get());
    igt_assert_eq(fired(available, 0), 1);
  }
  gate.open();
}

void eventfd_closed_in_time(const Device& device) {
  Gate gate(device);
  const UniqueFd kept = new_event();
  {
    const UniqueFd event = new_event();
    igt_assert_eq(eventfd_errno(device, eventfd_request(gate.fence(), 0, 0, event)), 0);
    igt_assert_eq(eventfd_errno(device, eventfd_request(gate.fence(), 0, 0, kept)), 0);
  }
  gate.open_and_finish();
  igt_assert_eq(fired(kept, kPatience), 1);
}

constexpr Case kCases[] = {
    {"bad-arguments", "Flags, handles and pointers that are refused. [B4.7 B4.8]", bad_arguments},
    {"without-a-fence", "An object without a fence is refused unless one waits for submit. [B4.9]",
     without_a_fence},
    {"polling", "Times that have passed are polls. [B4.10]", polling},
    {"time-out", "A wait lasts at least as long as it was told to.", time_out},
    {"woken-by-a-job", "The end of a job ends the wait.", woken_by_a_job},
    {"woken-by-a-signal", "A signal by hand ends the wait.", woken_by_a_signal},
    {"woken-by-a-submit", "A job submitted later ends the wait. [B4.13]", woken_by_a_submit},
    {"any-of-several", "Which of ten has signalled. [B4.11]", any_of_several},
    {"any-is-the-first-of-those-ready", "Of two, the lower index is told.",
     any_is_the_first_of_those_ready},
    {"all-of-several", "All of eight.", all_of_several},
    {"one-object-twice", "The same handle again and again.", one_object_twice},
    {"errors-count-as-signals", "A failed job ends the wait. [B4.12]", errors_count_as_signals},
    {"changed-while-waiting", "A reset or a new fence does not disturb a wait.",
     changed_while_waiting},
    {"many-waiters", "Twelve threads wait for one fence.", many_waiters},
    {"waiting-blocks-nobody", "Jobs and binds go on beside a wait.", waiting_blocks_nobody},
    {"deadline-hint", "The deadline flag is accepted.", deadline_hint},
    {"interrupted", "Signals neither shorten nor end a wait.", interrupted},
    {"eventfd-bad-arguments", "What EVENTFD refuses. [B4.21]", eventfd_bad_arguments},
    {"eventfd-fires-once", "One registration, one event. [B4.21]", eventfd_fires_once},
    {"eventfd-fires-after-a-job", "The event comes after the job's result.",
     eventfd_fires_after_a_job},
    {"eventfd-when-available", "A fence that comes and a fence that signals. [B4.14 B4.21]",
     eventfd_when_available},
    {"eventfd-fires-in-the-call", "Nobody has to wait for an event that is due. [B4.21]",
     eventfd_fires_in_the_call},
    {"eventfd-closed-in-time", "An eventfd that is closed before.", eventfd_closed_in_time},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
