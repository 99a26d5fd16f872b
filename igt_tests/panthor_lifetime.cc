// SPDX-License-Identifier: MIT

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <thread>
#include <vector>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/cases.h"
#include "igt_tests/lib/channel.h"
#include "igt_tests/lib/tenant.h"

IGT_TEST_DESCRIPTION(
    "How things end: files closed, duplicated and sent; spaces, groups and buffers that go while "
    "they "
    "are in use.");

using namespace gpu;

namespace {

void close_with_a_job_running(const Device& device) {
  Pulse pulse(device, kPlay);
  Tenant tenant(device, pulse);
  tenant.start();
  const UniqueFd fence = tenant.fence();
  pulse.expect_start();
  igt_assert_eq(sync_file_status(fence.get()), 0);
  tenant.close();
  expect_ended(finish_sync_file(fence.get(), kPatience));
  pulse.expect_silence();
  expect_in_order(device);
}

// Nothing that was queued comes true afterwards.
void close_with_everything_pending(const Device& device) {
  Gate gate(device);
  UniqueFd fence;
  Bo word = Bo::create(device, kPage);
  {
    Device other = device.open_again();
    drm_syncobj_handle request{};
    const UniqueFd gate_fd = gate.fence().export_syncobj();
    request.fd = gate_fd.get();
    do_ioctl(other.fd(), DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &request);
    const Syncobj held = Syncobj::adopt(other, request.handle);
    Bench bench(other);
    const Bo imported = Bo::import_fd(other, word.export_fd().get());
    const Syncobj mapped = Syncobj::create(other);
    const Syncobj done = Syncobj::create(other);
    Binds binds;
    binds.map(imported, 0, kPlay, kPage, 0, Syncs().wait(held).signal(mapped));
    igt_assert_eq(bench.vm().bind_async(binds), 0);
    bench.group().submit(0, bench.place(Assembler().store_value(kPlay, 1).publish()),
                         Syncs().wait(mapped).signal(done));
    fence = done.export_sync_file();
    other.close();
  }
  igt_assert_eq(sync_file_status(fence.get()), 0);
  gate.open_and_finish();
  expect_ended(finish_sync_file(fence.get(), kPatience));
  igt_assert_eq(uint32_t{word.word_at(0)}, 0);
  expect_in_order(device);
}

void duplicate_keeps_the_file(const Device& device) {
  Pulse pulse(device, kPlay);
  Tenant tenant(device, pulse);
  tenant.start();
  const UniqueFd fence = tenant.fence();
  UniqueFd copy(fcntl(tenant.fd(), F_DUPFD_CLOEXEC, 100));
  igt_assert_fd(copy.get());
  tenant.close();
  sleep_ns(kGlance);
  pulse.expect_beat();
  igt_assert_eq(sync_file_status(fence.get()), 0);
  // It is the same file: the same spaces, the same groups.
  drm_panthor_group_get_state state{tenant.group(), 0, 0, 0};
  do_ioctl(copy.get(), DRM_IOCTL_PANTHOR_GROUP_GET_STATE, &state);
  igt_assert_eq(state.state, 0);
  copy.reset();
  expect_ended(finish_sync_file(fence.get(), kPatience));
  pulse.expect_silence();
}

void dup2_over_the_file(const Device& device) {
  Pulse pulse(device, kPlay);
  Tenant tenant(device, pulse);
  tenant.start();
  const UniqueFd fence = tenant.fence();
  pulse.expect_start();
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  igt_assert_eq(dup2(null.get(), tenant.fd()), tenant.fd());
  expect_ended(finish_sync_file(fence.get(), kPatience));
  pulse.expect_silence();
  drm_panthor_vm_get_state state{1, 0};
  do_ioctl_err(tenant.fd(), DRM_IOCTL_PANTHOR_VM_GET_STATE, &state, ENOTTY);
}

// A file that is in a message nowhere read is still open.
void file_in_a_message(const Device& device) {
  Pulse pulse(device, kPlay);
  Tenant tenant(device, pulse);
  tenant.start();
  pulse.expect_start();
  const Channel channel;
  channel.send(tenant.fd());
  tenant.close();
  sleep_ns(kGlance);
  pulse.expect_beat();
  UniqueFd again = channel.receive();
  drm_panthor_vm_get_state state{tenant.vm_id(), ~0U};
  do_ioctl(again.get(), DRM_IOCTL_PANTHOR_VM_GET_STATE, &state);
  igt_assert_eq(state.state, DRM_PANTHOR_VM_STATE_USABLE);
  again.reset();
  pulse.expect_silence();
}

// What a client had is free again: as many spaces and groups as ever, time after time.
void nothing_is_used_up(const Device& opened) {
  for (int round = 0; round < 12; ++round) {
    const Device device = opened.open_again();
    std::vector<drm_panthor_vm_create> vms(32);
    for (drm_panthor_vm_create& vm : vms) do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_VM_CREATE, &vm);
    igt_assert_eq(vms.back().id, 32);
    drm_panthor_queue_create queue{};
    queue.ringbuf_size = 4096;
    for (uint32_t i = 0; i < 16; ++i) {
      drm_panthor_group_create group = group_request(device, vms[i].id, &queue, 1);
      do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_GROUP_CREATE, &group);
    }
    drm_panthor_bo_create bo{};
    bo.size = 2 * kBlock;
    do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_BO_CREATE, &bo);
    for (uint32_t i = 0; i < 8; ++i) {
      drm_panthor_vm_bind_op op{};
      op.flags = kMap;
      op.bo_handle = bo.handle;
      op.va = kPlay + i * kPage;
      op.size = bo.size;
      drm_panthor_vm_bind request{};
      request.vm_id = vms[i].id;
      request.ops = {sizeof(op), 1, reinterpret_cast<uint64_t>(&op)};
      do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_VM_BIND, &request);
    }
  }
  expect_in_order(opened);
}

