// SPDX-License-Identifier: MIT

#include <cerrno>
#include <optional>
#include <vector>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/bench.h"
#include "igt_tests/lib/cases.h"

IGT_TEST_DESCRIPTION(
    "GPU address spaces: ids, ranges, isolation, more of them than the hardware has.");

using namespace gpu;

namespace {

constexpr uint32_t kMaxVms = 32;
constexpr uint64_t kKernelMinimum = 256 * 1024 * 1024;

int try_create(const Device& device, uint64_t range, uint64_t& granted) {
  drm_panthor_vm_create request{};
  request.user_va_range = range;
  const int number = igt::ioctl_errno(device.fd(), DRM_IOCTL_PANTHOR_VM_CREATE, &request);
  granted = request.user_va_range;
  if (number != 0) return number;
  drm_panthor_vm_destroy destroy{request.id, 0};
  do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_VM_DESTROY, &destroy);
  return 0;
}

// The largest power of two not above `value`.
uint64_t power_below(uint64_t value) {
  uint64_t power = 1;
  while (power <= value / 2) power *= 2;
  return power;
}

void ids_are_lowest_free(const Device& opened) {
  const Device device = opened.open_again();
  std::vector<Vm> vms;
  for (uint32_t i = 1; i <= 4; ++i) {
    vms.push_back(Vm::create(device));
    igt_assert_eq(vms.back().id(), i);
  }
  vms[2].destroy();
  const Vm again = Vm::create(device);
  igt_assert_eq(again.id(), 3);
}

void at_most_32(const Device& opened) {
  const Device device = opened.open_again();
  std::vector<Vm> vms;
  for (uint32_t i = 0; i < kMaxVms; ++i) vms.push_back(Vm::create(device));
  drm_panthor_vm_create request{};
  do_ioctl_err(device.fd(), DRM_IOCTL_PANTHOR_VM_CREATE, &request, EBUSY);
  vms[20].destroy();
  do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_VM_CREATE, &request);
  igt_assert_eq(request.id, 21);
  // Another file has its own 32.
  const Vm other = Vm::create(opened);
  igt_assert_lte(1, other.id());
}

void bad_arguments(const Device& opened) {
  const Device device = opened.open_again();
  drm_panthor_vm_create create{};
  create.flags = 1;
  do_ioctl_err(device.fd(), DRM_IOCTL_PANTHOR_VM_CREATE, &create, EINVAL);
  drm_panthor_vm_destroy destroy{};
  for (const uint32_t id : {0U, 1U, 33U, 4711U}) {
    destroy = {id, 0};
    do_ioctl_err(device.fd(), DRM_IOCTL_PANTHOR_VM_DESTROY, &destroy, EINVAL);
    drm_panthor_vm_get_state state{id, 0};
    do_ioctl_err(device.fd(), DRM_IOCTL_PANTHOR_VM_GET_STATE, &state, EINVAL);
  }
  Vm vm = Vm::create(device);
  destroy = {vm.id(), 1};
  do_ioctl_err(device.fd(), DRM_IOCTL_PANTHOR_VM_DESTROY, &destroy, EINVAL);
  igt_assert_eq(vm.state(), DRM_PANTHOR_VM_STATE_USABLE);
  destroy = {vm.id(), 0};
  do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_VM_DESTROY, &destroy);
  do_ioctl_err(device.fd(), DRM_IOCTL_PANTHOR_VM_DESTROY, &destroy, EINVAL);
}

void ranges(const Device& device) {
  const uint64_t full = device.full_va_range();
  const uint64_t highest = full - kKernelMinimum;
  for (const uint64_t asked : {uint64_t{1}, kPage, kGigabyte * 4, full / 2, full / 2 + 1,
                               full / 4 * 3, highest - 1, highest}) {
    uint64_t granted = 0;
    igt_assert_eq(try_create(device, asked, granted), 0);
    const uint64_t expected = full - power_below(full - asked);
    igt_assert_f(granted == expected, "asked for %#lx, got %#lx, not %#lx\n", asked, granted,
                 expected);
  }
  uint64_t granted = 0;
  igt_assert_eq(try_create(device, highest + 1, granted), EINVAL);
  igt_assert_eq(try_create(device, full, granted), EINVAL);
  igt_assert_eq(try_create(device, ~uint64_t{0}, granted), EINVAL);
}

void default_range(const Device& device) {
  igt_require(device.va_bits() == 48);
  uint64_t granted = 0;
  igt_assert_eq(try_create(device, 0, granted), 0);
  igt_assert_eq(granted, uint64_t{1} << 47);
}

int map_at(Vm& vm, const Bo& bo, uint64_t va, uint64_t size) {
  Binds binds;
  binds.map(bo, 0, va, size, 0, {});
  uint32_t failed_at = 0;
  return vm.bind_sync(binds, failed_at);
}

