// SPDX-License-Identifier: MIT

#include <cerrno>
#include <vector>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/bench.h"
#include "igt_tests/lib/cases.h"

IGT_TEST_DESCRIPTION("More binds behind a fence than a driver wants to hold ready.");

using namespace gpu;

namespace {

constexpr uint32_t kPerCall = 256;
// 12,288 binds, for each of which a driver lays in three pages at most: 144 MiB. One that has taken
// so many will take any number.
constexpr uint32_t kMostCalls = 48;
// Each bind has a window of 1 GiB to itself, so that none is served by the tables of another.
constexpr uint64_t kStride = kGigabyte;

struct Backlog {
  uint32_t calls = 0;  // that were accepted
  bool refused = false;
};

uint64_t va_of(uint32_t call, uint32_t i) {
  return kPlay + (uint64_t{call} * kPerCall + i) * kStride;
}

void add_call(Binds& binds, const Bo& bo, uint32_t call, const Syncobj& gate,
              const Syncobj& timeline) {
  for (uint32_t i = 0; i < kPerCall; ++i) {
    Syncs syncs;
    if (i == 0) syncs.wait(gate);
    if (i == kPerCall - 1) syncs.signal(timeline, call + 1);
    binds.map(bo, (call % 8) * kPage, va_of(call, i), kPage, 0, syncs);
  }
}

// Binds until one call is refused, or enough of them are in.
Backlog fill(Bench& bench, const Bo& bo, const Syncobj& gate, const Syncobj& timeline) {
  Backlog backlog;
  while (backlog.calls < kMostCalls) {
    Binds binds;
    add_call(binds, bo, backlog.calls, gate, timeline);
    const int result = bench.vm().bind_async(binds);
    if (result != 0) {
      igt_assert_eq(result, ENOMEM);
      backlog.refused = true;
      break;
    }
    ++backlog.calls;
  }
  igt_assert_lt(0, backlog.calls);
  // Else nothing has had to wait.
  igt_assert_eq(gate.wait(0), ETIME);
  return backlog;
}

void finish(Bench& bench, Gate& gate, const Syncobj& timeline, const Backlog& backlog) {
  gate.open_and_finish();
  igt_assert_eq(timeline.wait_point(backlog.calls, kPatience), 0);
  igt_assert_eq(bench.vm().state(), DRM_PANTHOR_VM_STATE_USABLE);
  for (uint32_t call = 0; call < backlog.calls; ++call)
    for (const uint32_t i : {0u, kPerCall / 2, kPerCall - 1})
      igt_assert_eq(bench.load32(va_of(call, i)), 40 + call % 8);
}

// Whatever was accepted happens, be there a bound or not.
void accepted_binds_complete(const Device& device) {
  Bench bench(device);
  igt_require(va_of(kMostCalls, 0) < bench.vm().user_va_range());
  Gate gate(device);
  Bo bo = Bo::create(device, 8 * kPage);
  bo.tag_pages(40);
  const Syncobj timeline = Syncobj::create(device);
  const Backlog backlog = fill(bench, bo, gate.fence(), timeline);
  igt_assert_eq(timeline.query(), 0);
  finish(bench, gate, timeline, backlog);
}

// A call that is refused changes nothing, what needs no waiting still works, and once the backlog
// is gone there is room again.
void refused_binds_change_nothing(const Device& device) {
  Bench bench(device);
  igt_require(va_of(kMostCalls, 0) < bench.vm().user_va_range());
  Bo bo = Bo::create(device, 8 * kPage);
  bo.tag_pages(40);
  for (int round = 0; round < 2; ++round) {
    Gate gate(device);
    const Syncobj timeline = Syncobj::create(device);
    const Backlog backlog = fill(bench, bo, gate.fence(), timeline);
    if (!backlog.refused) gate.open_and_finish();
    igt_require_f(backlog.refused, "no bound was met with %u binds\n", backlog.calls * kPerCall);

    igt_assert_eq(timeline.query_last_submitted(), backlog.calls);
    const Syncobj untouched = Syncobj::create(device);
    Binds again;
    add_call(again, bo, backlog.calls, gate.fence(), timeline);
    again.sync_only(Syncs().signal(untouched));
    igt_assert_eq(bench.vm().bind_async(again), ENOMEM);
    igt_assert_eq(timeline.query_last_submitted(), backlog.calls);
    igt_assert_eq(untouched.wait(0), EINVAL);
    igt_assert_eq(bench.vm().state(), DRM_PANTHOR_VM_STATE_USABLE);
    // Neither a synchronous bind nor another space is held up.
    bench.vm().map_part(bo, 3 * kPage, kPlay - kGigabyte, kPage, 0);
    igt_assert_eq(bench.load32(kPlay - kGigabyte), 43);
    Bench other(device);
    const Syncobj done = Syncobj::create(device);
    Binds binds;
    binds.map(bo, 5 * kPage, kPlay, kPage, 0, Syncs().signal(done));
    igt_assert_eq(other.vm().bind_async(binds), 0);
    igt_assert_eq(done.finish(kPatience), 1);
    igt_assert_eq(other.load32(kPlay), 45);

    finish(bench, gate, timeline, backlog);
    // What was refused did not happen.
    bench.expect_load_fault(va_of(backlog.calls, 0));
    bench.vm().unmap(kPlay, va_of(backlog.calls, 0) - kPlay);
    bench.expect_load_fault(va_of(0, 0));
  }
}

constexpr Case kCases[] = {
    {"accepted-binds-complete", "Thousands of binds behind one fence all happen.",
     accepted_binds_complete},
    {"refused-binds-change-nothing",
     "A driver that bounds what waits says ENOMEM, keeps what it took, and takes more later. "
     "[A4.21]",
     refused_binds_change_nothing},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
