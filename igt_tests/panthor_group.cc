// SPDX-License-Identifier: MIT

#include <unistd.h>

#include <bit>
#include <cerrno>
#include <vector>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/cases.h"
#include "igt_tests/lib/pulse.h"

IGT_TEST_DESCRIPTION("Groups: what is granted and refused, their states, their ends.");

using namespace gpu;

namespace {

constexpr uint32_t kMaxGroups = 128;

// A space, and GROUP_CREATE requests that are right but for what a test makes of them.
struct Office {
  explicit Office(const Device& opened) : device(opened), vm(Vm::create(opened)) {}

  template <typename Change>
  int create_with(Change change) {
    drm_panthor_queue_create queue{};
    queue.ringbuf_size = 4096;
    drm_panthor_group_create request = group_request(device, vm.id(), &queue, 1);
    change(request, queue);
    const int number = igt::ioctl_errno(device.fd(), DRM_IOCTL_PANTHOR_GROUP_CREATE, &request);
    if (number == 0) destroy(request.group_handle);
    return number;
  }
  void destroy(uint32_t handle) const {
    drm_panthor_group_destroy request{handle, 0};
    do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_GROUP_DESTROY, &request);
  }

  const Device& device;
  Vm vm;
};

using Request = drm_panthor_group_create;
using Queue = drm_panthor_queue_create;

void create_bad_fields(const Device& device) {
  Office office(device);
  const auto expect_invalid = [&](auto change) {
    igt_assert_eq(office.create_with(change), EINVAL);
  };
  igt_assert_eq(office.create_with([](Request&, Queue&) {}), 0);
  expect_invalid([](Request& r, Queue&) { r.pad = 1; });
  expect_invalid([](Request& r, Queue&) { r.priority = 4; });
  expect_invalid([](Request& r, Queue&) { r.priority = 255; });
  expect_invalid([](Request& r, Queue&) { r.vm_id = 0; });
  expect_invalid([](Request& r, Queue&) { r.vm_id += 7; });
  expect_invalid([](Request&, Queue& q) { q.pad[0] = 1; });
  expect_invalid([](Request&, Queue& q) { q.pad[2] = 1; });
  expect_invalid([](Request&, Queue& q) { q.priority = 16; });
  igt_assert_eq(office.create_with([](Request&, Queue& q) { q.priority = 15; }), 0);
  for (const uint32_t size : {0U, 64U, 2048U, 4095U, 4104U, 12288U, 131072U, 1U << 31}) {
    expect_invalid([size](Request&, Queue& q) { q.ringbuf_size = size; });
  }
  for (uint32_t size = 4096; size <= 65536; size *= 2) {
    igt_assert_eq(office.create_with([size](Request&, Queue& q) { q.ringbuf_size = size; }), 0);
  }
}

void create_bad_cores(const Device& device) {
  Office office(device);
  const drm_panthor_gpu_info& info = device.info();
  const uint64_t no_core = uint64_t{1} << 63;
  igt_require((info.shader_present & no_core) == 0 && (info.tiler_present & no_core) == 0);
  const auto expect = [&](int number, auto change) {
    igt_assert_eq(office.create_with(change), number);
  };
  expect(EINVAL, [&](Request& r, Queue&) { r.compute_core_mask |= no_core; });
  expect(EINVAL, [&](Request& r, Queue&) { r.fragment_core_mask |= no_core; });
  expect(EINVAL, [&](Request& r, Queue&) { r.tiler_core_mask |= no_core; });
  expect(EINVAL, [](Request& r, Queue&) { ++r.max_compute_cores; });
  expect(EINVAL, [](Request& r, Queue&) { ++r.max_fragment_cores; });
  expect(EINVAL, [](Request& r, Queue&) { ++r.max_tiler_cores; });
  expect(EINVAL, [](Request& r, Queue&) { r.compute_core_mask = 0; });
  expect(0, [](Request& r, Queue&) { r.max_compute_cores = 1; });
  expect(0, [](Request& r, Queue&) {
    r.max_compute_cores = r.max_fragment_cores = r.max_tiler_cores = 0;
    r.compute_core_mask = r.fragment_core_mask = r.tiler_core_mask = 0;
  });
}

