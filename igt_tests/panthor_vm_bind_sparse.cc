// SPDX-License-Identifier: MIT

#include <cerrno>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/bench.h"
#include "igt_tests/lib/cases.h"

IGT_TEST_DESCRIPTION("Sparse ranges: rules, reads and writes without memory, cuts and remaps.");

using namespace gpu;

namespace {

constexpr uint32_t kSparse = DRM_PANTHOR_VM_BIND_OP_MAP_SPARSE;
constexpr uint64_t kLarge = 256 * kGigabyte;

drm_panthor_vm_bind_op sparse(uint64_t va, uint64_t size) {
  drm_panthor_vm_bind_op op{};
  op.flags = kMap | kSparse | kNoExec;
  op.va = va;
  op.size = size;
  return op;
}

int bind(Vm& vm, const drm_panthor_vm_bind_op& op) {
  Binds binds;
  binds.raw(op);
  uint32_t failed_at = 0;
  return vm.bind_sync(binds, failed_at);
}

// In both modes; nothing is mapped, and an asynchronous one leaves the space usable.
void expect_refused(Vm& vm, const drm_panthor_vm_bind_op& op) {
  igt_assert_eq(bind(vm, op), EINVAL);
  Binds binds;
  binds.raw(op);
  igt_assert_eq(vm.bind_async(binds), EINVAL);
  igt_assert_eq(vm.state(), DRM_PANTHOR_VM_STATE_USABLE);
}

void require(const Device& device) { igt_require(device.minor() >= 9); }

void flags(const Device& device) {
  require(device);
  Vm vm = Vm::create(device);
  drm_panthor_vm_bind_op op = sparse(kPlay, kBlock);
  op.flags &= ~kNoExec;
  expect_refused(vm, op);
  for (const uint32_t more : {kReadOnly, kUncached, kReadOnly | kUncached}) {
    op = sparse(kPlay, kBlock);
    op.flags |= more;
    igt_assert_eq(bind(vm, op), 0);
  }
  op.flags |= 0x10;
  expect_refused(vm, op);
  op = sparse(kPlay, kBlock);
  op.flags = kUnmap | kSparse;
  expect_refused(vm, op);
}

void buffer(const Device& device) {
  require(device);
  Vm vm = Vm::create(device);
  Bo bo = Bo::create(device, kBlock);
  drm_panthor_vm_bind_op op = sparse(kPlay, kBlock);
  op.bo_handle = bo.handle();
  expect_refused(vm, op);
  op = sparse(kPlay, kBlock);
  op.bo_offset = kPage;
  expect_refused(vm, op);
}

void size_overflow(const Device& device) {
  require(device);
  Vm vm = Vm::create(device);
  igt_assert_eq(bind(vm, sparse(kPlay, ~uint64_t{0} - kPage + 1)), EINVAL);
  igt_assert_eq(bind(vm, sparse(kPlay, vm.user_va_range())), EINVAL);
  igt_assert_eq(bind(vm, sparse(vm.user_va_range(), kPage)), EINVAL);
  igt_assert_eq(bind(vm, sparse(kPlay, kPage + 1)), EINVAL);
  igt_assert_eq(bind(vm, sparse(kPlay + 1, kPage)), EINVAL);
  igt_assert_eq(bind(vm, sparse(kPlay, 0)), 0);
}

void reads(const Device& device) {
  require(device);
  Bench bench(device);
  igt_assert_eq(bind(bench.vm(), sparse(kPlay + kPage, kLarge)), 0);
  for (const uint64_t at : {kPage, kBlock, kBlock + 5 * kPage, kGigabyte, 200 * kGigabyte, kLarge})
    bench.load32(kPlay + at);
  bench.expect_load_fault(kPlay);
  bench.expect_load_fault(kPlay + kPage + kLarge);
}

// Neither another mapping nor another client's memory changes, nor does what was there before.
void writes_reach_nobody(const Device& device) {
  require(device);
  Bench bench(device);
  Bench other(device);
  Bo before = Bo::create(device, 4 * kBlock);
  Bo beside = Bo::create(device, 4 * kBlock);
  before.tag_pages(1000);
  beside.tag_pages(5000);
  bench.vm().map(before, kPlay);
  bench.vm().map(beside, kPlay + 4 * kBlock);
  other.vm().map(beside, kPlay);
  igt_assert_eq(bind(bench.vm(), sparse(kPlay, 4 * kBlock)), 0);
  bench.store_tags(kPlay, 600, 0xAB000);
  for (uint32_t i = 0; i < before.size() / kPage; ++i) {
    igt_assert_eq(uint32_t{before.word_at(i * kPage)}, 1000 + i);
    igt_assert_eq(uint32_t{beside.word_at(i * kPage)}, 5000 + i);
  }
  igt_assert_eq(bench.load32(kPlay + 4 * kBlock), 5000);
  igt_assert_eq(other.load32(kPlay), 5000);
}

void writes_of_one_file_are_not_seen_by_another(const Device& device) {
  require(device);
  const Device stranger = device.open_again();
  Bench bench(device);
  Bench other(stranger);
  igt_assert_eq(bind(bench.vm(), sparse(kPlay, kBlock)), 0);
  igt_assert_eq(bind(other.vm(), sparse(kPlay, kBlock)), 0);
  bench.store32(kPlay + 3 * kPage, 0x5EC2E7);
  igt_assert_eq(other.load32(kPlay + 3 * kPage), 0);
}

void readonly(const Device& device) {
  require(device);
  Bench bench(device);
  drm_panthor_vm_bind_op op = sparse(kPlay, kLarge);
  op.flags |= kReadOnly;
  igt_assert_eq(bind(bench.vm(), op), 0);
  bench.load32(kPlay + 9 * kGigabyte);
  bench.expect_store_fault(kPlay + 9 * kGigabyte);
}

void partial_unmap(const Device& device) {
  require(device);
  Bench bench(device);
  igt_assert_eq(bind(bench.vm(), sparse(kPlay, kLarge)), 0);
  const uint64_t hole = kPlay + 33 * kGigabyte + 3 * kBlock + 7 * kPage;
  // The walk is cached before it changes.
  bench.load32(hole);
  bench.vm().unmap(hole, kPage);
  bench.expect_load_fault(hole);
  for (const uint64_t away : {kPage, kBlock, kGigabyte}) {
    bench.load32(hole - away);
    bench.load32(hole + away);
  }
  bench.vm().unmap(kPlay + kLarge / 2, kLarge);
  bench.load32(kPlay + kLarge / 2 - kPage);
  bench.expect_load_fault(kPlay + kLarge / 2);
  bench.vm().unmap(kPlay, kLarge);
  bench.expect_load_fault(kPlay);
}

void remap(const Device& device) {
  require(device);
  Bench bench(device);
  Bo bo = Bo::create(device, 2 * kBlock);
  bo.tag_pages(70);
  igt_assert_eq(bind(bench.vm(), sparse(kPlay, kLarge)), 0);
  for (const uint64_t at : {uint64_t{0}, kPage, kGigabyte - kBlock, 7 * kGigabyte + 5 * kPage}) {
    bench.load32(kPlay + at);
    bench.vm().map(bo, kPlay + at);
    igt_assert_eq(bench.load32(kPlay + at + 600 * kPage), 670);
    bench.load32(kPlay + at + 2 * kBlock);
  }
  igt_assert_eq(bind(bench.vm(), sparse(kPlay, kLarge)), 0);
  bench.store32(kPlay + kPage, 1);
  igt_assert_eq(uint32_t{bo.word_at(0)}, 70);
  igt_assert_eq(uint32_t{bo.word_at(kPage)}, 71);
}

constexpr Case kCases[] = {
    {"flags", "NOEXEC must be asked for, READONLY and UNCACHED may. [A4.22]", flags},
    {"buffer", "A handle or an offset has no place in it. [A4.23]", buffer},
    {"size-overflow", "A range that leaves the space, or is no whole pages, is EINVAL.",
     size_overflow},
    {"reads", "The GPU reads all over 256 GiB, and faults before and after. [C3.6]", reads},
    {"writes-reach-nobody", "What the GPU writes there changes no buffer. [C3.6]",
     writes_reach_nobody},
    {"writes-of-one-file-are-not-seen-by-another", "Each client has memory of its own there.",
     writes_of_one_file_are_not_seen_by_another},
    {"readonly", "A store to a read-only one faults.", readonly},
    {"partial-unmap", "A page, and a half, are taken out of it. [C3.7]", partial_unmap},
    {"remap", "Buffers are mapped over it and it over them. [C3.7]", remap},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
