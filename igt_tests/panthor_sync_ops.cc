// SPDX-License-Identifier: MIT

#include <cerrno>
#include <deque>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/cases.h"
#include "igt_tests/lib/pulse.h"

IGT_TEST_DESCRIPTION(
    "Sync-ops of jobs and binds: what a wait and a signal mean, and what is refused.");

using namespace gpu;

namespace {

void batch_waits_on_itself(const Device& device) {
  Bench bench(device, 0, kBenchVa, {3, 4096, PANTHOR_GROUP_PRIORITY_MEDIUM});
  Gate gate(device);
  const Syncobj links[] = {Syncobj::create(device), Syncobj::create(device)};
  const Syncobj done = Syncobj::create(device);
  bench.set_result(0, 0xD00);
  Jobs jobs;
  jobs.add(2, bench.place_copy(1, bench.result_va(0)), Syncs().wait(gate.fence()).signal(links[0]));
  jobs.add(1, bench.place_copy(2, bench.result_va(1)), Syncs().wait(links[0]).signal(links[1]));
  jobs.add(0, bench.place_copy(3, bench.result_va(2)), Syncs().wait(links[1]).signal(done));
  igt_assert_eq(bench.group().try_submit(jobs), 0);
  gate.open_and_finish();
  igt_assert_eq(done.finish(kPatience), 1);
  for (uint32_t i = 1; i <= 3; ++i) igt_assert_eq(bench.result(i), 0xD00);
  for (const Syncobj& link : links) igt_assert(link.is_signalled());
}

void batch_wait_on_later_signal(const Device& device) {
  Bench bench(device);
  const Syncobj link = Syncobj::create(device);
  Jobs jobs;
  jobs.add(0, bench.place_copy(1, bench.result_va(0)), Syncs().wait(link));
  jobs.add(0, bench.place_copy(2, bench.result_va(0)), Syncs().signal(link));
  bench.set_result(0, 5);
  igt_assert_eq(bench.group().try_submit(jobs), EINVAL);
  igt_assert_eq(link.wait(0), EINVAL);
  sleep_ns(kGlance);
  igt_assert_eq(bench.result(1) + bench.result(2), 0);
  // With an older fence to wait for it is a different matter.
  link.signal();
  igt_assert_eq(bench.group().try_submit(jobs), 0);
  igt_assert_eq(link.finish(kPatience), 1);
  igt_assert_eq(bench.result(1), 5);
  igt_assert_eq(bench.result(2), 5);
}

// Waiting for a fence and replacing it, in one job: the wait means the old one.
void job_waits_and_signals_the_same(const Device& device) {
  Bench bench(device);
  Gate gate(device);
  const Syncobj link = Syncobj::create(device);
  const Stream first = bench.place_copy(1, bench.result_va(0));
  Jobs refused;
  refused.add(0, first, Syncs().signal(link).wait(link));
  igt_assert_eq(bench.group().try_submit(refused), EINVAL);
  bench.set_result(0, 6);
  bench.group().submit(0, first, Syncs().wait(gate.fence()).signal(link));
  for (uint32_t i = 2; i < 10; ++i) {
    bench.group().submit(0, bench.place_copy(i, bench.result_va(i - 1)),
                         Syncs().wait(link).signal(link));
  }
  sleep_ns(kGlance);
  igt_assert_eq(link.wait(0), ETIME);
  gate.open_and_finish();
  igt_assert_eq(link.finish(kPatience), 1);
  for (uint32_t i = 1; i < 10; ++i) igt_assert_eq(bench.result(i), 6);
}

void last_signal_of_a_batch_counts(const Device& device) {
  Bench bench(device, 0, kBenchVa, {2, 4096, PANTHOR_GROUP_PRIORITY_MEDIUM});
  Gate gate(device);
  const Syncobj shared = Syncobj::create(device);
  const Syncobj first = Syncobj::create(device);
  bench.set_result(0, 7);
  Jobs jobs;
  jobs.add(0, bench.place_copy(1, bench.result_va(0)), Syncs().signal(shared).signal(first));
  jobs.add(1, bench.place_copy(2, bench.result_va(0)), Syncs().wait(gate.fence()).signal(shared));
  igt_assert_eq(bench.group().try_submit(jobs), 0);
  igt_assert_eq(first.finish(kPatience), 1);
  igt_assert_eq(bench.result(1), 7);
  igt_assert_eq(shared.wait(0), ETIME);
  igt_assert_eq(bench.result(2), 0);
  gate.open_and_finish();
  igt_assert_eq(shared.finish(kPatience), 1);
  igt_assert_eq(bench.result(2), 7);
}

// What a job waits for is decided when it is submitted.
void waits_are_snapshots(const Device& device) {
  Bench bench(device);
  Gate gate(device);
  const Syncobj link = Syncobj::create(device);
  igt_assert_eq(transfer(device, link, 0, gate.fence(), 0), 0);
  const Syncobj done = Syncobj::create(device);
  bench.set_result(0, 8);
  bench.group().submit(0, bench.place_copy(1, bench.result_va(0)), Syncs().wait(link).signal(done));
  link.signal();
  sleep_ns(kGlance);
  igt_assert_eq(done.wait(0), ETIME);
  link.reset();
  gate.open_and_finish();
  igt_assert_eq(done.finish(kPatience), 1);
  igt_assert_eq(bench.result(1), 8);
}

void points(const Device& device) {
  Bench bench(device);
  Gate gate(device);
  const Syncobj timeline = Syncobj::create(device);
  bench.set_result(0, 3);
  bench.group().submit(0, bench.place_copy(1, bench.result_va(0)), Syncs().signal(timeline, 5));
  igt_assert_eq(timeline.wait_point(5, kPatience), 0);
  bench.group().submit(0, bench.place_copy(2, bench.result_va(1)),
                       Syncs().wait(gate.fence()).signal(timeline, 10));
  Jobs refused;
  refused.add(0, bench.place_copy(3, bench.result_va(0)), Syncs().wait(timeline, 11));
  igt_assert_eq(bench.group().try_submit(refused), EINVAL);
  // A point that was skipped stands for the next one above it.
  const Group other = Group::create_simple(bench.vm());
  const Syncobj done[] = {Syncobj::create(device), Syncobj::create(device)};
  other.submit(0, bench.place_copy(4, bench.result_va(1)),
               Syncs().wait(timeline, 3).signal(done[0]));
  other.submit(0, bench.place_copy(5, bench.result_va(2)),
               Syncs().wait(timeline, 6).signal(done[1]));
  igt_assert_eq(done[0].finish(kPatience), 1);
  igt_assert_eq(bench.result(4), 3);
  igt_assert_eq(done[1].wait(0), ETIME);
  igt_assert_eq(timeline.query(), 5);
  gate.open_and_finish();
  igt_assert_eq(done[1].finish(kPatience), 1);
  igt_assert_eq(bench.result(5), 3);
  igt_assert_eq(timeline.query(), 10);
}

// A timeline sync-op with point 0 is a binary one.
void point_zero(const Device& device) {
  Bench bench(device);
  const Syncobj object = Syncobj::create(device);
  bench.set_result(0, 4);
  bench.group().submit(0, bench.place_copy(1, bench.result_va(0)), Syncs().signal(object, 0));
  igt_assert_eq(object.finish(kPatience), 1);
  igt_assert_eq(object.query(), 0);
  const Syncobj done = Syncobj::create(device);
  bench.group().submit(0, bench.place_copy(2, bench.result_va(1)),
                       Syncs().wait(object, 0).signal(done));
  igt_assert_eq(done.finish(kPatience), 1);
  igt_assert_eq(bench.result(2), 4);
}

void many_waits_and_signals(const Device& device) {
  constexpr uint32_t kMany = 48;
  Bench bench(device, 0, kBenchVa, {8, 4096, PANTHOR_GROUP_PRIORITY_MEDIUM});
  Gate gate(device);
  std::deque<Syncobj> parts;
  Syncs all;
  bench.set_result(kMany, 11);
  for (uint32_t i = 0; i < kMany; ++i) {
    parts.push_back(Syncobj::create(device));
    Syncs syncs = Syncs().signal(parts.back());
    if (i == kMany / 2) syncs.wait(gate.fence());
    bench.group().submit(i % 8, bench.place_copy(i, bench.result_va(kMany)), syncs);
    all.wait(parts.back());
  }
  std::deque<Syncobj> ends;
  for (uint32_t i = 0; i < kMany; ++i) {
    ends.push_back(Syncobj::create(device));
    all.signal(ends.back());
  }
  const Group collector = Group::create_simple(bench.vm());
  collector.submit(0, bench.place_copy(kMany + 1, bench.result_va(kMany / 2)), all);
  sleep_ns(kGlance);
  igt_assert_eq(ends[0].wait(0), ETIME);
  gate.open_and_finish();
  for (const Syncobj& end : ends) igt_assert_eq(end.finish(kPatience), 1);
  for (const Syncobj& part : parts) igt_assert(part.is_signalled());
  igt_assert_eq(bench.result(kMany + 1), 11);
}

// The failure of what was waited for is not one's own.
void errors_do_not_spread(const Device& device) {
  Bench bad(device);
  Bench good(device);
  Bo bo = Bo::create(device, kPage);
  bo.word_at(0) = 0x600D;
  const Syncobj failed = Syncobj::create(device);
  const Syncobj mapped = Syncobj::create(device);
  const Syncobj done = Syncobj::create(device);
  bad.group().submit(0, bad.place(Assembler().word(uint64_t{255} << 56)), Syncs().signal(failed));
  Binds binds;
  binds.map(bo, 0, kPlay, kPage, 0, Syncs().wait(failed).signal(mapped));
  igt_assert_eq(good.vm().bind_async(binds), 0);
  good.group().submit(0, good.place_copy(0, kPlay), Syncs().wait(mapped).wait(failed).signal(done));
  igt_assert_eq(done.finish(kPatience), 1);
  igt_assert_eq(mapped.finish(kPatience), 1);
  igt_assert_eq(failed.finish(kPatience), -EINVAL);
  igt_assert_eq(good.result(0), 0x600D);
  igt_assert_eq(good.vm().state(), DRM_PANTHOR_VM_STATE_USABLE);
}

// Runs one set of sync-ops through a job and through a bind. Both must say the same.
struct SyncOps {
  explicit SyncOps(const Device& opened) : device(opened), bench(opened) {}