void create_queue_array(const Device& device) {
  Office office(device);
  const auto with_array = [&](uint32_t stride, uint32_t count, const void* array) {
    return office.create_with([&](Request& r, Queue&) {
      r.queues = {stride, count, reinterpret_cast<uint64_t>(array)};
    });
  };
  std::vector<Queue> queues(40);
  for (Queue& queue : queues) queue.ringbuf_size = 4096;
  const uint32_t most = device.csif().cs_slot_count;
  igt_assert_eq(with_array(sizeof(Queue), most, queues.data()), 0);
  igt_assert_eq(with_array(sizeof(Queue), 0, queues.data()), EINVAL);
  igt_assert_eq(with_array(sizeof(Queue), most + 1, queues.data()), EINVAL);
  igt_assert_eq(with_array(sizeof(Queue), 33, queues.data()), EINVAL);
  igt_assert_eq(with_array(sizeof(Queue) - 1, 1, queues.data()), EINVAL);
  igt_assert_eq(with_array(0, 1, queues.data()), EINVAL);
  igt_assert_eq(with_array(sizeof(Queue), 1, nullptr), EFAULT);
  igt_assert_eq(with_array(sizeof(Queue), 1, reinterpret_cast<void*>(8)), EFAULT);
  // Of a longer description, what is not known must be 0.
  struct Longer {
    Queue queue;
    uint64_t news;
  };
  Longer longer[2] = {{queues[0], 0}, {queues[0], 0}};
  igt_assert_eq(with_array(sizeof(Longer), 2, longer), 0);
  longer[1].news = uint64_t{1} << 56;
  igt_assert_eq(with_array(sizeof(Longer), 2, longer), E2BIG);
  // One bad queue among good ones.
  queues[2].priority = 99;
  igt_assert_eq(with_array(sizeof(Queue), 2, queues.data()), 0);
  igt_assert_eq(with_array(sizeof(Queue), 3, queues.data()), EINVAL);
}

// Of two mistakes, the one that is looked for first is told.
void create_errno_order(const Device& device) {
  Office office(device);
  const auto expect = [&](int number, auto change) {
    igt_assert_eq(office.create_with(change), number);
  };
  const auto unreadable = [](uint32_t count) {
    return drm_panthor_obj_array{sizeof(Queue), count, 8};
  };
  expect(EINVAL, [&](Request& r, Queue&) { r.queues = unreadable(33); });
  // More than the hardware has is found out only after the array has been read.
  expect(EFAULT, [&](Request& r, Queue&) { r.queues = unreadable(32); });
  expect(EFAULT, [&](Request& r, Queue&) {
    r.queues = unreadable(1);
    r.priority = 99;
    r.pad = 1;
    r.vm_id = 77;
  });
}

// What fails late in the call leaves nothing behind.
void failed_creations_leave_nothing(const Device& opened) {
  const Device device = opened.open_again();
  Office office(device);
  std::vector<Queue> queues(device.csif().cs_slot_count);
  for (Queue& queue : queues) queue.ringbuf_size = 65536;
  queues.back().ringbuf_size = 1;
  for (int i = 0; i < 100; ++i) {
    igt_assert_eq(office.create_with([&](Request& r, Queue&) {
      r.queues.count = static_cast<uint32_t>(queues.size());
      r.queues.array = reinterpret_cast<uint64_t>(queues.data());
    }),
                  EINVAL);
  }
  const Group group = Group::create_simple(office.vm);
  igt_assert_eq(group.handle(), 1);
}

void priorities(const Device& device) {
  Office office(device);
  const auto create = [&](uint8_t priority) {
    return office.create_with([=](Request& r, Queue&) { r.priority = priority; });
  };
  const bool may_all = geteuid() == 0 || drmIsMaster(device.fd()) != 0;
  igt_assert_eq(create(PANTHOR_GROUP_PRIORITY_LOW), 0);
  igt_assert_eq(create(PANTHOR_GROUP_PRIORITY_MEDIUM), 0);
  igt_assert_eq(create(PANTHOR_GROUP_PRIORITY_HIGH), may_all ? 0 : EACCES);
  const int realtime = device.minor() < 2 ? EINVAL : may_all ? 0 : EACCES;
  igt_assert_eq(create(PANTHOR_GROUP_PRIORITY_REALTIME), realtime);
}

