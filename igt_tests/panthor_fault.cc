// SPDX-License-Identifier: MIT

#include <cerrno>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/bench.h"
#include "igt_tests/lib/cases.h"

IGT_TEST_DESCRIPTION(
    "Jobs that fault: what becomes of them, of their group and of everybody else.");

using namespace gpu;

namespace {

void load_unmapped(const Device& device) {
  Bench bench(device);
  bench.expect_load_fault(kPlay);
  bench.expect_load_fault(0);
  bench.expect_load_fault(bench.vm().user_va_range() - kPage);
  igt_assert_eq(bench.load32(bench.result_va(9)), bench.result(9));
}

void store_unmapped(const Device& device) {
  Bench bench(device);
  bench.expect_store_fault(kPlay);
  bench.store32(bench.result_va(1), 4);
  igt_assert_eq(bench.result(1), 4);
}

void store_readonly(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, kPage);
  bo.word_at(0) = 3;
  bench.vm().map_part(bo, 0, kPlay, kPage, kReadOnly);
  bench.expect_store_fault(kPlay);
  igt_assert_eq(uint32_t{bo.word_at(0)}, 3);
}

void sync_add_readonly(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, kPage);
  bo.word_at(0) = 3;
  bench.vm().map_part(bo, 0, kPlay, kPage, kReadOnly);
  bench.expect_fatal(
      Assembler().move48(20, kPlay).move32(22, 1).sync_add32(20, 22, SyncScope::kSystem));
  igt_assert_eq(uint32_t{bo.word_at(0)}, 3);
}

void bad_stream_address(const Device& device) {
  Bench bench(device);
  bench.expect_fetch_fault(kPlay);
  bench.expect_fetch_fault(64);
  bench.run_ok(Assembler().store_value(bench.result_va(0), 2).publish());
  igt_assert_eq(bench.result(0), 2);
}

void stream_runs_off_its_mapping(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, kPage);
  const Assembler stream = Assembler().store_value(bench.result_va(0), 0xE0F).publish();
  const uint64_t start = kPage - 64;
  igt_assert_lte(stream.size_bytes(), 128);
  for (size_t i = 0; i < 8; ++i) bo.quads()[start / 8 + i] = stream.words()[i];
  bench.vm().map(bo, kPlay);
  bench.expect_fatal_at({kPlay + start, 128});
}

void call_to_nowhere(const Device& device) {
  Bench bench(device);
  bench.set_result(0, 1);
  Assembler stream;
  stream.move48(20, kPlay).move32(22, 64).call(20, 22).store_value(bench.result_va(0), 2).publish();
  bench.expect_fatal(stream);
  igt_assert_eq(bench.result(0), 1);
}

void jump_to_nowhere(const Device& device) {
  Bench bench(device);
  bench.expect_fatal(Assembler().move48(20, kPlay).move32(22, 64).jump(20, 22));
}

void invalid_opcode(const Device& device) {
  Bench bench(device);
  for (const uint64_t opcode :
       {uint64_t{10}, uint64_t{31}, uint64_t{46}, uint64_t{200}, uint64_t{255}}) {
    bench.set_result(0, 1);
    bench.expect_fatal(Assembler().word(opcode << 56).store_value(bench.result_va(0), 2).publish());
    igt_assert_eq(bench.result(0), 1);
  }
}

void call_stack_overflow(const Device& device) {
  Bench bench(device);
  Assembler stream;
  stream.call(20, 22).nop();
  const Stream recursive = bench.place(stream);
  bench.expect_fatal(Assembler().move48(20, recursive.va).move32(22, recursive.size).call(20, 22));
}

// Stores before the fault have happened, those behind it have not.
void earlier_stores_stay(const Device& device) {
  Bench bench(device);
  for (uint32_t i = 0; i < 4; ++i) bench.set_result(i, 0);
  Assembler stream;
  stream.store_value(bench.result_va(0), 1).store_value(bench.result_va(1), 2).publish();
  stream.store_value(kPlay, 3).store_value(bench.result_va(2), 4).publish();
  bench.expect_fatal(stream);
  igt_assert_eq(bench.result(0), 1);
  igt_assert_eq(bench.result(1), 2);
  igt_assert_eq(bench.result(2), 0);
}

// One access over two pages, of which the second is not there.
void store_over_the_edge(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, kPage);
  bench.vm().map(bo, kPlay);
  Assembler stream;
  for (unsigned reg = 0; reg < 4; ++reg) stream.move32(reg, 0x99);
  stream.move48(20, kPlay + kPage - 8).store(0, 4, 20, 0).publish();
  bench.expect_fatal(stream);
}

