// SPDX-License-Identifier: MIT

#include <poll.h>
#include <sys/eventfd.h>
#include <xf86drm.h>

#include <cerrno>
#include <deque>
#include <thread>
#include <vector>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/bench.h"
#include "igt_tests/lib/cases.h"
#include "igt_tests/lib/waits.h"

IGT_TEST_DESCRIPTION("Timelines: points signalled, queried, awaited and transferred.");

using namespace gpu;

namespace {

constexpr uint32_t kAll = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_ALL;
constexpr uint32_t kForSubmit = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT;
constexpr uint32_t kAvailable = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE;
constexpr uint32_t kNowhere = 4711;

int wait_with(const Device& device, const Syncobj& object, uint64_t point, uint32_t flags,
              int64_t timeout) {
  return Waits(device).add(object, point).run_timeline(flags, timeout);
}

void signal_and_query(const Device& device) {
  const Syncobj timeline = Syncobj::create(device);
  igt_assert_eq(timeline.query(), 0);
  igt_assert_eq(timeline.query_last_submitted(), 0);
  for (const uint64_t point :
       {uint64_t{1}, uint64_t{2}, uint64_t{10}, uint64_t{1} << 40, ~uint64_t{0} - 1}) {
    igt_assert_eq(timeline.wait_point(point, 0), EINVAL);
    timeline.signal_point(point);
    igt_assert_eq(timeline.query(), point);
    igt_assert_eq(timeline.query_last_submitted(), point);
    igt_assert_eq(timeline.wait_point(point, 0), 0);
    igt_assert_eq(timeline.wait_point(point + 1, 0), EINVAL);
  }
  // Skipped points are as good as those above them.
  igt_assert_eq(timeline.wait_point(5, 0), 0);
  igt_assert_eq(timeline.wait_point(0, 0), 0);
}

void arrays(const Device& device) {
  std::vector<Syncobj> timelines;
  std::vector<uint32_t> handles;
  std::vector<uint64_t> points;
  for (uint32_t i = 0; i < 100; ++i) {
    timelines.push_back(Syncobj::create(device));
    handles.push_back(timelines.back().handle());
    points.push_back(1000 + 7 * i);
  }
  drm_syncobj_timeline_array request{};
  request.handles = reinterpret_cast<uint64_t>(handles.data());
  request.points = reinterpret_cast<uint64_t>(points.data());
  request.count_handles = 100;
  do_ioctl(device.fd(), DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, &request);
  std::vector<uint64_t> answers(100, 0);
  request.points = reinterpret_cast<uint64_t>(answers.data());
  do_ioctl(device.fd(), DRM_IOCTL_SYNCOBJ_QUERY, &request);
  igt_assert(answers == points);
}

void arrays_bad_arguments(const Device& device) {
  const Syncobj timeline = Syncobj::create(device);
  const uint32_t handles[] = {timeline.handle(), kNowhere};
  uint64_t points[] = {1, 1};
  const auto h = reinterpret_cast<uint64_t>(handles);
  const auto p = reinterpret_cast<uint64_t>(points);
  const auto expect = [&](unsigned long call, drm_syncobj_timeline_array request, int number) {
    do_ioctl_err(device.fd(), call, &request, number);
  };
  for (const unsigned long call : {static_cast<unsigned long>(DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL),
                                   static_cast<unsigned long>(DRM_IOCTL_SYNCOBJ_QUERY)}) {
    expect(call, {h, p, 0, 0}, EINVAL);
    expect(call, {h, p, 1, 2}, EINVAL);
    expect(call, {h, p, 2, 0}, ENOENT);
    expect(call, {8, p, 1, 0}, EFAULT);
    expect(call, {h, 8, 1, 0}, EFAULT);
  }
  // Only one of the two calls has a flag.
  expect(DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, {h, p, 1, 1}, EINVAL);
  expect(DRM_IOCTL_SYNCOBJ_QUERY, {h, 0, 1, 0}, EFAULT);
  igt_assert_eq(timeline.wait(0), EINVAL);
}

void without_points(const Device& device) {
  const Syncobj object = Syncobj::create(device);
  const uint32_t handle = object.handle();
  drm_syncobj_timeline_array signal{reinterpret_cast<uint64_t>(&handle), 0, 1, 0};
  do_ioctl(device.fd(), DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, &signal);
  igt_assert_eq(object.wait(0), 0);
  drm_syncobj_timeline_wait wait{};
  wait.handles = reinterpret_cast<uint64_t>(&handle);
  wait.count_handles = 1;
  do_ioctl(device.fd(), DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, &wait);
}

void wait_bad_arguments(const Device& device) {
  const Syncobj timeline = Syncobj::create(device);
  timeline.signal_point(3);
  for (const uint32_t flags : {0x10U, 0x8000'0000U, kAvailable | 0x20U}) {
    igt_assert_eq(wait_with(device, timeline, 3, flags, 0), EINVAL);
    igt_assert_eq(Waits(device).run_timeline(flags, 0), EINVAL);
  }
  igt_assert_eq(Waits(device).run_timeline(kAll | kAvailable, 0), 0);
  igt_assert_eq(Waits(device).add(timeline, 3).add_handle(kNowhere).run_timeline(0, 0), ENOENT);
  const uint32_t handle = timeline.handle();
  for (const uint64_t address : {uint64_t{8}, ~uint64_t{0} - 4095}) {
    drm_syncobj_timeline_wait request{};
    request.handles = reinterpret_cast<uint64_t>(&handle);
    request.points = address;
    request.count_handles = 1;
    do_ioctl_err(device.fd(), DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, &request, EFAULT);
  }
}

// The first pending point holds up all later ones.
void in_order(const Device& device) {
  Gate gate(device);
  const Syncobj timeline = Syncobj::create(device);
  timeline.signal_point(2);
  igt_assert_eq(transfer(device, timeline, 4, gate.fence(), 0), 0);
  timeline.signal_point(6);
  timeline.signal_point(8);
  igt_assert_eq(timeline.query(), 2);
  igt_assert_eq(timeline.query_last_submitted(), 8);
  igt_assert_eq(timeline.wait_point(2, 0), 0);
  for (const uint64_t point : {3, 4, 5, 6, 8, 0}) {
    igt_assert_eq(timeline.wait_point(point, 0), ETIME);
  }
  igt_assert_eq(timeline.wait_point(9, 0), EINVAL);
  gate.open();
  igt_assert_eq(timeline.wait_point(8, kPatience), 0);
  igt_assert_eq(timeline.query(), 8);
}

// A lower point after a higher one is taken, and changes nothing that can be asked for.
void out_of_order(const Device& device) {
  const Syncobj timeline = Syncobj::create(device);
  timeline.signal_point(20);
  timeline.signal_point(15);
  igt_assert_eq(timeline.query(), 20);
  igt_assert_eq(timeline.wait_point(20, 0), 0);
}

void waiting_for_submit(const Device& device) {
  const Syncobj timeline = Syncobj::create(device);
  timeline.signal_point(1);
  igt_assert_eq(wait_with(device, timeline, 5, 0, kPatience), EINVAL);
  for (const uint32_t flags : {kForSubmit, kAvailable, kForSubmit | kAvailable}) {
    igt_assert_eq(wait_with(device, timeline, 5, flags, kMillisecond), ETIME);
  }
  const std::jthread later([&] {
    for (uint64_t point = 2; point <= 5; ++point) {
      sleep_ns(2 * kMillisecond);
      timeline.signal_point(point);
    }
  });
  igt_assert_eq(wait_with(device, timeline, 5, kForSubmit, kPatience), 0);
  igt_assert_eq(timeline.query(), 5);
}

// A fence that is there is not yet one that has signalled.
void waiting_for_a_fence(const Device& device) {
  Gate gate(device);
  const Syncobj timeline = Syncobj::create(device);
  {
    const std::jthread later([&] {
      sleep_ns(kGlance);
      igt_assert_eq(transfer(device, timeline, 3, gate.fence(), 0), 0);
    });
    igt_assert_eq(wait_with(device, timeline, 3, kAvailable, kPatience), 0);
  }
  igt_assert_eq(wait_with(device, timeline, 3, kAvailable | kAll, 0), 0);
  igt_assert_eq(wait_with(device, timeline, 3, 0, 0), ETIME);
  igt_assert_eq(wait_with(device, timeline, 3, kForSubmit, kMillisecond), ETIME);
  gate.open();
  igt_assert_eq(wait_with(device, timeline, 3, 0, kPatience), 0);
}

void several_points(const Device& device) {
  Gate gate(device);
  const Syncobj a = Syncobj::create(device);
  const Syncobj b = Syncobj::create(device);
  a.signal_point(10);
  igt_assert_eq(transfer(device, b, 10, gate.fence(), 0), 0);
  Waits waits(device);
  waits.add(b, 10).add(a, 10).add(b, 5).add(a, 1);
  igt_assert_eq(waits.run_timeline(0, 0), 0);
  igt_assert_eq(waits.first(), 1);
  igt_assert_eq(waits.run_timeline(kAll, kMillisecond), ETIME);
  igt_assert_eq(waits.first(), Waits::kUntouched);
  gate.open();
  igt_assert_eq(waits.run_timeline(kAll, kPatience), 0);
  waits.add(a, 11);
  igt_assert_eq(waits.run_timeline(0, 0), EINVAL);
}

// Signalled by hand, or reset, an object forgets its points.
void binary_again(const Device& device) {
  const Syncobj timeline = Syncobj::create(device);
  timeline.signal_point(30);
  timeline.signal();
  igt_assert_eq(timeline.query(), 0);
  igt_assert_eq(timeline.wait_point(30, 0), EINVAL);
  igt_assert_eq(timeline.wait_point(0, 0), 0);
  timeline.signal_point(4);
  igt_assert_eq(timeline.query(), 4);
  timeline.reset();
  igt_assert_eq(timeline.query(), 0);
  igt_assert_eq(timeline.wait_point(4, 0), EINVAL);
  igt_assert_eq(timeline.wait(0), EINVAL);
  timeline.signal_point(1);
  igt_assert_eq(timeline.query(), 1);
}

void transfers(const Device& device) {
  Gate gate(device);
  const Syncobj timeline = Syncobj::create(device);
  const Syncobj other = Syncobj::create(device);
  const Syncobj binary = Syncobj::create(device);
  timeline.signal_point(1);
  igt_assert_eq(transfer(device, timeline, 2, gate.fence(), 0), 0);
  // Point to point, point to binary, head to binary.
  igt_assert_eq(transfer(device, other, 100, timeline, 2), 0);
  igt_assert_eq(other.query(), 0);
  igt_assert_eq(other.query_last_submitted(), 100);
  igt_assert_eq(transfer(device, binary, 0, timeline, 1), 0);
  igt_assert_eq(binary.wait(0), 0);
  igt_assert_eq(transfer(device, binary, 0, timeline, 0), 0);
  igt_assert_eq(binary.wait(0), ETIME);
  // A signalled one, then one that does not exist.
  igt_assert_eq(transfer(device, other, 200, timeline, 1), 0);
  igt_assert_eq(other.wait_point(200, 0), ETIME);
  igt_assert_eq(transfer(device, other, 300, timeline, 3), EINVAL);
  gate.open();
  igt_assert_eq(binary.wait(kPatience), 0);
  igt_assert_eq(other.wait_point(200, kPatience), 0);
  igt_assert_eq(other.query(), 200);
}

void transfer_bad_arguments(const Device& device) {
  const Syncobj from = Syncobj::create_signalled(device);
  const Syncobj to = Syncobj::create(device);
  const auto call = [&](drm_syncobj_transfer request) {
    return igt::ioctl_errno(device.fd(), DRM_IOCTL_SYNCOBJ_TRANSFER, &request);
  };
  for (const uint64_t point : {0, 9}) {
    igt_assert_eq(call({kNowhere, kNowhere, 0, point, ~0U, 1}), EINVAL);
    igt_assert_eq(call({from.handle(), kNowhere, 0, point, 0, 0}), ENOENT);
    igt_assert_eq(call({kNowhere, to.handle(), 0, point, 0, 0}), ENOENT);
    igt_assert_eq(call({from.handle(), to.handle(), 0, point, kAll, 0}), EINVAL);
    igt_assert_eq(call({from.handle(), to.handle(), 0, point, kAvailable, 0}), EINVAL);
    igt_assert_eq(call({from.handle(), to.handle(), 1, point, 0, 0}), EINVAL);
    igt_assert_eq(call({to.handle(), to.handle(), 0, point, 0, 0}), EINVAL);
  }
  igt_assert_eq(to.wait(0), EINVAL);
}

void transfer_waits_for_submit(const Device& device) {
  const Syncobj from = Syncobj::create(device);
  const Syncobj to = Syncobj::create(device);
  const std::jthread later([&] {
    sleep_ns(kGlance);
    from.signal_point(6);
  });
  drm_syncobj_transfer request{from.handle(), to.handle(), 6, 60, kForSubmit, 0};
  do_ioctl(device.fd(), DRM_IOCTL_SYNCOBJ_TRANSFER, &request);
  igt_assert_eq(to.query(), 60);
}

// A transfer whose handles go, and others take their numbers, after `head_start`, when nobody can
// know that it waits, though it has had time. True: it went from the first object to the second.
bool keeps_its_objects(const Device& device, int64_t head_start) {
  const Syncobj from = Syncobj::create(device);
  const Syncobj to = Syncobj::create(device);
  uint32_t again[2] = {};
  const UniqueFd exported[2] = {from.export_syncobj(), to.export_syncobj()};
  for (int i : {0, 1})
    igt_assert_eq(drmSyncobjFDToHandle(device.fd(), exported[i].get(), &again[i]), 0);
  drm_syncobj_transfer request{again[0], again[1], 6, 60, kForSubmit, 0};
  std::deque<Syncobj> others;
  const std::jthread later([&] {
    sleep_ns(head_start);
    for (const uint32_t handle : again) drmSyncobjDestroy(device.fd(), handle);
    for (int i : {0, 1}) {
      others.push_back(Syncobj::create(device));
      igt_assert_eq(others.back().handle(), again[i]);
    }
    from.signal_point(6);
    // For one that has found the others.
    sleep_ns(kGlance);
    others.front().signal_point(6);
  });
  return igt::ioctl_errno(device.fd(), DRM_IOCTL_SYNCOBJ_TRANSFER, &request) == 0 &&
         to.query() == 60;
}

void transfer_keeps_its_objects(const Device& device) {
  bool kept = false;
  // One that comes too late, on a busy machine, finds the others or none.
  for (int64_t head_start = kGlance; !kept && head_start < 2 * kSecond; head_start *= 4)
    kept = keeps_its_objects(device, head_start);
  igt_assert(kept);
}

// The points of jobs in several groups. Behind each of them is its result, and those before it.
void points_of_jobs(const Device& device) {
  constexpr uint32_t kJobs = 64;
  Bench benches[] = {Bench(device), Bench(device), Bench(device)};
  Gate gate(device);
  const Syncobj timeline = Syncobj::create(device);
  for (uint32_t i = 1; i <= kJobs; ++i) {
    Bench& bench = benches[i % 3];
    bench.set_result(i, 0);
    const Stream stream =
        bench.place(Assembler().store_value(bench.result_va(i), 900 + i).publish());
    Syncs syncs = Syncs().signal(timeline, i);
    if (i <= 3) syncs.wait(gate.fence());
    bench.group().submit(0, stream, syncs);
  }
  igt_assert_eq(timeline.query(), 0);
  gate.open();
  for (uint32_t point = 1; point <= kJobs; ++point) {
    igt_assert_eq(timeline.wait_point(point, kPatience), 0);
    igt_assert_eq(benches[point % 3].result(point), 900 + point);
    igt_assert_lte(point, timeline.query());
  }
}

// Two objects, one timeline.
void across_files(const Device& device) {
  const Device other = device.open_again();
  Gate gate(device);
  const Syncobj timeline = Syncobj::create(device);
  const UniqueFd fd = timeline.export_syncobj();
  drm_syncobj_handle request{};
  request.fd = fd.get();
  do_ioctl(other.fd(), DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &request);
  const Syncobj there = Syncobj::adopt(other, request.handle);
  igt_assert_eq(transfer(device, timeline, 5, gate.fence(), 0), 0);
  igt_assert_eq(there.query_last_submitted(), 5);
  igt_assert_eq(there.wait_point(5, 0), ETIME);
  gate.open();
  igt_assert_eq(there.wait_point(5, kPatience), 0);
  there.signal_point(6);
  igt_assert_eq(timeline.query(), 6);
}

void eventfd_of_a_point(const Device& device) {
  Gate gate(device);
  const Syncobj timeline = Syncobj::create(device);
  std::deque<UniqueFd> events;
  for (const uint64_t point : {1, 4, 5, 9}) {
    events.emplace_back(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    drm_syncobj_eventfd request{timeline.handle(), 0, point, events.back().get(), 0};
    do_ioctl(device.fd(), DRM_IOCTL_SYNCOBJ_EVENTFD, &request);
  }
  const auto has_fired = [&](size_t i, int64_t timeout) {
    pollfd entry{events[i].get(), POLLIN, 0};
    return poll(&entry, 1, static_cast<int>(timeout / kMillisecond)) == 1;
  };
  timeline.signal_point(2);
  igt_assert(has_fired(0, kPatience));
  igt_assert_eq(transfer(device, timeline, 6, gate.fence(), 0), 0);
  igt_assert(!has_fired(1, kGlance));
  gate.open();
  igt_assert(has_fired(1, kPatience));
  igt_assert(has_fired(2, kPatience));
  igt_assert(!has_fired(3, kGlance));
  timeline.signal_point(9);
  igt_assert(has_fired(3, kPatience));
}

// One point as a sync_file, and a sync_file as a point of another timeline.
void points_as_descriptors(const Device& device) {
  constexpr unsigned long kToFd = DRM_IOWR(0xC1, drm_syncobj_handle_with_point);
  constexpr unsigned long kToHandle = DRM_IOWR(0xC2, drm_syncobj_handle_with_point);
  constexpr uint32_t kPoint =
      DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE | DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_TIMELINE;
  Bench bench(device);
  Gate gate(device);
  const Syncobj timeline = Syncobj::create(device);
  const Syncobj copy = Syncobj::create(device);
  Jobs jobs;
  jobs.add_empty(0, Syncs().signal(timeline, 3));
  jobs.add_empty(0, Syncs().wait(gate.fence()).signal(timeline, 7));
  igt_assert_eq(bench.group().try_submit(jobs), 0);

  drm_syncobj_handle_with_point out{timeline.handle(), kPoint, -1, 0, 3};
  if (device.minor() < 4) {
    do_ioctl_err(device.fd(), kToFd, &out, EINVAL);
    gate.open_and_finish();
    return;
  }
  do_ioctl(device.fd(), kToFd, &out);
  const UniqueFd third(out.fd);
  igt_assert_eq(finish_sync_file(third.get(), kPatience), 1);
  out.point = 7;
  do_ioctl(device.fd(), kToFd, &out);
  const UniqueFd seventh(out.fd);
  igt_assert_eq(sync_file_status(seventh.get()), 0);
  out.point = 8;
  do_ioctl_err(device.fd(), kToFd, &out, EINVAL);
  out.point = 3;
  out.flags = 0;
  do_ioctl_err(device.fd(), kToFd, &out, EINVAL);
  out = {4711, kPoint, -1, 0, 3};
  do_ioctl_err(device.fd(), kToFd, &out, ENOENT);

  drm_syncobj_handle_with_point in{copy.handle(), kPoint, third.get(), 0, 10};
  do_ioctl(device.fd(), kToHandle, &in);
  igt_assert_eq(copy.query(), 10);
  in.fd = seventh.get();
  in.point = 20;
  do_ioctl(device.fd(), kToHandle, &in);
  igt_assert_eq(copy.query(), 10);
  igt_assert_eq(copy.query_last_submitted(), 20);
  gate.open_and_finish();
  igt_assert_eq(copy.wait_point(20, kPatience), 0);
  igt_assert_eq(copy.query(), 20);
  in.fd = device.fd();
  do_ioctl_err(device.fd(), kToHandle, &in, EINVAL);
}

constexpr Case kCases[] = {
    {"points-as-descriptors", "Points leave and enter timelines as sync_files. [B4.26]",
     points_as_descriptors},
    {"signal-and-query", "Points by hand, over all 64 bits. [B4.17]", signal_and_query},
    {"arrays", "100 timelines at a time.", arrays},
    {"arrays-bad-arguments", "What TIMELINE_SIGNAL and QUERY refuse. [B4.17 B4.20]",
     arrays_bad_arguments},
    {"without-points", "No array of points means point 0. [B4.20]", without_points},
    {"wait-bad-arguments", "What TIMELINE_WAIT refuses.", wait_bad_arguments},
    {"in-order", "A pending point holds up all above it. [B4.23]", in_order},
    {"out-of-order", "A lower point after a higher one. [B4.24]", out_of_order},
    {"waiting-for-submit", "A point that somebody signals later.", waiting_for_submit},
    {"waiting-for-a-fence", "A point whose fence comes later.", waiting_for_a_fence},
    {"several-points", "Any and all of several points.", several_points},
    {"binary-again", "SIGNAL and RESET make an end of a timeline. [B4.25]", binary_again},
    {"transfers", "From point to point, and to and from binary fences.", transfers},
    {"transfer-bad-arguments", "What TRANSFER refuses, and what first. [B4.18]",
     transfer_bad_arguments},
    {"transfer-waits-for-submit", "A transfer of what is signalled later. [B4.19]",
     transfer_waits_for_submit},
    {"transfer-keeps-its-objects", "Its handles are destroyed while it waits.",
     transfer_keeps_its_objects},
    {"points-of-jobs", "Behind each point is the result of its job.", points_of_jobs},
    {"across-files", "One timeline in two files.", across_files},
    {"eventfd-of-a-point", "Events for points present and to come.", eventfd_of_a_point},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