void many_files(const Device& device) {
  std::deque<Device> files;
  for (int i = 0; i < 64; ++i) files.push_back(device.open_again());
  for (const Device& file : files) {
    drm_panthor_vm_create request{};
    do_ioctl(file.fd(), DRM_IOCTL_PANTHOR_VM_CREATE, &request);
    igt_assert_eq(request.id, 1);
  }
  Bench bench(files[40]);
  bench.store32(bench.result_va(3), 0x40);
  igt_assert_eq(bench.result(3), 0x40);
}

// Files come and go beside a job that runs.
void files_do_not_disturb(const Device& device) {
  Pulse pulse(device, kPlay);
  Bench bench(device);
  pulse.map_into(bench.vm());
  const Syncobj done = Syncobj::create(device);
  bench.group().submit(0, pulse.stream(), Syncs().signal(done));
  pulse.expect_start();
  for (uint32_t i = 0; i < 10; ++i) {
    const Device other = device.open_again();
    Bench there(other);
    there.store32(there.result_va(0), i + 1);
    igt_assert_eq(there.result(0), i + 1);
  }
  pulse.expect_beat();
  pulse.stop();
  igt_assert_eq(done.finish(kPatience), 1);
}

// Four threads with a space each, through one file.
void threads_work_side_by_side(const Device& device) {
  std::vector<std::jthread> workers;
  for (uint32_t worker = 1; worker <= 4; ++worker) {
    workers.emplace_back([&device, worker] {
      Bench bench(device);
      Bo bo = Bo::create(device, 4 * kPage);
      for (uint32_t round = 0; round < 12; ++round) {
        bench.vm().map(bo, kPlay + round * kPage);
        bench.store_tags(kPlay + round * kPage, 4, worker << 16 | round);
        for (uint32_t i = 0; i < 4; ++i) {
          igt_assert_eq(uint32_t{bo.word_at(i * kPage)}, (worker << 16 | round) + i);
        }
      }
    });
  }
}