// The other queue of the group dies with it.
void other_queue_is_cancelled(const Device& device) {
  Bench bench(device, 0, kBenchVa, {2, 4096, PANTHOR_GROUP_PRIORITY_MEDIUM});
  Bo control = Bo::create(device, kPage);
  bench.vm().map_part(control, 0, kPlay, kPage, kUncached);
  const Syncobj running = Syncobj::create(device);
  const Syncobj faulting = Syncobj::create(device);
  bench.group().submit(1, bench.place(Heartbeat::stream(kPlay, kPlay)), Syncs().signal(running));
  igt_assert(wait_until(kPatience, [&] { return control.words()[Heartbeat::kStarted] == 1; }));
  bench.group().submit(0, bench.place(Assembler().word(uint64_t{255} << 56)),
                       Syncs().signal(faulting));
  igt_assert_eq(faulting.finish(kPatience), -EINVAL);
  igt_assert_eq(running.finish(kPatience), -ECANCELED);
  const GroupState state = bench.group().state();
  igt_assert_eq(state.state, DRM_PANTHOR_GROUP_STATE_FATAL_FAULT);
  igt_assert_eq(state.fatal_queues, 1);
  control.words()[Heartbeat::kStop] = 1;
}

// What is queued behind a fault never runs.
void queued_jobs_are_cancelled(const Device& device) {
  Bench bench(device);
  Gate gate(device);
  bench.set_result(0, 0);
  const Syncobj faulting = Syncobj::create(device);
  const Syncobj behind = Syncobj::create(device);
  const Stream bad = bench.place(Assembler().word(uint64_t{255} << 56));
  const Stream good = bench.place(Assembler().store_value(bench.result_va(0), 1).publish());
  bench.group().submit(0, bad, Syncs().signal(faulting));
  Jobs jobs;
  jobs.add(0, good, Syncs().wait(gate.fence()).signal(behind));
  // Either it is queued and cancelled, or the group is known to be dead already.
  const int number = bench.group().try_submit(jobs);
  igt_assert(number == 0 || number == EINVAL);
  igt_assert_eq(faulting.finish(kPatience), -EINVAL);
  gate.open_and_finish();
  if (number == 0) igt_assert_eq(behind.finish(kPatience), -ECANCELED);
  sleep_ns(kGlance);
  igt_assert_eq(bench.result(0), 0);
}

// Two groups share a space: the memory fault of one disables it under both.
void fault_is_of_the_space(const Device& device) {
  Bench bench(device);
  Group other = Group::create_simple(bench.vm());
  Bo control = Bo::create(device, kPage);
  bench.vm().map_part(control, 0, kPlay, kPage, kUncached);
  const Syncobj running = Syncobj::create(device);
  other.submit(0, bench.place(Heartbeat::stream(kPlay, kPlay)), Syncs().signal(running));
  igt_assert(wait_until(kPatience, [&] { return control.words()[Heartbeat::kStarted] == 1; }));
  bench.expect_load_fault(kPlay + kBlock);
  const int status = running.finish(kPatience);
  igt_assert_f(status == -EINVAL || status == -ECANCELED, "the fence says %d\n", status);
  igt_assert_eq(other.state().state, DRM_PANTHOR_GROUP_STATE_FATAL_FAULT);
  // A new group finds the space in order.
  igt_assert_eq(bench.load32(kPlay + 4 * Heartbeat::kStarted), 1);
}

void other_spaces_go_on(const Device& device) {
  Bench bench(device);
  Bench other(device);
  Bo control = Bo::create(device, kPage);
  other.vm().map_part(control, 0, kPlay, kPage, kUncached);
  const Syncobj running = Syncobj::create(device);
  other.group().submit(0, other.place(Heartbeat::stream(kPlay, kPlay)), Syncs().signal(running));
  igt_assert(wait_until(kPatience, [&] { return control.words()[Heartbeat::kStarted] == 1; }));
  for (int i = 0; i < 4; ++i) bench.expect_load_fault(kPlay);
  const uint32_t before = control.words()[Heartbeat::kRounds];
  igt_assert(wait_until(kPatience, [&] { return control.words()[Heartbeat::kRounds] != before; }));
  control.words()[Heartbeat::kStop] = 1;
  igt_assert_eq(running.finish(kPatience), 1);
  igt_assert_eq(other.group().state().state, 0);
}

void unmap_under_a_running_job(const Device& device) {
  Bench bench(device);
  Bo control = Bo::create(device, kPage);
  Bo touched = Bo::create(device, kPage);
  bench.vm().map_part(control, 0, kPlay, kPage, kUncached);
  bench.vm().map(touched, kPlay + kBlock);
  const Syncobj done = Syncobj::create(device);
  bench.group().submit(0, bench.place(Heartbeat::stream(kPlay, kPlay + kBlock)),
                       Syncs().signal(done));
  igt_assert(wait_until(kPatience, [&] { return control.words()[Heartbeat::kStarted] == 1; }));
  igt_assert_eq(done.wait(0), ETIME);
  bench.vm().unmap(kPlay + kBlock, kPage);
  igt_assert_eq(done.finish(kPatience), -EINVAL);
  igt_assert_eq(bench.group().state().state, DRM_PANTHOR_GROUP_STATE_FATAL_FAULT);
  bench.drop_group();
  igt_assert_eq(bench.vm().state(), DRM_PANTHOR_VM_STATE_USABLE);
  igt_assert_eq(bench.load32(kPlay + 4 * Heartbeat::kStarted), 1);
}