void map_inside_range_only(const Device& device) {
  for (const uint64_t asked :
       {uint64_t{0}, 4 * kGigabyte, device.full_va_range() - kKernelMinimum}) {
    Vm vm = Vm::create_with_range(device, asked);
    const Bo bo = Bo::create(device, 4 * kPage);
    const uint64_t end = vm.user_va_range();
    igt_assert_eq(map_at(vm, bo, end - 4 * kPage, 4 * kPage), 0);
    igt_assert_eq(map_at(vm, bo, end - 3 * kPage, 4 * kPage), EINVAL);
    igt_assert_eq(map_at(vm, bo, end, kPage), EINVAL);
    igt_assert_eq(map_at(vm, bo, ~uint64_t{0} - kPage + 1, kPage), EINVAL);
    igt_assert_eq(map_at(vm, bo, ~uint64_t{0} - kPage + 1, 4 * kPage), EINVAL);
  }
}

// Queued, it fails at once in 1.0. Later it is queued, fails in its turn and takes the space along,
// until the newest kernels went back to the first.
void map_outside_queued(const Device& device) {
  const Bo bo = Bo::create(device, 2 * kPage);
  for (const bool straddles : {false, true}) {
    Vm vm = Vm::create(device);
    const Syncobj done = Syncobj::create(device);
    Binds binds;
    binds.map(bo, 0, vm.user_va_range() - (straddles ? kPage : 0), 2 * kPage, 0,
              Syncs().signal(done));
    const int number = vm.bind_async(binds);
    if (device.minor() < 1 || number != 0) {
      igt_assert_eq(number, EINVAL);
      igt_assert(device.minor() < 1 || !runs_on_pantry());
      igt_assert_eq(done.wait(0), EINVAL);
      igt_assert_eq(vm.state(), DRM_PANTHOR_VM_STATE_USABLE);
    } else {
      igt_assert_eq(done.finish(kPatience), -EINVAL);
      igt_assert_eq(vm.state(), DRM_PANTHOR_VM_STATE_UNUSABLE);
    }
  }
}

void first_and_last_page(const Device& device) {
  Bench bench(device);
  Bo low = Bo::create(device, kPage);
  Bo high = Bo::create(device, kPage);
  const uint64_t last = bench.vm().user_va_range() - kPage;
  bench.vm().map(low, 0);
  bench.vm().map(high, last);
  low.word_at(0) = 0xA0;
  high.word_at(kPage - 4) = 0xB0;
  igt_assert_eq(bench.load32(0), 0xA0);
  igt_assert_eq(bench.load32(last + kPage - 4), 0xB0);
  bench.store32(16, 0xA1);
  bench.store32(last, 0xB1);
  igt_assert_eq(uint32_t{low.word_at(16)}, 0xA1);
  igt_assert_eq(uint32_t{high.word_at(0)}, 0xB1);
  bench.expect_load_fault(kPage);
  bench.expect_load_fault(last - kPage);
}

void small_range_works(const Device& device) {
  Bench bench(device, 4 * kGigabyte, 0x10000, {});
  Bo bo = Bo::create(device, kBlock);
  const uint64_t va = 4 * kGigabyte - kBlock;
  bench.vm().map(bo, va);
  bench.store_tags(va, 512, 1);
  for (uint32_t i = 0; i < 512; i += 73) igt_assert_eq(uint32_t{bo.word_at(i * kPage)}, i + 1);
}

void largest_range_works(const Device& device) {
  const uint64_t highest = device.full_va_range() - kKernelMinimum;
  Bench bench(device, highest, kBenchVa, {});
  igt_assert_eq(bench.vm().user_va_range(), highest);
  Bo bo = Bo::create(device, kPage);
  bo.word_at(0) = 4242;
  bench.vm().map(bo, highest - kPage);
  igt_assert_eq(bench.load32(highest - kPage), 4242);
  bench.expect_load_fault(highest - 2 * kPage);
}

void kernel_range_is_not_the_clients(const Device& device) {
  // Rings and sync objects lie behind the client's range. No bind may touch them, and the group
  // goes on working.
  Bench bench(device);
  bench.store32(bench.result_va(1), 5);
  const uint64_t end = bench.vm().user_va_range();
  const uint64_t rest = device.full_va_range() - end;
  const Bo bo = Bo::create(device, kPage);
  for (const uint64_t size : {kPage, kBlock, rest}) {
    Binds binds;
    binds.unmap(end, size, {});
    uint32_t failed_at = 0;
    igt_assert_eq(bench.vm().bind_sync(binds, failed_at), EINVAL);
  }
  Binds across;
  across.unmap(end - kPage, 2 * kPage, {});
  uint32_t failed_at = 0;
  igt_assert_eq(bench.vm().bind_sync(across, failed_at), EINVAL);
  igt_assert_eq(map_at(bench.vm(), bo, end, kPage), EINVAL);
  bench.store32(bench.result_va(1), 6);
  igt_assert_eq(bench.result(1), 6);
}

