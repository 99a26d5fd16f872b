// SPDX-License-Identifier: MIT

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/bench.h"
#include "igt_tests/lib/cases.h"

IGT_TEST_DESCRIPTION(
    "Where command streams go: branches, loops, calls, jumps and page boundaries.");

using namespace gpu;

namespace {

// Registers of the tests, clear of the assembler's shorthands (r64..r70) and of the driver's (the
// last four).
constexpr unsigned kA = 20;
constexpr unsigned kB = 22;
constexpr unsigned kAddr = 30;  // r30:31
constexpr unsigned kLen = 32;

void branches(const Device& device) {
  Bench bench(device);
  const uint32_t values[] = {0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF};
  Assembler stream;
  uint32_t word = 0;
  for (const uint32_t value : values) {
    for (unsigned condition = 0; condition <= 6; ++condition) {
      stream.move32(kA, value).move32(kB, 1);
      const auto skip = stream.branch_forward(static_cast<Condition>(condition), kA);
      stream.move32(kB, 0);
      stream.land(skip);
      stream.store_register(bench.result_va(word++), kB);
    }
  }
  bench.run_ok(stream.publish());
  word = 0;
  for (const uint32_t value : values) {
    const auto number = static_cast<int32_t>(value);
    const bool taken[] = {number <= 0, number > 0,  number == 0, number != 0,
                          number < 0,  number >= 0, true};
    for (unsigned condition = 0; condition <= 6; ++condition) {
      igt_assert_f(bench.result(word) == (taken[condition] ? 1 : 0), "condition %u with %#x\n",
                   condition, value);
      ++word;
    }
  }
}

void loop(const Device& device) {
  constexpr uint32_t kRounds = 1000;
  Bench bench(device);
  Assembler stream;
  stream.move32(kA, kRounds).move32(kB, 0);
  const size_t top = stream.here();
  stream.add32(kB, kB, 3).add32(kA, kA, -1).branch_back(Condition::kNotEqual, kA, top);
  stream.store_register(bench.result_va(0), kB);
  bench.run_ok(stream.publish());
  igt_assert_eq(bench.result(0), 3 * kRounds);
}

void set_call(Assembler& stream, Stream target) {
  stream.move48(kAddr, target.va).move32(kLen, target.size);
}

void call_returns(const Device& device) {
  Bench bench(device);
  Assembler callee;
  callee.add32(kA, kA, 5);
  const Stream target = bench.place(callee);
  Assembler stream;
  stream.move32(kA, 100);
  set_call(stream, target);
  stream.call(kAddr, kLen).call(kAddr, kLen).add32(kA, kA, 1);
  stream.store_register(bench.result_va(0), kA);
  bench.run_ok(stream.publish());
  igt_assert_eq(bench.result(0), 111);
}

// The ring is level 1 and the job's stream level 2: six more fit.
void nested_calls(const Device& device) {
  constexpr unsigned kLevels = 6;
  Bench bench(device);
  Stream target = bench.place(Assembler().add32(kA, kA, 1));
  for (unsigned level = 1; level < kLevels; ++level) {
    Assembler stream;
    set_call(stream, target);
    stream.call(kAddr, kLen).add32(kA, kA, 16);
    target = bench.place(stream);
  }
  Assembler stream;
  stream.move32(kA, 0);
  set_call(stream, target);
  stream.call(kAddr, kLen);
  stream.store_register(bench.result_va(0), kA);
  bench.run_ok(stream.publish());
  igt_assert_eq(bench.result(0), 1 + 16 * (kLevels - 1));
}

void jump_does_not_return(const Device& device) {
  Bench bench(device);
  bench.set_result(0, 0);
  bench.set_result(1, 0);
  const Stream target = bench.place(Assembler().store_value(bench.result_va(0), 1).publish());
  Assembler stream;
  set_call(stream, target);
  stream.jump(kAddr, kLen).store_value(bench.result_va(1), 1).publish();
  bench.run_ok(stream);
  igt_assert_eq(bench.result(0), 1);
  igt_assert_eq(bench.result(1), 0);
}

// A callee that jumps returns to its caller at the end of what it jumped to.
void jump_inside_a_call(const Device& device) {
  Bench bench(device);
  const Stream last = bench.place(Assembler().add32(kA, kA, 100));
  Assembler middle;
  set_call(middle, last);
  middle.jump(kAddr, kLen).add32(kA, kA, 1000);
  const Stream first = bench.place(middle);
  Assembler stream;
  stream.move32(kA, 1);
  set_call(stream, first);
  stream.call(kAddr, kLen).add32(kA, kA, 10);
  stream.store_register(bench.result_va(0), kA);
  bench.run_ok(stream.publish());
  igt_assert_eq(bench.result(0), 111);
}

void nops(const Device& device) {
  Bench bench(device);
  Assembler stream;
  for (int i = 0; i < 1000; ++i) stream.nop();
  // What a NOP carries besides its opcode does not matter.
  stream.word(0x00FFFFFFFFFFFFFF).store_value(bench.result_va(0), 0x909).publish();
  bench.run_ok(stream);
  igt_assert_eq(bench.result(0), 0x909);
}

void streams_over_a_page_boundary(const Device& device) {
  Bench bench(device);
  Bo low = Bo::create(device, kPage);
  Bo high = Bo::create(device, kPage);
  const Assembler stream = Assembler().store_value(bench.result_va(0), 0xB0B).publish();
  bench.vm().map(low, kPlay);
  bench.vm().map(high, kPlay + kPage);
  // Only the first 8 words lie in the first page; NOPs before them.
  const auto& words = stream.words();
  for (size_t i = 0; i < words.size(); ++i) {
    const uint64_t at = kPage - 4 * 8 + i * 8;
    if (at < kPage)
      low.quads()[at / 8] = words[i];
    else
      high.quads()[(at - kPage) / 8] = words[i];
  }
  bench.set_result(0, 0);
  const Syncobj done = Syncobj::create(device);
  const uint32_t size = 64 - 4 * 8 + stream.size_bytes();
  bench.group().submit(0, {kPlay + kPage - 64, size}, Syncs().signal(done));
  igt_assert_eq(done.finish(kPatience), 1);
  igt_assert_eq(bench.result(0), 0xB0B);
}

constexpr Case kCases[] = {
    {"branches", "Each condition with each kind of number.", branches},
    {"loop", "A loop of 1000 rounds.", loop},
    {"call-returns", "A call comes back.", call_returns},
    {"nested-calls", "Calls down to the deepest level.", nested_calls},
    {"jump-does-not-return", "A jump replaces the stream.", jump_does_not_return},
    {"jump-inside-a-call", "A jump keeps the way back.", jump_inside_a_call},
    {"nops", "NOPs do nothing.", nops},
    {"stream-over-a-page-boundary", "A stream that lies in two pages.",
     streams_over_a_page_boundary},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