void ids_are_lowest_free(const Device& opened) {
  const Device device = opened.open_again();
  const Vm vm = Vm::create(device);
  std::vector<Group> groups;
  for (uint32_t i = 1; i <= 5; ++i) {
    groups.push_back(Group::create_simple(vm));
    igt_assert_eq(groups.back().handle(), i);
  }
  groups[3].destroy();
  groups[1].destroy();
  igt_assert_eq(Group::create_simple(vm).handle(), 2);
  groups[1] = Group::create_simple(vm);
  groups[3] = Group::create_simple(vm);
  igt_assert_eq(groups[1].handle(), 2);
  igt_assert_eq(groups[3].handle(), 4);
}

void at_most_128(const Device& opened) {
  const Device device = opened.open_again();
  Office office(device);
  std::vector<Group> groups;
  for (uint32_t i = 0; i < kMaxGroups; ++i) groups.push_back(Group::create_simple(office.vm));
  igt_assert_eq(groups.back().handle(), kMaxGroups);
  igt_assert_eq(office.create_with([](Request&, Queue&) {}), EBUSY);
  groups[77].destroy();
  groups[77] = Group::create_simple(office.vm);
  igt_assert_eq(groups[77].handle(), 78);
  // Another file has numbers of its own.
  const Device other = opened.open_again();
  const Vm vm = Vm::create(other);
  igt_assert_eq(Group::create_simple(vm).handle(), 1);
}

int destroy_errno(const Device& device, uint32_t handle, uint32_t pad) {
  drm_panthor_group_destroy request{handle, pad};
  return igt::ioctl_errno(device.fd(), DRM_IOCTL_PANTHOR_GROUP_DESTROY, &request);
}

int state_errno(const Device& device, uint32_t handle, uint32_t pad) {
  drm_panthor_group_get_state request{handle, 0, 0, pad};
  return igt::ioctl_errno(device.fd(), DRM_IOCTL_PANTHOR_GROUP_GET_STATE, &request);
}

void destroy_and_state_bad_arguments(const Device& device) {
  const Vm vm = Vm::create(device);
  Group group = Group::create_simple(vm);
  for (const auto call : {destroy_errno, state_errno}) {
    igt_assert_eq(call(device, group.handle(), 1), EINVAL);
    igt_assert_eq(call(device, 0, 0), EINVAL);
    igt_assert_eq(call(device, 4711, 0), EINVAL);
    // Unlike for GROUP_SUBMIT, all 32 bits count.
    igt_assert_eq(call(device, group.handle() | 0x10000, 0), EINVAL);
  }
  const uint32_t handle = group.handle();
  group.destroy();
  igt_assert_eq(destroy_errno(device, handle, 0), EINVAL);
  igt_assert_eq(state_errno(device, handle, 0), EINVAL);
}

void new_group_is_well(const Device& device) {
  const Vm vm = Vm::create(device);
  const Group group = Group::create_simple(vm);
  drm_panthor_group_get_state request{group.handle(), ~0U, ~0U, 0};
  do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_GROUP_GET_STATE, &request);
  igt_assert_eq(request.state, 0);
  igt_assert_eq(request.fatal_queues, 0);
  // The answer is written over a cleared structure.
  igt_assert_eq(request.group_handle, 0);
}

void handles_belong_to_their_file(const Device& device) {
  const Vm vm = Vm::create(device);
  const Group group = Group::create_simple(vm);
  const Device other = device.open_again();
  igt_assert_eq(destroy_errno(other, group.handle(), 0), EINVAL);
  igt_assert_eq(state_errno(other, group.handle(), 0), EINVAL);
  igt_assert_eq(state_errno(device, group.handle(), 0), 0);
}

