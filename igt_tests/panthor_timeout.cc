// SPDX-License-Identifier: MIT

#include <cerrno>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/bench.h"
#include "igt_tests/lib/cases.h"

IGT_TEST_DESCRIPTION("Jobs that do not end: 5 s each, so there are few.");

using namespace gpu;

namespace {

constexpr int64_t kLimit = 5 * kSecond;  // what a job has
constexpr int64_t kLeast = 4 * kSecond;  // clocks may differ

void expect_timed_out(Bench& bench, const Syncobj& done, int64_t start) {
  igt_assert_eq(done.finish(kPatience), -ETIMEDOUT);
  igt_assert_lte(kLeast, now_ns() - start);
  const GroupState state = bench.group().state();
  igt_assert_eq(state.state, DRM_PANTHOR_GROUP_STATE_TIMEDOUT);
  igt_assert_eq(state.fatal_queues, 0);
  Jobs more;
  more.add(0, bench.place(Assembler().nop()), {});
  igt_assert_eq(bench.group().try_submit(more), EINVAL);
  igt_assert_eq(bench.vm().state(), DRM_PANTHOR_VM_STATE_USABLE);
  bench.drop_group();
  bench.store32(bench.result_va(0), 0x11FE);
  igt_assert_eq(bench.result(0), 0x11FE);
}

// Others work while one hangs, and afterwards.
void infinite_loop(const Device& device) {
  Bench bench(device);
  Bench other(device);
  Assembler stream;
  stream.branch_back(Condition::kAlways, 0, stream.here());
  const Syncobj done = Syncobj::create(device);
  const int64_t start = now_ns();
  bench.group().submit(0, bench.place(stream), Syncs().signal(done));
  for (uint32_t i = 0; i < 10; ++i) {
    other.store32(other.result_va(0), i + 1);
    igt_assert_eq(other.result(0), i + 1);
  }
  igt_assert_eq(done.wait(0), ETIME);
  expect_timed_out(bench, done, start);
  other.store32(other.result_va(0), 99);
  igt_assert_eq(other.result(0), 99);
  igt_assert_eq(other.group().state().state, 0);
}

// A wait that nobody releases, with a job of the same queue and one of another queue behind it.
void endless_wait(const Device& device) {
  Bench bench(device, 0, kBenchVa, {2, 4096, PANTHOR_GROUP_PRIORITY_MEDIUM});
  Bo word = Bo::create(device, kPage);
  bench.vm().map_part(word, 0, kPlay, kPage, kUncached);
  Assembler stream;
  stream.move48(20, kPlay).move32(22, 0).sync_wait32(WaitUntil::kGreater, 20, 22);
  const Syncobj done = Syncobj::create(device);
  const Syncobj behind = Syncobj::create(device);
  const Syncobj other_queue = Syncobj::create(device);
  const int64_t start = now_ns();
  bench.group().submit(0, bench.place(stream), Syncs().signal(done));
  bench.set_result(8, 0);
  bench.group().submit(0, bench.place(Assembler().store_value(bench.result_va(8), 1).publish()),
                       Syncs().signal(behind));
  bench.group().submit(1, bench.place(Assembler().store_value(bench.result_va(9), 1).publish()),
                       Syncs().signal(other_queue));
  igt_assert_eq(other_queue.finish(kPatience), 1);
  igt_assert_eq(bench.result(9), 1);
  igt_assert_eq(behind.wait(0), ETIME);
  expect_timed_out(bench, done, start);
  igt_assert_eq(behind.finish(kPatience), -ETIMEDOUT);
  igt_assert_eq(bench.result(8), 0);
}

// Waiting for a fence is no running: though both gates together are closed for longer than a job
// may run, nothing times out, neither the job behind them nor the second gate's own.
void waiting_for_a_fence_is_free(const Device& device) {
  // A gate itself must be opened before its own job's time is up.
  constexpr int64_t kClosed = 3 * kSecond;
  Bench bench(device);
  Gate first(device);
  Gate second(device, Syncs().wait(first.fence()));
  const Syncobj done = Syncobj::create(device);
  bench.set_result(0, 0);
  const int64_t start = now_ns();
  bench.group().submit(0, bench.place(Assembler().store_value(bench.result_va(0), 7).publish()),
                       Syncs().wait(second.fence()).signal(done));
  sleep_ns(kClosed);
  igt_assert_eq(done.wait(0), ETIME);
  first.open_and_finish();
  sleep_ns(kClosed);
  igt_assert_eq(done.wait(0), ETIME);
  igt_assert_lt(kLimit, now_ns() - start);
  second.open_and_finish();
  igt_assert_eq(done.finish(kPatience), 1);
  igt_assert_eq(bench.result(0), 7);
  igt_assert_eq(bench.group().state().state, 0);
}

constexpr Case kCases[] = {
    {"infinite-loop", "A loop is ended after 5 s; everybody else goes on. [E5.3 A7.4]",
     infinite_loop},
    {"endless-wait", "A SYNC_WAIT is ended after 5 s, and what is behind it. [E5.3]", endless_wait},
    {"waiting-for-a-fence-is-free", "A job that has not started has all its time.",
     waiting_for_a_fence_is_free},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