void buffer_closed_under_a_job(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, kPage);
  bo.word_at(0) = 0x88;
  Pulse pulse(device, kPlay, kPlay + kBlock);
  pulse.map_into(bench.vm());
  bench.vm().map_part(bo, 0, kPlay + kBlock, kPage, kUncached);
  const Syncobj done = Syncobj::create(device);
  bench.group().submit(0, pulse.stream(), Syncs().signal(done));
  pulse.expect_start();
  bo.close_handle();
  std::vector<Bo> others;
  for (int i = 0; i < 16; ++i) {
    others.push_back(Bo::create(device, kPage));
    others.back().word_at(0) = 1;
  }
  pulse.expect_beat();
  pulse.expect_beat();
  igt_assert_eq(pulse.seen(), 0x88);
  // The CPU mapping and the GPU mapping are still one memory.
  bo.word_at(0) = 0x99;
  igt_assert(wait_until(kPatience, [&] { return pulse.seen() == 0x99; }));
  pulse.stop();
  igt_assert_eq(done.finish(kPatience), 1);
}

// A job that is queued when its space goes finds nothing there.
void space_goes_with_a_job_queued(const Device& device) {
  Bench bench(device);
  Gate gate(device);
  bench.set_result(0, 0);
  const Syncobj done = Syncobj::create(device);
  bench.group().submit(0, bench.place(Assembler().store_value(bench.result_va(0), 1).publish()),
                       Syncs().wait(gate.fence()).signal(done));
  bench.vm().destroy();
  igt_assert_eq(done.wait(0), ETIME);
  gate.open_and_finish();
  expect_ended(done.finish(kPatience));
  igt_assert_eq(bench.result(0), 0);
  bench.drop_group();
  expect_in_order(device);
}

// The number of a space can have a new owner while binds of the old one are still queued.
void binds_of_a_space_that_is_gone(const Device& opened) {
  const Device device = opened.open_again();
  Bo bo = Bo::create(device, kPage);
  bo.word_at(0) = 0x66;
  Gate gate(device);
  const Syncobj done = Syncobj::create(device);
  uint32_t id = 0;
  {
    Vm vm = Vm::create(device);
    id = vm.id();
    Binds binds;
    binds.map(bo, 0, kPlay, kPage, 0, Syncs().wait(gate.fence()).signal(done));
    igt_assert_eq(vm.bind_async(binds), 0);
  }
  Bench bench(device);
  igt_assert_eq(bench.vm().id(), id);
  gate.open_and_finish();
  igt_assert_eq(done.wait(kPatience), 0);
  bench.expect_load_fault(kPlay);
}

constexpr Case kCases[] = {
    {"close-with-a-job-running", "The job ends and its fence says so. [G1.1]",
     close_with_a_job_running},
    {"close-with-everything-pending", "Queued binds and jobs come to nothing. [G1.1]",
     close_with_everything_pending},
    {"duplicate-keeps-the-file", "The last descriptor counts.", duplicate_keeps_the_file},
    {"dup2-over-the-file", "A descriptor that is overwritten is closed.", dup2_over_the_file},
    {"file-in-a-message", "A file can be sent, and lives while it travels.", file_in_a_message},
    {"nothing-is-used-up", "12 files closed with all they had. [G1.3]", nothing_is_used_up},
    {"many-files", "64 files at once.", many_files},
    {"files-do-not-disturb", "A job goes on while other files come and go.", files_do_not_disturb},
    {"threads-work-side-by-side", "Four threads, one file.", threads_work_side_by_side},
    {"buffer-closed-under-a-job", "A mapping keeps a buffer without a handle. [C5.1]",
     buffer_closed_under_a_job},
    {"space-goes-with-a-job-queued", "The job finds nothing. [C5.3 C2.4]",
     space_goes_with_a_job_queued},
    {"binds-of-a-space-that-is-gone", "They do not reach the next owner of its number.",
     binds_of_a_space_that_is_gone},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