// Each queue of each shape of group runs a job.
void every_queue_works(const Device& device) {
  for (uint32_t queues = 1; queues <= device.csif().cs_slot_count; ++queues) {
    const uint32_t ring = 4096U << (queues % 5);
    Bench bench(device, 0, kBenchVa, {queues, ring, PANTHOR_GROUP_PRIORITY_MEDIUM});
    std::vector<Syncobj> done;
    for (uint32_t queue = 0; queue < queues; ++queue) {
      done.push_back(Syncobj::create(device));
      const Stream stream = bench.place(
          Assembler().store_value(bench.result_va(queue), 0x100 * queues + queue).publish());
      bench.group().submit(queue, stream, Syncs().signal(done.back()));
    }
    for (uint32_t queue = 0; queue < queues; ++queue) {
      igt_assert_eq(done[queue].finish(kPatience), 1);
      igt_assert_eq(bench.result(queue), 0x100 * queues + queue);
    }
  }
}

void one_core_is_enough(const Device& device) {
  Bench bench(device);
  Queue queue{};
  queue.ringbuf_size = 4096;
  Request request = group_request(device, bench.vm().id(), &queue, 1);
  request.compute_core_mask = uint64_t{1} << std::countr_zero(device.info().shader_present);
  request.fragment_core_mask = request.compute_core_mask;
  request.max_compute_cores = request.max_fragment_cores = 1;
  do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_GROUP_CREATE, &request);
  const Syncobj done = Syncobj::create(device);
  const Stream stream = bench.place(Assembler().store_value(bench.result_va(0), 0xC0).publish());
  drm_panthor_queue_submit submit{};
  submit.stream_addr = stream.va;
  submit.stream_size = stream.size;
  const Syncs syncs = Syncs().signal(done);
  submit.syncs = syncs.array();
  drm_panthor_group_submit job{
      request.group_handle, 0, {sizeof(submit), 1, reinterpret_cast<uint64_t>(&submit)}};
  do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_GROUP_SUBMIT, &job);
  igt_assert_eq(done.finish(kPatience), 1);
  igt_assert_eq(bench.result(0), 0xC0);
  igt_assert_eq(destroy_errno(device, request.group_handle, 0), 0);
}

void fatal_queue_is_told(const Device& device) {
  const uint32_t queues = device.csif().cs_slot_count;
  for (const uint32_t bad : {0U, 1U, queues - 1}) {
    Bench bench(device, 0, kBenchVa, {queues, 4096, PANTHOR_GROUP_PRIORITY_MEDIUM});
    const Syncobj done = Syncobj::create(device);
    const Stream stream = bench.place(Assembler().word(uint64_t{255} << 56));
    bench.group().submit(bad, stream, Syncs().signal(done));
    igt_assert_eq(done.finish(kPatience), -EINVAL);
    const GroupState state = bench.group().state();
    igt_assert_eq(state.state, DRM_PANTHOR_GROUP_STATE_FATAL_FAULT);
    igt_assert_eq(state.fatal_queues, 1U << bad);
    // No queue of it takes anything more, not even a job without a stream.
    for (uint32_t queue = 0; queue < queues; ++queue) {
      Jobs jobs;
      igt_assert_eq(bench.group().try_submit(jobs.add_empty(queue, {})), EINVAL);
    }
  }
}

void destroy_while_running(const Device& device) {
  Bench bench(device);
  Pulse pulse(device, kPlay);
  pulse.map_into(bench.vm());
  const Syncobj done = Syncobj::create(device);
  bench.group().submit(0, pulse.stream(), Syncs().signal(done));
  pulse.expect_start();
  igt_assert_eq(done.wait(0), ETIME);
  bench.drop_group();
  igt_assert_eq(done.finish(kPatience), -ECANCELED);
  pulse.expect_silence();
  // The space is as good as new.
  bench.store32(bench.result_va(0), 0x5E);
  igt_assert_eq(bench.result(0), 0x5E);
}

// Jobs behind the running one, in the ring and still in software, go with it.
void destroy_with_a_full_ring(const Device& device) {
  constexpr uint32_t kJobs = 100;
  Bench bench(device);
  Pulse pulse(device, kPlay);
  pulse.map_into(bench.vm());
  bench.group().submit(0, pulse.stream(), {});
  std::vector<Syncobj> done;
  for (uint32_t i = 0; i < kJobs; ++i) {
    bench.set_result(i, 0);
    done.push_back(Syncobj::create(device));
    bench.group().submit(0, bench.place(Assembler().store_value(bench.result_va(i), 1).publish()),
                         Syncs().signal(done.back()));
  }
  pulse.expect_start();
  bench.drop_group();
  for (const Syncobj& each : done) igt_assert_eq(each.finish(kPatience), -ECANCELED);
  pulse.expect_silence();
  for (uint32_t i = 0; i < kJobs; ++i) igt_assert_eq(bench.result(i), 0);
  bench.store32(bench.result_va(0), 2);
  igt_assert_eq(bench.result(0), 2);
}

