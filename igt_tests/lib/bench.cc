// SPDX-License-Identifier: MIT

#include "igt_tests/lib/bench.h"

#include <cerrno>

#include "igt_tests/harness/igt.h"

namespace gpu {
namespace {

constexpr uint64_t kCodeBytes = 256 * 1024;
constexpr uint64_t kResultBytes = 64 * 1024;
constexpr uint32_t kStreamAlignment = 64;
constexpr uint32_t kPoison = 0xBADC0DE5;

// The gate's own space.
constexpr uint64_t kGateCodeVa = 0x10000;
constexpr uint64_t kOpenerOffset = kPage / 2;  // of the stream that opens it, from there
constexpr uint64_t kGateWordVa = 0x20000;

// Registers of the streams here, clear of those that the assembler's shorthands use.
constexpr unsigned kSource = 10;       // r10:11
constexpr unsigned kDestination = 12;  // r12:13
constexpr unsigned kCount = 14;
constexpr unsigned kValue = 16;
constexpr unsigned kCounter = 17;
constexpr unsigned kStopWord = 18;

void copy_words(Bo& bo, uint64_t offset, const Assembler& stream) {
  const auto& words = stream.words();
  for (size_t i = 0; i < words.size(); ++i) bo.quads()[offset / sizeof(uint64_t) + i] = words[i];
}

}  // namespace

Bench::Bench(const Device& device) : Bench(device, 0, kBenchVa, {}) {}

Bench::Bench(const Device& device, uint64_t user_va_range, uint64_t bench_va, GroupShape shape)
    : device_(&device),
      shape_(shape),
      code_va_(bench_va),
      results_va_(bench_va + kCodeBytes),
      vm_(Vm::create_with_range(device, user_va_range)),
      code_(Bo::create(device, kCodeBytes)),
      results_(Bo::create(device, kResultBytes)) {
  vm_.map(code_, code_va_);
  vm_.map_part(results_, 0, results_va_, kResultBytes, kNoExec);
}

Group& Bench::group() {
  if (!group_) group_.emplace(Group::create(vm_, shape_));
  return *group_;
}

Stream Bench::place(const Assembler& stream) {
  const uint32_t size = stream.size_bytes();
  igt_assert(size <= kCodeBytes);
  if (next_code_ + size > kCodeBytes) next_code_ = 0;
  const Stream placed{code_va_ + next_code_, size};
  copy_words(code_, next_code_, stream);
  next_code_ = (next_code_ + size + kStreamAlignment - 1) / kStreamAlignment * kStreamAlignment;
  return placed;
}

Stream Bench::place_copy(uint32_t word, uint64_t from) {
  set_result(word, 0);
  return place(Assembler().copy_word(result_va(word), from).publish());
}

int Bench::run(const Assembler& stream) {
  const Syncobj done = Syncobj::create(*device_);
  group().submit(0, place(stream), Syncs().signal(done));
  return done.finish(kPatience);
}

void Bench::run_ok(const Assembler& stream) { igt_assert_eq(run(stream), 1); }

uint32_t Bench::load32(uint64_t va) {
  set_result(0, kPoison);
  run_ok(Assembler().copy_word(result_va(0), va).publish());
  return result(0);
}

void Bench::store32(uint64_t va, uint32_t value) {
  run_ok(Assembler().store_value(va, value).publish());
}

std::vector<uint32_t> Bench::load_tags(uint64_t va, uint32_t pages) {
  igt_assert(pages <= kResultBytes / sizeof(uint32_t));
  for (uint32_t i = 0; i < pages; ++i) set_result(i, kPoison);
  Assembler stream;
  stream.move48(kSource, va).move48(kDestination, result_va(0)).move32(kCount, pages);
  const size_t loop = stream.here();
  stream.load(kValue, 1, kSource, 0).wait_all();
  stream.store(kValue, 1, kDestination, 0).wait_all();
  stream.add64(kSource, kSource, kPage).add64(kDestination, kDestination, sizeof(uint32_t));
  stream.add32(kCount, kCount, -1).branch_back(Condition::kGreater, kCount, loop).publish();
  run_ok(stream);
  std::vector<uint32_t> tags(pages);
  for (uint32_t i = 0; i < pages; ++i) tags[i] = result(i);
  return tags;
}

void Bench::store_tags(uint64_t va, uint32_t pages, uint32_t base) {
  Assembler stream;
  stream.move48(kDestination, va).move32(kValue, base).move32(kCount, pages);
  const size_t loop = stream.here();
  stream.store(kValue, 1, kDestination, 0).wait_all();
  stream.add64(kDestination, kDestination, kPage).add32(kValue, kValue, 1);
  stream.add32(kCount, kCount, -1).branch_back(Condition::kGreater, kCount, loop).publish();
  run_ok(stream);
}

void Bench::expect_fatal_at(Stream stream) {
  const drm_panthor_vm_state before = vm_.state();
  const Syncobj done = Syncobj::create(*device_);
  group().submit(0, stream, Syncs().signal(done));
  const int status = done.finish(kPatience);
  igt_assert_f(status == -EINVAL, "the fence says %d, not -EINVAL\n", status);
  const GroupState state = group().state();
  igt_assert_eq(state.state, DRM_PANTHOR_GROUP_STATE_FATAL_FAULT);
  igt_assert_eq(state.fatal_queues & 1, 1);
  Jobs more;
  more.add(0, stream, {});
  igt_assert_eq(group().try_submit(more), EINVAL);
  igt_assert_eq(vm_.state(), before);
  drop_group();
}

void Bench::expect_fatal(const Assembler& stream) { expect_fatal_at(place(stream)); }

void Bench::expect_load_fault(uint64_t va) {
  set_result(0, kPoison);
  expect_fatal(Assembler().copy_word(result_va(0), va).publish());
  igt_assert_eq(result(0), kPoison);
}

void Bench::expect_store_fault(uint64_t va) {
  set_result(0, kPoison);
  // The second store must never be reached.
  expect_fatal(
      Assembler().store_value(va, kPoison ^ 1).publish().store_value(result_va(0), 1).publish());
  igt_assert_eq(result(0), kPoison);
}

void Bench::expect_fetch_fault(uint64_t va) { expect_fatal_at({va, kStreamAlignment}); }

Gate::Gate(const Device& device, Syncs before)
    : vm_(Vm::create(device)),
      memory_(Bo::create(device, 2 * kPage)),
      group_(Group::create(vm_, {.queues = 2})),
      fence_(Syncobj::create(device)) {
  vm_.map_part(memory_, 0, kGateCodeVa, kPage, 0);
  vm_.map_part(memory_, kPage, kGateWordVa, kPage, kUncached);
  Assembler stream;
  stream.move48(kSource, kGateWordVa).move32(kValue, 0);
  stream.sync_wait32(WaitUntil::kGreater, kSource, kValue);
  copy_words(memory_, 0, stream);
  Assembler opener;
  opener.move48(kSource, kGateWordVa).move32(kValue, 1);
  opener.sync_set32(kSource, kValue, SyncScope::kSystem);
  copy_words(memory_, kOpenerOffset, opener);
  opener_bytes_ = opener.size_bytes();
  group_.submit(0, {kGateCodeVa, stream.size_bytes()}, before.signal(fence_));
}

void Gate::open() { group_.submit(1, {kGateCodeVa + kOpenerOffset, opener_bytes_}, {}); }

void Gate::open_and_finish() {
  open();
  igt_assert_eq(fence_.finish(kPatience), 1);
}

Assembler Heartbeat::stream(uint64_t control_va, uint64_t touched_va) {
  Assembler stream;
  stream.move48(kSource, touched_va).move48(kDestination, control_va);
  stream.move32(kCounter, 0).move32(kCount, 1);
  const size_t loop = stream.here();
  stream.load(kValue, 1, kSource, 0).wait_all();
  stream.add32(kCounter, kCounter, 1);
  stream.store(kCounter, 1, kDestination, kRounds * 4);
  stream.store(kValue, 1, kDestination, kSeen * 4);
  stream.store(kCount, 1, kDestination, kStarted * 4).wait_all();
  stream.load(kStopWord, 1, kDestination, kStop * 4).wait_all();
  stream.branch_back(Condition::kEqual, kStopWord, loop);
  return stream.publish();
}

}  // namespace gpu