void spaces_are_isolated(const Device& device) {
  Bench a(device);
  Bench b(device);
  Bo in_a = Bo::create(device, kPage);
  Bo in_b = Bo::create(device, kPage);
  in_a.word_at(0) = 0xAAAA;
  in_b.word_at(0) = 0xBBBB;
  a.vm().map(in_a, kPlay);
  b.expect_load_fault(kPlay);
  b.vm().map(in_b, kPlay);
  igt_assert_eq(a.load32(kPlay), 0xAAAA);
  igt_assert_eq(b.load32(kPlay), 0xBBBB);
  a.store32(kPlay, 0xA1A1);
  igt_assert_eq(uint32_t{in_a.word_at(0)}, 0xA1A1);
  igt_assert_eq(uint32_t{in_b.word_at(0)}, 0xBBBB);
  a.vm().unmap(kPlay, kPage);
  igt_assert_eq(b.load32(kPlay), 0xBBBB);
  a.expect_load_fault(kPlay);
}

void one_buffer_in_two_spaces(const Device& device) {
  Bench a(device);
  Bench b(device);
  Bo bo = Bo::create(device, 2 * kPage);
  a.vm().map(bo, kPlay);
  b.vm().map(bo, 3 * kPlay);
  a.store32(kPlay + kPage, 17);
  igt_assert_eq(b.load32(3 * kPlay + kPage), 17);
  b.store32(3 * kPlay, 18);
  igt_assert_eq(a.load32(kPlay), 18);
  b.vm().destroy();
  igt_assert_eq(a.load32(kPlay), 18);
}

// More spaces than the hardware has address spaces for: they take turns.
void many_spaces(const Device& device) {
  constexpr uint32_t kCount = 16;
  std::vector<Bench> benches;
  std::vector<Bo> bos;
  benches.reserve(kCount);
  for (uint32_t i = 0; i < kCount; ++i) {
    benches.emplace_back(device);
    bos.push_back(Bo::create(device, kPage));
    bos.back().word_at(0) = 100 + i;
    benches.back().vm().map(bos.back(), kPlay);
  }
  for (uint32_t round = 0; round < 3; ++round) {
    for (uint32_t i = 0; i < kCount; ++i) {
      igt_assert_eq(benches[i].load32(kPlay), 100 + i + round);
      benches[i].store32(kPlay, 100 + i + round + 1);
    }
  }
  // And all at once.
  std::vector<Syncobj> done;
  for (uint32_t i = 0; i < kCount; ++i) {
    done.push_back(Syncobj::create(device));
    const Stream stream = benches[i].place(Assembler().store_value(kPlay, 7000 + i).publish());
    benches[i].group().submit(0, stream, Syncs().signal(done.back()));
  }
  for (uint32_t i = 0; i < kCount; ++i) {
    igt_assert_eq(done[i].finish(kPatience), 1);
    igt_assert_eq(uint32_t{bos[i].word_at(0)}, 7000 + i);
  }
}

// An idle space that has lost its hardware slot is changed, and must be found changed when it comes
// back.
void remap_while_evicted(const Device& device) {
  constexpr uint32_t kOthers = 9;
  Bench bench(device);
  Bo before = Bo::create(device, kPage);
  Bo after = Bo::create(device, kPage);
  before.word_at(0) = 1;
  after.word_at(0) = 2;
  bench.vm().map(before, kPlay);
  igt_assert_eq(bench.load32(kPlay), 1);
  std::vector<Bench> others;
  others.reserve(kOthers);
  for (uint32_t i = 0; i < kOthers; ++i) {
    others.emplace_back(device);
    others.back().run_ok(Assembler().nop());
  }
  bench.vm().map(after, kPlay);
  igt_assert_eq(bench.load32(kPlay), 2);
  for (Bench& other : others) other.run_ok(Assembler().nop());
  bench.vm().unmap(kPlay, kPage);
  bench.expect_load_fault(kPlay);
}

void id_of_another_space(const Device& opened) {
  const Device device = opened.open_again();
  std::optional<Vm> vm = Vm::create(device);
  Bo bo = Bo::create_with(device, kPage, 0, vm->id());
  vm.reset();
  Vm again = Vm::create(device);
  // The id is the same, the space is not.
  igt_assert_eq(map_at(again, bo, kPlay, kPage), EINVAL);
}