// A job that waits for a fence when its group goes is cancelled once the fence has signalled.
void destroy_while_queued(const Device& device) {
  Bench bench(device);
  Gate gate(device);
  bench.set_result(0, 0);
  const Syncobj done = Syncobj::create(device);
  const Stream stream = bench.place(Assembler().store_value(bench.result_va(0), 1).publish());
  bench.group().submit(0, stream, Syncs().wait(gate.fence()).signal(done));
  bench.drop_group();
  gate.open_and_finish();
  igt_assert_eq(done.finish(kPatience), -ECANCELED);
  sleep_ns(kGlance);
  igt_assert_eq(bench.result(0), 0);
}

void handle_is_used_again_at_once(const Device& opened) {
  const Device device = opened.open_again();
  Bench bench(device);
  Pulse pulse(device, kPlay);
  pulse.map_into(bench.vm());
  for (uint32_t i = 0; i < 20; ++i) {
    Group old = Group::create_simple(bench.vm());
    const Syncobj cancelled = Syncobj::create(device);
    old.submit(0, pulse.stream(), Syncs().signal(cancelled));
    if (i % 2 == 0) pulse.expect_beat();
    old.destroy();
    Group next = Group::create_simple(bench.vm());
    igt_assert_eq(next.handle(), 1);
    const Syncobj done = Syncobj::create(device);
    next.submit(0, bench.place(Assembler().store_value(bench.result_va(1), 500 + i).publish()),
                Syncs().signal(done));
    igt_assert_eq(done.finish(kPatience), 1);
    igt_assert_eq(bench.result(1), 500 + i);
    igt_assert_eq(next.state().state, 0);
    igt_assert_eq(cancelled.finish(kPatience), -ECANCELED);
  }
}

constexpr Case kCases[] = {
    {"create-bad-fields",
     "Each field of a group and of a queue has its limits. [A6.2 A6.4 A6.8 A6.9]",
     create_bad_fields},
    {"create-bad-cores", "Only cores that are there, and enough of them. [A6.5 A6.6]",
     create_bad_cores},
    {"create-queue-array", "1 to 8 queues; strides and tails. [A6.1 A6.7 A1.2 A1.3 A1.4]",
     create_queue_array},
    {"create-errno-order", "Which of two mistakes is told.", create_errno_order},
    {"failed-creations-leave-nothing", "100 failures cost neither ids nor addresses.",
     failed_creations_leave_nothing},
    {"priorities", "LOW and MEDIUM for all, the others for the privileged. [A6.3]", priorities},
    {"ids-are-lowest-free", "Ids count from 1 and are used again. [A6.10]", ids_are_lowest_free},
    {"at-most-128", "A file has 128 groups and no more. [A6.10]", at_most_128},
    {"destroy-and-state-bad-arguments", "Pads and unknown handles are refused. [A7.1 A7.2]",
     destroy_and_state_bad_arguments},
    {"new-group-is-well", "The state of a new group is 0. [A7.3]", new_group_is_well},
    {"handles-belong-to-their-file", "Another file cannot name a group. [A0.10]",
     handles_belong_to_their_file},
    {"every-queue-works", "Groups of 1 to 8 queues with rings of 4 to 64 KiB.", every_queue_works},
    {"one-core-is-enough", "A group that is content with one core.", one_core_is_enough},
    {"fatal-queue-is-told", "The state names the queue that died. [A7.4 A8.8]", fatal_queue_is_told},
    {"destroy-while-running", "The job ends with ECANCELED and stops. [E7.1]",
     destroy_while_running},
    {"destroy-with-a-full-ring", "100 jobs behind the running one never run. [E7.1]",
     destroy_with_a_full_ring},
    {"destroy-while-queued", "A job that waits is cancelled in its turn.", destroy_while_queued},
    {"handle-is-used-again-at-once", "A new group under the number of one that is ending. [A7.6]",
     handle_is_used_again_at_once},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