  int job(drm_panthor_obj_array syncs) {
    Jobs jobs;
    jobs.add_empty(0, {});
    jobs.submits()[0].syncs = syncs;
    return bench.group().try_submit(jobs);
  }
  int bind(drm_panthor_obj_array syncs) {
    Binds binds;
    drm_panthor_vm_bind_op op{};
    op.flags = kSyncOnly;
    op.syncs = syncs;
    return bench.vm().bind_async(binds.raw(op));
  }
  void expect(int number, drm_panthor_obj_array syncs) {
    igt_assert_eq(job(syncs), number);
    igt_assert_eq(bind(syncs), number);
  }
  void expect(int number, drm_panthor_sync_op op) {
    expect(number, drm_panthor_obj_array{sizeof(op), 1, reinterpret_cast<uint64_t>(&op)});
  }

  const Device& device;
  Bench bench;
};

constexpr uint32_t kSignal = static_cast<uint32_t>(DRM_PANTHOR_SYNC_OP_SIGNAL);
constexpr uint32_t kTimeline = DRM_PANTHOR_SYNC_OP_HANDLE_TYPE_TIMELINE_SYNCOBJ;

void bad_sync_ops(const Device& device) {
  SyncOps ops(device);
  const Syncobj ready = Syncobj::create_signalled(device);
  const Syncobj empty = Syncobj::create(device);
  const uint32_t handle = ready.handle();
  ops.expect(0, drm_panthor_sync_op{0, handle, 0});
  ops.expect(0, drm_panthor_sync_op{kTimeline, handle, 0});
  for (const uint32_t flags : {2U, 3U, 0xFFU, 0x100U, 0x4000'0000U}) {
    ops.expect(EINVAL, drm_panthor_sync_op{flags, handle, 0});
    ops.expect(EINVAL, drm_panthor_sync_op{flags | kSignal, handle, 0});
  }
  // A binary one has no point.
  ops.expect(EINVAL, drm_panthor_sync_op{0, handle, 1});
  ops.expect(EINVAL, drm_panthor_sync_op{kSignal, handle, 1});
  // Nothing to wait for yet.
  ops.expect(EINVAL, drm_panthor_sync_op{0, empty.handle(), 0});
  ops.expect(EINVAL, drm_panthor_sync_op{kTimeline, empty.handle(), 1});
  ops.expect(EINVAL, drm_panthor_sync_op{kTimeline, handle, 1});
  ops.expect(ENOENT, drm_panthor_sync_op{0, 4711, 0});
  ops.expect(ENOENT, drm_panthor_sync_op{0, 0, 0});
  // Every signal is looked at before the first wait, the waits one after the other.
  const auto expect_pair = [&](int number, drm_panthor_sync_op first, drm_panthor_sync_op second) {
    const drm_panthor_sync_op pair[] = {first, second};
    ops.expect(number, drm_panthor_obj_array{sizeof(first), 2, reinterpret_cast<uint64_t>(pair)});
  };
  const drm_panthor_sync_op unknown{0, 4711, 0};
  expect_pair(EINVAL, unknown, {kSignal | 2, handle, 0});
  expect_pair(ENOENT, unknown, {2, handle, 0});
  expect_pair(EINVAL, {2, handle, 0}, unknown);
  // None of them has touched anything.
  igt_assert_eq(empty.wait(0), EINVAL);
  igt_assert(ready.is_signalled());
}

void bad_sync_arrays(const Device& device) {
  SyncOps ops(device);
  const Syncobj ready = Syncobj::create_signalled(device);
  const drm_panthor_sync_op wait{0, ready.handle(), 0};
  const auto address = reinterpret_cast<uint64_t>(&wait);
  ops.expect(EINVAL, drm_panthor_obj_array{sizeof(wait) - 8, 1, address});
  ops.expect(EINVAL, drm_panthor_obj_array{0, 1, address});
  ops.expect(EFAULT, drm_panthor_obj_array{sizeof(wait), 1, 0});
  ops.expect(EFAULT, drm_panthor_obj_array{sizeof(wait), 1, 8});
  struct Longer {
    drm_panthor_sync_op op;
    uint64_t news;
  };
  Longer longer[2] = {{wait, 0}, {wait, 0}};
  const drm_panthor_obj_array array{sizeof(Longer), 2, reinterpret_cast<uint64_t>(longer)};
  ops.expect(0, array);
  longer[1].news = 1;
  ops.expect(E2BIG, array);
  // Without sync-ops, neither stride nor pointer matters to a job; a bare SYNC_ONLY is refused.
  igt_assert_eq(ops.job({1, 0, 8}), 0);
  igt_assert_eq(ops.bind({1, 0, 8}), EINVAL);
}

// A real kernel of today does not survive this one.
void signal_of_an_unknown_syncobj(const Device& device) {
  igt_require_f(runs_on_pantry(), "only where PANTRY=1 says that it is safe\n");
  SyncOps ops(device);
  ops.expect(EINVAL, drm_panthor_sync_op{kSignal, 4711, 0});
  ops.expect(EINVAL, drm_panthor_sync_op{kSignal | kTimeline, 4711, 3});
  // Signals are collected before waits are looked at.
  const drm_panthor_sync_op both[] = {{0, 4712, 0}, {kSignal, 4711, 0}};
  ops.expect(EINVAL, drm_panthor_obj_array{sizeof(both[0]), 2, reinterpret_cast<uint64_t>(both)});
}

constexpr Case kCases[] = {
    {"batch-waits-on-itself", "A job waits for an earlier one of its batch. [A9.4]",
     batch_waits_on_itself},
    {"batch-wait-on-later-signal", "Waiting for a later job means the older fence. [A9.5]",
     batch_wait_on_later_signal},
    {"job-waits-and-signals-the-same", "One object awaited and signalled by one job. [A9.5]",
     job_waits_and_signals_the_same},
    {"last-signal-of-a-batch-counts", "Of two signals in a batch the last one stays. [A9.6]",
     last_signal_of_a_batch_counts},
    {"waits-are-snapshots", "What becomes of an object after the call does not matter.",
     waits_are_snapshots},
    {"points", "Points skipped, passed and not yet there. [A9.7 B4.22]", points},
    {"point-zero", "Point 0 is the binary fence. [A1.14]", point_zero},
    {"many-waits-and-signals", "48 waits and 48 signals of one job.", many_waits_and_signals},
    {"errors-do-not-spread", "A failed fence releases without failing. [A9.8]",
     errors_do_not_spread},
    {"bad-sync-ops", "Flags, types, points and handles that are refused. [A1.12 A1.13 A9.2 A9.3]",
     bad_sync_ops},
    {"bad-sync-arrays", "Strides, tails and pointers that are refused. [A1.2 A1.4 A1.5]",
     bad_sync_arrays},
    {"signal-of-an-unknown-syncobj", "Refused as every other mistake. [A9.1]",
     signal_of_an_unknown_syncobj},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
