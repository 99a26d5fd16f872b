// SPDX-License-Identifier: MIT

#include <cerrno>
#include <thread>
#include <vector>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/cases.h"
#include "igt_tests/lib/pulse.h"

IGT_TEST_DESCRIPTION("GROUP_SUBMIT: what it refuses, and that what it takes is done, in order.");

using namespace gpu;

namespace {

constexpr uint32_t kUntouched = 0x0FF;
using Submit = drm_panthor_queue_submit;

// A job that stores 1 to result word 0, to be spoilt in one field or another.
struct Counter {
  explicit Counter(const Device& opened)
      : device(opened), bench(opened, 0, kBenchVa, {2, 4096, PANTHOR_GROUP_PRIORITY_MEDIUM}) {
    stream = bench.place(Assembler().store_value(bench.result_va(0), 1).publish());
    bench.set_result(0, kUntouched);
  }

  Submit job() const {
    Submit submit{};
    submit.stream_addr = stream.va;
    submit.stream_size = stream.size;
    return submit;
  }
  int send(const Submit& submit) { return send_array(sizeof(submit), 1, &submit); }
  int send_array(uint32_t stride, uint32_t count, const void* array) {
    return send_to(bench.group().handle(), 0, stride, count, array);
  }
  int send_to(uint32_t group, uint32_t pad, uint32_t stride, uint32_t count, const void* array) {
    drm_panthor_group_submit request{
        group, pad, {stride, count, reinterpret_cast<uint64_t>(array)}};
    return igt::ioctl_errno(device.fd(), DRM_IOCTL_PANTHOR_GROUP_SUBMIT, &request);
  }
  template <typename Change>
  void expect(int number, Change change) {
    Submit submit = job();
    change(submit);
    igt_assert_eq(send(submit), number);
  }
  // All jobs so far are through queue 0; whether one of them has stored.
  bool has_run() {
    const Syncobj done = Syncobj::create(device);
    bench.group().submit(0, bench.place(Assembler().nop()), Syncs().signal(done));
    igt_assert_eq(done.finish(kPatience), 1);
    return bench.result(0) == 1;
  }