void destroy_with_mappings(const Device& device) {
  Bo bo = Bo::create(device, 4 * kBlock);
  for (uint32_t i = 0; i < 8; ++i) {
    Bench bench(device);
    bench.vm().map(bo, kPlay);
    bench.store_tags(kPlay, 4 * 512, 1000 * i);
    igt_assert_eq(uint32_t{bo.word_at(3 * kBlock)}, 1000 * i + 3 * 512);
  }
}

void destroy_with_binds_pending(const Device& device) {
  Gate gate(device);
  Bo bo = Bo::create(device, kPage);
  const Syncobj done = Syncobj::create(device);
  {
    Vm vm = Vm::create(device);
    Binds binds;
    binds.map(bo, 0, kPlay, kPage, 0, Syncs().wait(gate.fence()).signal(done));
    igt_assert_eq(vm.bind_async(binds), 0);
  }
  bo.close_handle();
  sleep_ns(kGlance);
  igt_assert_eq(done.wait(0), ETIME);
  gate.open_and_finish();
  igt_assert_eq(done.wait(kPatience), 0);
}

void destroy_with_a_job_running(const Device& device) {
  Bench bench(device);
  Bo control = Bo::create(device, kPage);
  Bo touched = Bo::create(device, kPage);
  bench.vm().map_part(control, 0, kPlay, kPage, kUncached | kNoExec);
  bench.vm().map(touched, kPlay + kBlock);
  const Syncobj done = Syncobj::create(device);
  Group& group = bench.group();
  group.submit(0, bench.place(Heartbeat::stream(kPlay, kPlay + kBlock)), Syncs().signal(done));
  igt_assert(wait_until(kPatience, [&] { return control.words()[Heartbeat::kStarted] == 1; }));
  bench.vm().destroy();
  // Everything was unmapped under the job, so it faults; a client that stops caring gets a
  // cancelled fence.
  const int status = done.finish(kPatience);
  igt_assert_f(status == -EINVAL || status == -ECANCELED, "the fence says %d\n", status);
  igt_assert_eq(group.state().state & DRM_PANTHOR_GROUP_STATE_FATAL_FAULT,
                DRM_PANTHOR_GROUP_STATE_FATAL_FAULT);
}

void fault_leaves_it_usable(const Device& device) {
  Bench bench(device);
  for (uint32_t round = 0; round < 3; ++round) {
    bench.expect_load_fault(kPlay + round * kPage);
    igt_assert_eq(bench.vm().state(), DRM_PANTHOR_VM_STATE_USABLE);
    bench.store32(bench.result_va(5), round + 60);
    igt_assert_eq(bench.result(5), round + 60);
  }
}

constexpr Case kCases[] = {
    {"ids-are-lowest-free", "Ids count from 1 and are used again. [A3.2]", ids_are_lowest_free},
    {"at-most-32", "A file has 32 spaces and no more. [A3.3]", at_most_32},
    {"bad-arguments", "Flags, pads and unknown ids are refused. [A3.1 A3.5 A3.6 A3.7]",
     bad_arguments},
    {"ranges", "What is granted for each range asked for. [A3.4 C1.2 C1.3]", ranges},
    {"default-range", "Without a wish the client gets half of 48 bits. [C1.1]", default_range},
    {"map-inside-range-only", "Nothing can be mapped beyond the client's range. [A4.12]",
     map_inside_range_only},
    {"map-outside-queued", "Nor by a bind that is queued. [A4.12 A4.25]", map_outside_queued},
    {"first-and-last-page", "The first and the last page of the range can be used. [C1.4]",
     first_and_last_page},
    {"small-range-works", "A space whose client wants only 4 GiB.", small_range_works},
    {"largest-range-works", "A space that leaves the driver only 256 MiB.", largest_range_works},
    {"kernel-range-is-not-the-clients", "No bind can take the driver's rings away.",
     kernel_range_is_not_the_clients},
    {"spaces-are-isolated", "One address in two spaces is two memories.", spaces_are_isolated},
    {"one-buffer-in-two-spaces", "One buffer in two spaces is one memory.",
     one_buffer_in_two_spaces},
    {"many-spaces", "16 spaces share the hardware's few.", many_spaces},
    {"remap-while-evicted", "A change made while the space has no hardware slot holds.",
     remap_while_evicted},
    {"id-of-another-space", "A private buffer does not follow a recycled id. [C5.4]",
     id_of_another_space},
    {"destroy-with-mappings", "A space can go with everything in it; the buffer stays. [C6.1 C5.1]",
     destroy_with_mappings},
    {"destroy-with-binds-pending",
     "Binds that wait are finished on the destroyed space. [C6.1 C6.3]",
     destroy_with_binds_pending},
    {"destroy-with-a-job-running", "A job loses its memory and its group ends. [C6.2]",
     destroy_with_a_job_running},
    {"fault-leaves-it-usable", "After each GPU fault a new group works. [A3.8 D8.1]",
     fault_leaves_it_usable},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
