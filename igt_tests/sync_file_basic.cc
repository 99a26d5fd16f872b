// SPDX-License-Identifier: MIT

#include <fcntl.h>
#include <linux/sync_file.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <thread>
#include <vector>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/cases.h"
#include "igt_tests/lib/channel.h"
#include "igt_tests/lib/pulse.h"

IGT_TEST_DESCRIPTION("sync_files: fences as descriptors, to be polled, merged, asked and sent.");

using namespace gpu;

namespace {

bool is_readable(int fd, int64_t timeout) {
  pollfd entry{fd, POLLIN, 0};
  const int ready = poll(&entry, 1, static_cast<int>(timeout / kMillisecond));
  igt_assert_lte(0, ready);
  return ready == 1 && (entry.revents & POLLIN) != 0;
}

UniqueFd merge(const UniqueFd& a, const UniqueFd& b, const char* name) {
  sync_merge_data request{};
  strncpy(request.name, name, sizeof(request.name) - 1);
  request.fd2 = b.get();
  request.fence = -1;
  igt_assert_eq(ioctl(a.get(), SYNC_IOC_MERGE, &request), 0);
  igt_assert_fd(request.fence);
  return UniqueFd(request.fence);
}

// FILE_INFO with room for `room` fences.
struct Info {
  Info(const UniqueFd& file, uint32_t room) : fences(room) {
    info.num_fences = room;
    info.sync_fence_info = reinterpret_cast<uint64_t>(fences.data());
    number = ioctl(file.get(), SYNC_IOC_FILE_INFO, &info) == 0 ? 0 : errno;
  }
  std::vector<sync_fence_info> fences;
  sync_file_info info{};
  int number = 0;
};

Syncobj failed_job(Bench& bench) {
  Syncobj failed = Syncobj::create(bench.device());
  bench.group().submit(0, bench.place(Assembler().word(uint64_t{255} << 56)),
                       Syncs().signal(failed));
  return failed;
}

void status_of_a_job(const Device& device) {
  Gate gate(device);
  const UniqueFd file = gate.fence().export_sync_file();
  igt_assert(fcntl(file.get(), F_GETFD) & FD_CLOEXEC);
  igt_assert_eq(sync_file_status(file.get()), 0);
  igt_assert(!is_readable(file.get(), 0));
  gate.open();
  igt_assert(is_readable(file.get(), kPatience));
  igt_assert_eq(sync_file_status(file.get()), 1);
  // For ever.
  igt_assert(is_readable(file.get(), 0));
}

void status_of_a_failed_job(const Device& device) {
  Bench bench(device);
  const Syncobj failed = failed_job(bench);
  const UniqueFd file = failed.export_sync_file();
  igt_assert_eq(finish_sync_file(file.get(), kPatience), -EINVAL);
}

void status_of_a_bind(const Device& device) {
  Bench bench(device);
  Gate gate(device);
  Bo bo = Bo::create(device, kPage);
  bo.word_at(0) = 0x77;
  const Syncobj mapped = Syncobj::create(device);
  Binds binds;
  binds.map(bo, 0, kPlay, kPage, 0, Syncs().wait(gate.fence()).signal(mapped));
  igt_assert_eq(bench.vm().bind_async(binds), 0);
  const UniqueFd file = mapped.export_sync_file();
  igt_assert_eq(sync_file_status(file.get()), 0);
  gate.open();
  igt_assert_eq(finish_sync_file(file.get(), kPatience), 1);
  igt_assert_eq(bench.load32(kPlay), 0x77);
}

void signalled_by_hand(const Device& device) {
  const Syncobj ready = Syncobj::create_signalled(device);
  const UniqueFd file = ready.export_sync_file();
  igt_assert(is_readable(file.get(), 0));
  igt_assert_eq(sync_file_status(file.get()), 1);
}

// A poll() that has begun is woken.
void poll_is_woken(const Device& device) {
  Gate gate(device);
  const UniqueFd file = gate.fence().export_sync_file();
  const std::jthread later([&] {
    sleep_ns(kGlance);
    gate.open();
  });
  igt_assert(is_readable(file.get(), kPatience));
}

// It holds the fence, not the object.
void object_moves_on(const Device& device) {
  Gate gate(device);
  const Syncobj object = Syncobj::create(device);
  igt_assert_eq(transfer(device, object, 0, gate.fence(), 0), 0);
  const UniqueFd file = object.export_sync_file();
  object.signal();
  igt_assert_eq(sync_file_status(file.get()), 0);
  object.reset();
  igt_assert_eq(sync_file_status(file.get()), 0);
  gate.open();
  igt_assert_eq(finish_sync_file(file.get(), kPatience), 1);
  igt_assert_eq(object.wait(0), EINVAL);
}

void import(const Device& device) {
  Gate gate(device);
  const Syncobj object = Syncobj::create_signalled(device);
  {
    const UniqueFd file = gate.fence().export_sync_file();
    object.import_sync_file(file.get());
  }
  // What the object held before is forgotten; the descriptor is not needed any more.
  igt_assert_eq(object.wait(0), ETIME);
  gate.open();
  igt_assert_eq(object.finish(kPatience), 1);
}

void import_bad_arguments(const Device& device) {
  const Syncobj object = Syncobj::create_signalled(device);
  const UniqueFd good = object.export_sync_file();
  const UniqueFd not_one = object.export_syncobj();
  const auto call = [&](int fd, uint32_t handle) {
    drm_syncobj_handle request{};
    request.handle = handle;
    request.fd = fd;
    request.flags = DRM_SYNCOBJ_FD_TO_HANDLE_FLAGS_IMPORT_SYNC_FILE;
    return igt::ioctl_errno(device.fd(), DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &request);
  };
  igt_assert_eq(call(good.get(), object.handle()), 0);
  igt_assert_eq(call(good.get(), 4711), ENOENT);
  igt_assert_eq(call(-1, 4711), EINVAL);
  igt_assert_eq(call(not_one.get(), object.handle()), EINVAL);
  igt_assert_eq(call(device.fd(), object.handle()), EINVAL);
}

// A job waits for a fence that came in by descriptor.
void job_waits_for_it(const Device& device) {
  Bench bench(device);
  Gate gate(device);
  const Syncobj awaited = Syncobj::create(device);
  awaited.import_sync_file(gate.fence().export_sync_file().get());
  const Syncobj done = Syncobj::create(device);
  bench.set_result(0, 0x31);
  bench.group().submit(0, bench.place_copy(1, bench.result_va(0)),
                       Syncs().wait(awaited).signal(done));
  sleep_ns(kGlance);
  igt_assert_eq(done.wait(0), ETIME);
  gate.open();
  igt_assert_eq(done.finish(kPatience), 1);
  igt_assert_eq(bench.result(1), 0x31);
}

void info_of_a_job(const Device& device) {
  Gate gate(device);
  const UniqueFd file = gate.fence().export_sync_file();
  const Info pending(file, 1);
  igt_assert_eq(pending.number, 0);
  igt_assert_eq(pending.info.num_fences, 1);
  igt_assert_eq(pending.info.status, 0);
  igt_assert_eq(pending.fences[0].status, 0);
  igt_assert_eq(pending.fences[0].timestamp_ns, 0);
  igt_assert_eq(std::string_view(pending.fences[0].driver_name), "drm_sched");
  igt_assert(std::string_view(pending.fences[0].obj_name).starts_with("panthor-queue"));
  const int64_t before = now_ns();
  gate.open();
  igt_assert_eq(finish_sync_file(file.get(), kPatience), 1);
  // Room for more than there are.
  const Info signalled(file, 4);
  igt_assert_eq(signalled.number, 0);
  igt_assert_eq(signalled.info.num_fences, 1);
  igt_assert_eq(signalled.info.status, 1);
  igt_assert_eq(signalled.fences[0].status, 1);
  igt_assert_lte(before, signalled.fences[0].timestamp_ns);
  igt_assert_lte(signalled.fences[0].timestamp_ns, now_ns());
  // Without room only the number is told.
  const Info counted(file, 0);
  igt_assert_eq(counted.number, 0);
  igt_assert_eq(counted.info.num_fences, 1);
}

void info_of_a_bind(const Device& device) {
  Vm vm = Vm::create(device);
  Gate gate(device);
  const Syncobj done = Syncobj::create(device);
  Binds binds;
  binds.sync_only(Syncs().wait(gate.fence()).signal(done));
  igt_assert_eq(vm.bind_async(binds), 0);
  const UniqueFd file = done.export_sync_file();
  const Info info(file, 1);
  igt_assert_eq(std::string_view(info.fences[0].driver_name), "drm_sched");
  igt_assert_eq(std::string_view(info.fences[0].obj_name), "panthor-vm-bind");
  gate.open();
  igt_assert_eq(finish_sync_file(file.get(), kPatience), 1);
}

void bad_calls(const Device& device) {
  const UniqueFd file = Syncobj::create_signalled(device).export_sync_file();
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  const auto expect = [&](unsigned long request, void* argument, int number) {
    errno = 0;
    igt_assert_eq(ioctl(file.get(), request, argument), -1);
    igt_assert_eq(errno, number);
  };
  sync_file_info info{};
  info.flags = 1;
  expect(SYNC_IOC_FILE_INFO, &info, EINVAL);
  info.flags = 0;
  info.pad = 1;
  expect(SYNC_IOC_FILE_INFO, &info, EINVAL);
  info.pad = 0;
  info.num_fences = 1;
  info.sync_fence_info = 8;
  expect(SYNC_IOC_FILE_INFO, &info, EFAULT);
  expect(SYNC_IOC_FILE_INFO, reinterpret_cast<void*>(8), EFAULT);
  sync_merge_data merge_data{};
  merge_data.fd2 = file.get();
  merge_data.flags = 1;
  expect(SYNC_IOC_MERGE, &merge_data, EINVAL);
  merge_data.flags = 0;
  merge_data.pad = 1;
  expect(SYNC_IOC_MERGE, &merge_data, EINVAL);
  merge_data.pad = 0;
  for (const int fd : {-1, null.get(), device.fd()}) {
    merge_data.fd2 = fd;
    expect(SYNC_IOC_MERGE, &merge_data, ENOENT);
  }
  expect(_IO('>', 99), nullptr, ENOTTY);
}

void merged(const Device& device) {
  Gate a(device);
  Gate b(device);
  const UniqueFd file_a = a.fence().export_sync_file();
  const UniqueFd file_b = b.fence().export_sync_file();
  const UniqueFd both = merge(file_a, file_b, "both of them");
  const Info info(both, 2);
  igt_assert_eq(info.number, 0);
  igt_assert_eq(info.info.num_fences, 2);
  igt_assert_eq(std::string_view(info.info.name), "both of them");
  igt_assert_eq(Info(both, 1).number, EINVAL);
  a.open_and_finish();
  igt_assert(!is_readable(both.get(), kGlance));
  igt_assert_eq(sync_file_status(both.get()), 0);
  b.open_and_finish();
  igt_assert_eq(finish_sync_file(both.get(), kPatience), 1);
  igt_assert_eq(sync_file_status(file_a.get()), 1);
}

// Of fences that have signalled nothing need be kept.
void merged_with_a_signalled_one(const Device& device) {
  Gate gate(device);
  const UniqueFd ready = Syncobj::create_signalled(device).export_sync_file();
  const UniqueFd pending = gate.fence().export_sync_file();
  const UniqueFd both = merge(ready, pending, "half");
  igt_assert_eq(Info(both, 0).info.num_fences, 1);
  igt_assert_eq(sync_file_status(both.get()), 0);
  gate.open();
  igt_assert_eq(finish_sync_file(both.get(), kPatience), 1);
  const UniqueFd all = merge(ready, both, "whole");
  igt_assert_eq(sync_file_status(all.get()), 1);
  // The same fence twice is one.
  Gate other(device);
  const UniqueFd once = other.fence().export_sync_file();
  igt_assert_eq(Info(merge(once, once, "twice"), 0).info.num_fences, 1);
}

// Jobs of two groups, awaited as one fence by a third.
void merged_fences_gate_a_job(const Device& device) {
  Bench bench(device);
  Pulse first(device, kPlay);
  Pulse second(device, kPlay + kBlock);
  first.map_into(bench.vm());
  second.map_into(bench.vm());
  Group groups[] = {Group::create_simple(bench.vm()), Group::create_simple(bench.vm())};
  const Syncobj done[] = {Syncobj::create(device), Syncobj::create(device)};
  groups[0].submit(0, first.stream(), Syncs().signal(done[0]));
  groups[1].submit(0, second.stream(), Syncs().signal(done[1]));
  const Syncobj awaited = Syncobj::create(device);
  awaited.import_sync_file(
      merge(done[0].export_sync_file(), done[1].export_sync_file(), "both").get());
  const Syncobj last = Syncobj::create(device);
  bench.set_result(0, 0x3F);
  bench.group().submit(0, bench.place_copy(1, bench.result_va(0)),
                       Syncs().wait(awaited).signal(last));
  first.expect_start();
  second.expect_start();
  second.stop();
  igt_assert_eq(done[1].finish(kPatience), 1);
  igt_assert_eq(last.wait(kGlance), ETIME);
  igt_assert_eq(bench.result(1), 0);
  first.stop();
  igt_assert_eq(last.finish(kPatience), 1);
  igt_assert_eq(bench.result(1), 0x3F);
}

// What a timeline hands out does not tell of errors, unless one asks fence by fence.
void errors_behind_a_timeline(const Device& device) {
  Bench bench(device);
  const Syncobj binary = Syncobj::create(device);
  const Syncobj timeline = Syncobj::create(device);
  bench.group().submit(0, bench.place(Assembler().word(uint64_t{255} << 56)),
                       Syncs().signal(binary).signal(timeline, 1));
  igt_assert_eq(timeline.wait_point(1, kPatience), 0);
  const Syncobj moved = Syncobj::create(device);
  igt_assert_eq(transfer(device, moved, 0, timeline, 1), 0);
  igt_assert_eq(binary.finish(kPatience), -EINVAL);
  igt_assert_eq(moved.finish(kPatience), 1);
  const UniqueFd file = timeline.export_sync_file();
  igt_assert_eq(sync_file_status(file.get()), 1);
  const Info each(file, 4);
  igt_assert_eq(each.info.status, -EINVAL);
  igt_assert_eq(each.fences[0].status, -EINVAL);
  // A failed fence goes into a timeline without its error, and comes out without.
  const Syncobj washed = Syncobj::create(device);
  igt_assert_eq(transfer(device, washed, 5, binary, 0), 0);
  igt_assert_eq(washed.query(), 5);
  igt_assert_eq(transfer(device, moved, 0, washed, 5), 0);
  igt_assert_eq(moved.finish(kPatience), 1);
  // From binary to binary nothing is lost.
  igt_assert_eq(transfer(device, moved, 0, binary, 0), 0);
  igt_assert_eq(moved.finish(kPatience), -EINVAL);
}

void outlives_its_object(const Device& device) {
  Bench bench(device);
  Pulse pulse(device, kPlay);
  pulse.map_into(bench.vm());
  UniqueFd file;
  {
    const Syncobj done = Syncobj::create(device);
    bench.group().submit(0, pulse.stream(), Syncs().signal(done));
    file = done.export_sync_file();
  }
  const UniqueFd copy(dup(file.get()));
  file.reset();
  pulse.expect_start();
  igt_assert_eq(sync_file_status(copy.get()), 0);
  pulse.stop();
  igt_assert_eq(finish_sync_file(copy.get(), kPatience), 1);
}

void in_a_child(const Device& device) {
  Gate gate(device);
  const UniqueFd file = gate.fence().export_sync_file();
  igt_fork(child, 2) { igt_assert_eq(finish_sync_file(file.get(), kPatience), 1); };
  sleep_ns(kGlance);
  gate.open();
  igt_waitchildren();
}

// A child's job; its fence comes in a message.
void through_a_socket(const Device& device) {
  const Channel channel;
  igt_fork(child, 1) {
    const Device own = device.open_again();
    Bench bench(own);
    const Syncobj failed = failed_job(bench);
    channel.send(failed.export_sync_file().get());
    igt_assert_eq(failed.finish(kPatience), -EINVAL);
  };
  const UniqueFd file = channel.receive();
  igt_assert_eq(finish_sync_file(file.get(), kPatience), -EINVAL);
  igt_waitchildren();
  igt_assert_eq(sync_file_status(file.get()), -EINVAL);
}

constexpr Case kCases[] = {
    {"status-of-a-job", "Pending, then signalled, for poll() and for FILE_INFO.", status_of_a_job},
    {"status-of-a-failed-job", "The errno of a job that faulted. [B4.27]", status_of_a_failed_job},
    {"status-of-a-bind", "When it has signalled, the mapping is there.", status_of_a_bind},
    {"signalled-by-hand", "The fence of SIGNAL.", signalled_by_hand},
    {"poll-is-woken", "A poll() that waits already.", poll_is_woken},
    {"object-moves-on", "Neither a signal nor a reset of the object matters.", object_moves_on},
    {"import", "The fence replaces what an object held.", import},
    {"import-bad-arguments", "What the import refuses.", import_bad_arguments},
    {"job-waits-for-it", "A job behind an imported fence.", job_waits_for_it},
    {"info-of-a-job", "Names, status and time of a job's fence.", info_of_a_job},
    {"info-of-a-bind", "Names of a bind's fence.", info_of_a_bind},
    {"bad-calls", "What FILE_INFO and MERGE refuse.", bad_calls},
    {"merged", "Two fences in one.", merged},
    {"merged-with-a-signalled-one", "Signalled fences drop out.", merged_with_a_signalled_one},
    {"merged-fences-gate-a-job", "A job behind two jobs, by one descriptor.",
     merged_fences_gate_a_job},
    {"errors-behind-a-timeline", "Where an error is told and where it is lost. [B4.27]",
     errors_behind_a_timeline},
    {"outlives-its-object", "Without the object, and through dup().", outlives_its_object},
    {"in-a-child", "Children wait for an inherited fence.", in_a_child},
    {"through-a-socket", "A fence arrives by message, and outlives its process. [G1.1]",
     through_a_socket},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