  const Device& device;
  Bench bench;
  Stream stream;
};

void bad_fields(const Device& device) {
  Counter counter(device);
  counter.expect(EINVAL, [](Submit& s) { s.pad = 1; });
  counter.expect(EINVAL, [](Submit& s) { s.queue_index = 2; });
  counter.expect(EINVAL, [](Submit& s) { s.queue_index = ~0U; });
  counter.expect(EINVAL, [](Submit& s) { s.stream_size = 0; });
  counter.expect(EINVAL, [](Submit& s) { s.stream_addr = 0; });
  counter.expect(EINVAL, [](Submit& s) { s.stream_addr += 8; });
  counter.expect(EINVAL, [](Submit& s) { s.stream_addr += 32; });
  counter.expect(EINVAL, [](Submit& s) { s.stream_size += 4; });
  counter.expect(EINVAL, [](Submit& s) { s.stream_size -= 1; });
  for (unsigned bit = 24; bit < 31; ++bit) {
    counter.expect(EINVAL, [bit](Submit& s) { s.latest_flush = 1U << bit; });
  }
  igt_assert(!counter.has_run());
  counter.expect(0, [](Submit& s) { s.latest_flush = 0x80FF'FFFF; });
  igt_assert(counter.has_run());
}

void bad_arrays(const Device& device) {
  Counter counter(device);
  const Submit job = counter.job();
  igt_assert_eq(counter.send_array(sizeof(job) - 8, 1, &job), EINVAL);
  igt_assert_eq(counter.send_array(0, 1, &job), EINVAL);
  igt_assert_eq(counter.send_array(sizeof(job), 1, nullptr), EFAULT);
  igt_assert_eq(counter.send_array(sizeof(job), 1, reinterpret_cast<void*>(8)), EFAULT);
  struct Longer {
    Submit job;
    uint64_t news;
  };
  Longer longer[2] = {{job, 0}, {job, 1}};
  igt_assert_eq(counter.send_array(sizeof(Longer), 2, longer), E2BIG);
  igt_assert(!counter.has_run());
  longer[1].news = 0;
  igt_assert_eq(counter.send_array(sizeof(Longer), 2, longer), 0);
  igt_assert(counter.has_run());
}

void bad_groups(const Device& device) {
  Counter counter(device);
  const Submit job = counter.job();
  for (const uint32_t group : {0U, 99U, 0xFFFFU}) {
    igt_assert_eq(counter.send_to(group, 0, sizeof(job), 1, &job), EINVAL);
  }
  igt_assert_eq(counter.send_to(counter.bench.group().handle(), 1, sizeof(job), 1, &job), EINVAL);
  igt_assert(!counter.has_run());
}

// Without jobs nothing is looked at but the pad, not even the group.
void nothing_to_do(const Device& device) {
  Counter counter(device);
  igt_assert_eq(counter.send_array(sizeof(Submit), 0, nullptr), 0);
  igt_assert_eq(counter.send_to(4711, 0, 3, 0, reinterpret_cast<void*>(8)), 0);
  igt_assert_eq(counter.send_to(4711, 1, 3, 0, nullptr), EINVAL);
}

// Of two mistakes, the one that is looked for first is told.
void errno_order(const Device& device) {
  Counter counter(device);
  const uint32_t group = counter.bench.group().handle();
  igt_assert_eq(counter.send_to(group, 1, sizeof(Submit), 1, reinterpret_cast<void*>(8)), EINVAL);
  // The array is read before the group is looked up.
  igt_assert_eq(counter.send_to(99, 0, sizeof(Submit), 1, reinterpret_cast<void*>(8)), EFAULT);
  const drm_panthor_obj_array unreadable{sizeof(drm_panthor_sync_op), 1, 8};
  counter.expect(EFAULT, [&](Submit& s) { s.syncs = unreadable; });
  counter.expect(EINVAL, [&](Submit& s) {
    s.syncs = unreadable;
    s.queue_index = 2;
  });
  // Every job is looked at before any wait is.
  const drm_panthor_sync_op unknown{0, 4711, 0};
  Submit jobs[] = {counter.job(), counter.job()};
  jobs[0].syncs = {sizeof(unknown), 1, reinterpret_cast<uint64_t>(&unknown)};
  igt_assert_eq(counter.send_array(sizeof(Submit), 2, jobs), ENOENT);
  jobs[1].pad = 1;
  igt_assert_eq(counter.send_array(sizeof(Submit), 2, jobs), EINVAL);
  igt_assert(!counter.has_run());
}

// One job of a batch is wrong, and none runs.
void all_or_nothing(const Device& device) {
  Counter counter(device);
  const Syncobj done = Syncobj::create(device);
  const Syncs signal = Syncs().signal(done);
  Submit jobs[] = {counter.job(), counter.job(), counter.job()};
  jobs[0].syncs = signal.array();
  jobs[2].queue_index = 7;
  igt_assert_eq(counter.send_array(sizeof(Submit), 3, jobs), EINVAL);
  jobs[2].queue_index = 0;
  const drm_panthor_sync_op unknown{0, 4711, 0};
  jobs[2].syncs = {sizeof(unknown), 1, reinterpret_cast<uint64_t>(&unknown)};
  igt_assert_eq(counter.send_array(sizeof(Submit), 3, jobs), ENOENT);
  sleep_ns(kGlance);
  igt_assert(!counter.has_run());
  igt_assert_eq(done.wait(0), EINVAL);
}

void handle_of_16_bits(const Device& device) {
  Counter counter(device);
  const Submit job = counter.job();
  igt_assert_eq(counter.send_to(counter.bench.group().handle() | 0x10000, 0, sizeof(job), 1, &job),
                0);
  igt_assert(counter.has_run());
}

void empty_job_on_a_fresh_queue(const Device& device) {
  Bench bench(device);
  const Syncobj done = Syncobj::create(device);
  bench.group().submit(0, {}, Syncs().signal(done));
  igt_assert_eq(done.finish(kPatience), 1);
}

void empty_job_waits_for_its_fence(const Device& device) {
  Bench bench(device);
  Gate gate(device);
  const Syncobj done = Syncobj::create(device);
  bench.group().submit(0, {}, Syncs().wait(gate.fence()).signal(done));
  sleep_ns(kGlance);
  igt_assert_eq(done.wait(0), ETIME);
  gate.open_and_finish();
  igt_assert_eq(done.finish(kPatience), 1);
}

void empty_job_waits_for_its_queue(const Device& device) {
  Bench bench(device);
  Pulse pulse(device, kPlay);
  pulse.map_into(bench.vm());
  bench.group().submit(0, pulse.stream(), {});
  const Syncobj done = Syncobj::create(device);
  bench.group().submit(0, {}, Syncs().signal(done));
  pulse.expect_start();
  igt_assert_eq(done.wait(0), ETIME);
  pulse.stop();
  igt_assert_eq(done.finish(kPatience), 1);
  // The pulse counted on, and then stored its last rounds.
  pulse.expect_silence();
}

void empty_job_inherits_the_error(const Device& device) {
  Bench bench(device);
  const Syncobj failed = Syncobj::create(device);
  const Syncobj empty = Syncobj::create(device);
  Jobs jobs;
  jobs.add(0, bench.place(Assembler().word(uint64_t{255} << 56)), Syncs().signal(failed));
  jobs.add_empty(0, Syncs().signal(empty));
  igt_assert_eq(bench.group().try_submit(jobs), 0);
  igt_assert_eq(failed.finish(kPatience), -EINVAL);
  igt_assert_eq(empty.finish(kPatience), -EINVAL);
}

// Each job adds 1 to what the one before it has stored.
void jobs_run_in_order(const Device& device) {
  constexpr uint32_t kJobs = 100;
  constexpr unsigned kAddress = 20;
  constexpr unsigned kValue = 22;
  Bench bench(device);
  bench.set_result(0, 1000);
  const Syncobj done = Syncobj::create(device);
  for (uint32_t i = 0; i < kJobs; ++i) {
    Assembler stream;
    stream.move48(kAddress, bench.result_va(i)).load(kValue, 1, kAddress, 0).wait_all();
    stream.add32(kValue, kValue, 1).store(kValue, 1, kAddress, 4).publish();
    Syncs syncs;
    if (i == kJobs - 1) syncs.signal(done);
    bench.group().submit(0, bench.place(stream), syncs);
  }
  igt_assert_eq(done.finish(kPatience), 1);
  for (uint32_t i = 0; i <= kJobs; ++i) igt_assert_eq(bench.result(i), 1000 + i);
}

// Hundreds of jobs behind a gate. When it opens, a point of the timeline must never be there before
// the result of its job.
void ring_wrap(const Device& device, uint32_t ring_size, uint32_t jobs) {
  constexpr uint32_t kTotal = 10000;  // result word with the sum
  Bench bench(device, 0, kBenchVa, {1, ring_size, PANTHOR_GROUP_PRIORITY_MEDIUM});
  Gate gate(device);
  const Syncobj timeline = Syncobj::create(device);
  bench.set_result(kTotal, 0);
  for (uint32_t i = 1; i <= jobs; ++i) {
    bench.set_result(i, 0);
    Assembler stream;
    stream.store_value(bench.result_va(i), 0xE000 + i);
    stream.move48(20, bench.result_va(kTotal)).move32(22, 1);
    stream.sync_add32(20, 22, SyncScope::kSystem).publish();
    Syncs syncs = Syncs().signal(timeline, i);
    if (i == 1) syncs.wait(gate.fence());
    bench.group().submit(0, bench.place(stream), syncs);
  }
  igt_assert_eq(timeline.query(), 0);
  igt_assert_eq(timeline.query_last_submitted(), jobs);
  igt_assert_eq(bench.result(kTotal), 0);
  gate.open();
  const bool finished = wait_until(kPatience, [&] {
    const auto point = static_cast<uint32_t>(timeline.query());
    igt_assert_lte(point, jobs);
    if (point > 0) igt_assert_eq(bench.result(point), 0xE000 + point);
    return point == jobs;
  });
  igt_assert(finished);
  igt_assert_eq(bench.result(kTotal), jobs);
  for (uint32_t i = 1; i <= jobs; ++i) igt_assert_eq(bench.result(i), 0xE000 + i);
}

void ring_wrap_smallest(const Device& device) { ring_wrap(device, 4096, 500); }
void ring_wrap_largest(const Device& device) { ring_wrap(device, 65536, 700); }

void batch_over_queues(const Device& device) {
  const uint32_t queues = device.csif().cs_slot_count;
  constexpr uint32_t kRounds = 25;
  Bench bench(device, 0, kBenchVa, {queues, 4096, PANTHOR_GROUP_PRIORITY_MEDIUM});
  std::vector<Syncobj> done;
  Jobs jobs;
  for (uint32_t round = 0; round < kRounds; ++round) {
    for (uint32_t queue = 0; queue < queues; ++queue) {
      const uint32_t word = round * queues + queue;
      bench.set_result(word, 0);
      const Stream stream =
          bench.place(Assembler().store_value(bench.result_va(word), 7 + word).publish());
      done.push_back(Syncobj::create(device));
      jobs.add(queue, stream, Syncs().signal(done.back()));
    }
  }
  igt_assert_eq(bench.group().try_submit(jobs), 0);
  for (uint32_t word = 0; word < kRounds * queues; ++word) {
    igt_assert_eq(done[word].finish(kPatience), 1);
    igt_assert_eq(bench.result(word), 7 + word);
  }
}

void blocked_queue_blocks_itself_only(const Device& device) {
  Bench bench(device, 0, kBenchVa, {2, 4096, PANTHOR_GROUP_PRIORITY_MEDIUM});
  Gate gate(device);
  const Syncobj behind = Syncobj::create(device);
  const Syncobj beside = Syncobj::create(device);
  const auto store = [&](uint32_t word) {
    bench.set_result(word, 0);
    return bench.place(Assembler().store_value(bench.result_va(word), 1).publish());
  };
  bench.group().submit(0, store(0), Syncs().wait(gate.fence()));
  bench.group().submit(0, store(1), Syncs().signal(behind));
  bench.group().submit(1, store(2), Syncs().signal(beside));
  igt_assert_eq(beside.finish(kPatience), 1);
  igt_assert_eq(bench.result(2), 1);
  sleep_ns(kGlance);
  igt_assert_eq(behind.wait(0), ETIME);
  igt_assert_eq(bench.result(0) + bench.result(1), 0);
  gate.open_and_finish();
  igt_assert_eq(behind.finish(kPatience), 1);
  igt_assert_eq(bench.result(0) + bench.result(1), 2);
}

void longest_stream(const Device& device) {
  constexpr uint32_t kStores = 2500;
  Bench bench(device);
  Assembler stream;
  stream.move48(20, bench.result_va(0));
  for (uint32_t i = 0; i < kStores; ++i) {
    stream.move32(22, i * 3).store(22, 1, 20, 0).wait_all();
    for (int nop = 0; nop < 8; ++nop) stream.nop();
    stream.add64(20, 20, 4);
  }
  bench.run_ok(stream.publish());
  for (uint32_t i = 0; i < kStores; ++i) igt_assert_eq(bench.result(i), i * 3);
}

// Four threads, each with a queue of one group.
void threads(const Device& device) {
  constexpr uint32_t kThreads = 4;
  constexpr uint32_t kJobs = 60;
  Bench bench(device, 0, kBenchVa, {kThreads, 4096, PANTHOR_GROUP_PRIORITY_MEDIUM});
  std::vector<Stream> streams;
  for (uint32_t i = 0; i < kThreads * kJobs; ++i) {
    bench.set_result(i, 0);
    streams.push_back(
        bench.place(Assembler().store_value(bench.result_va(i), 0x7000 + i).publish()));
  }
  const Group& group = bench.group();
  {
    std::vector<std::jthread> workers;
    for (uint32_t worker = 0; worker < kThreads; ++worker) {
      workers.emplace_back([&, worker] {
        const Syncobj timeline = Syncobj::create(device);
        for (uint32_t i = 0; i < kJobs; ++i) {
          group.submit(worker, streams[worker * kJobs + i], Syncs().signal(timeline, i + 1));
        }
        igt_assert_eq(timeline.wait_point(kJobs, kPatience), 0);
      });
    }
  }
  for (uint32_t i = 0; i < kThreads * kJobs; ++i) igt_assert_eq(bench.result(i), 0x7000 + i);
}

void interrupted(const Device& device) {
  Bench bench(device);
  uint32_t value = 1;
  igt_while_interruptible(true) {
    bench.store32(bench.result_va(0), ++value);
    igt_assert_eq(bench.result(0), value);
  }
}

constexpr Case kCases[] = {
    {"bad-fields", "Each field of a job has its limits. [A8.3 A8.4 A8.5 A8.6 A8.9]", bad_fields},
    {"bad-arrays", "Strides, tails and pointers of the job array.", bad_arrays},
    {"bad-groups", "Unknown groups and a pad are refused. [A8.1 A8.7]", bad_groups},
    {"nothing-to-do", "An empty array succeeds. [A8.2]", nothing_to_do},
    {"errno-order", "Which of two mistakes is told.", errno_order},
    {"all-or-nothing", "One bad job, and none of the batch runs. [A8.10]", all_or_nothing},
    {"handle-of-16-bits", "The upper half of the handle is not looked at. [A8.7]",
     handle_of_16_bits},
    {"empty-job-on-a-fresh-queue", "It signals at once. [E3.3]", empty_job_on_a_fresh_queue},
    {"empty-job-waits-for-its-fence", "It signals after what it waits for.",
     empty_job_waits_for_its_fence},
    {"empty-job-waits-for-its-queue", "It signals after the job before it. [E3.3]",
     empty_job_waits_for_its_queue},
    {"empty-job-inherits-the-error", "It fails as the job before it. [E3.4]",
     empty_job_inherits_the_error},
    {"jobs-run-in-order", "100 jobs that depend on each other without fences. [E3.1]",
     jobs_run_in_order},
    {"ring-wrap-4k", "500 jobs through the smallest ring. [A8.11]", ring_wrap_smallest},
    {"ring-wrap-64k", "700 jobs through the largest ring.", ring_wrap_largest},
    {"batch-over-queues", "200 jobs for 8 queues in one call.", batch_over_queues},
    {"blocked-queue-blocks-itself-only", "Other queues do not wait for a fence of this one. [E3.2]",
     blocked_queue_blocks_itself_only},
    {"longest-stream", "A stream of nearly 256 KiB.", longest_stream},
    {"threads", "Four threads submit to one group.", threads},
    {"interrupted", "Signals at any moment change nothing.", interrupted},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