// A job that was mapped away and back in time is none the wiser.
void remap_under_a_running_job(const Device& device) {
  Bench bench(device);
  Bo control = Bo::create(device, kPage);
  Bo touched[] = {Bo::create(device, kPage), Bo::create(device, kPage)};
  touched[0].word_at(0) = 1;
  touched[1].word_at(0) = 2;
  bench.vm().map_part(control, 0, kPlay, kPage, kUncached);
  bench.vm().map_part(touched[0], 0, kPlay + kBlock, kPage, kUncached);
  const Syncobj done = Syncobj::create(device);
  bench.group().submit(0, bench.place(Heartbeat::stream(kPlay, kPlay + kBlock)),
                       Syncs().signal(done));
  igt_assert(wait_until(kPatience, [&] { return control.words()[Heartbeat::kSeen] == 1; }));
  // Not the same address: a replaced page may be missing for a moment on some kernels.
  bench.vm().map_part(touched[1], 0, kPlay + 2 * kBlock, kPage, kUncached);
  bench.vm().map_part(touched[0], 0, kPlay + 3 * kBlock, kPage, 0);
  bench.vm().unmap(kPlay + 3 * kBlock, kPage);
  control.words()[Heartbeat::kStop] = 1;
  igt_assert_eq(done.finish(kPatience), 1);
  igt_assert_eq(bench.load32(kPlay + 2 * kBlock), 2);
}

// An instruction that goes wrong without killing its group. What comes of its job changed with 1.5.
void fault_that_is_survived(const Device& device) {
  Bench bench(device);
  const Assembler misaligned =
      Assembler().move32(0, 1).move48(20, bench.result_va(0) + 2).store(0, 1, 20, 0).publish();
  igt_assert_eq(bench.run(misaligned), device.minor() < 5 ? 1 : -EINVAL);
  igt_assert_eq(bench.group().state().state, 0);
  bench.store32(bench.result_va(1), 5);
  igt_assert_eq(bench.result(1), 5);
}

void many_faults(const Device& device) {
  Bench bench(device);
  for (uint32_t i = 0; i < 40; ++i) bench.expect_load_fault(kPlay + i * kBlock);
  bench.store32(bench.result_va(0), 40);
  igt_assert_eq(bench.result(0), 40);
}

constexpr Case kCases[] = {
    {"load-unmapped", "A load from nowhere kills the group. [A8.12]", load_unmapped},
    {"store-unmapped", "A store to nowhere kills the group.", store_unmapped},
    {"store-readonly", "A store to a read-only page changes nothing. [C3.3]", store_readonly},
    {"sync-add-readonly", "Nor does an atomic addition.", sync_add_readonly},
    {"bad-stream-address", "A stream that is not mapped. [A8.12]", bad_stream_address},
    {"stream-runs-off-its-mapping", "A stream whose second half is not mapped.",
     stream_runs_off_its_mapping},
    {"call-to-nowhere", "A call to an unmapped address.", call_to_nowhere},
    {"jump-to-nowhere", "A jump to an unmapped address.", jump_to_nowhere},
    {"invalid-opcode", "Instructions that do not exist. [E5.1 A7.4]", invalid_opcode},
    {"call-stack-overflow", "A stream that calls itself for ever.", call_stack_overflow},
    {"earlier-stores-stay", "The fault divides what has happened from what has not.",
     earlier_stores_stay},
    {"store-over-the-edge", "A store into a mapped and an unmapped page faults.",
     store_over_the_edge},
    {"other-queue-is-cancelled", "Each queue's fence tells its own story. [E5.1]",
     other_queue_is_cancelled},
    {"queued-jobs-are-cancelled", "What waits behind a fault never runs. [E5.1]",
     queued_jobs_are_cancelled},
    {"fault-is-of-the-space", "A memory fault ends all groups that run in the space. [D8.1]",
     fault_is_of_the_space},
    {"other-spaces-go-on", "Groups of other spaces do not notice.", other_spaces_go_on},
    {"unmap-under-a-running-job", "The job faults, the space stays. [D8.1 C2.4]",
     unmap_under_a_running_job},
    {"remap-beside-a-running-job", "Binds beside what a job uses do not disturb it.",
     remap_under_a_running_job},
    {"fault-that-is-survived", "A fault that only its job is told of. [E5.2]",
     fault_that_is_survived},
    {"many-faults", "40 faults in a row.", many_faults},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
