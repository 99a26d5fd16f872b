// SPDX-License-Identifier: MIT

#include <sys/mman.h>

#include <cerrno>
#include <cstdlib>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/bench.h"
#include "igt_tests/lib/cases.h"
#include "igt_tests/lib/pulse.h"

IGT_TEST_DESCRIPTION("What command streams do, instruction by instruction.");

using namespace gpu;

namespace {

// Registers of the tests, clear of the assembler's shorthands (r64..r70) and of the driver's (the
// last four).
constexpr unsigned kA = 20;
constexpr unsigned kB = 22;
constexpr unsigned kC = 24;
constexpr unsigned kAddr = 30;  // r30:31
constexpr unsigned kLen = 32;

void store_golden(const Device& device) {
  // The very stream of a test that runs on hardware: VA 0x1001000, value 0xDEADBEEF.
  Bench bench(device);
  Bo bo = Bo::create(device, kPage);
  bench.vm().map(bo, kPlay);
  Assembler stream;
  stream.move48(68, kPlay).move32(70, 0xDEADBEEF).store(70, 1, 68, 0).wait_all();
  stream.move32(70, 0).flush_cache(70, 1).wait_all();
  bench.run_ok(stream);
  igt_assert_eq(uint32_t{bo.word_at(0)}, 0xDEADBEEF);
  igt_assert_eq(uint32_t{bo.word_at(4)}, 0);
}

void move48_clears_the_top(const Device& device) {
  Bench bench(device);
  Assembler stream;
  stream.move32(kA, ~0U).move32(kA + 1, ~0U).move48(kA, 0xABCD'1234'5678);
  stream.store_register(bench.result_va(0), kA);
  stream.store_register(bench.result_va(1), kA + 1);
  bench.run_ok(stream.publish());
  igt_assert_eq(bench.result(0), 0x12345678);
  igt_assert_eq(bench.result(1), 0xABCD);
}

void add32(const Device& device) {
  Bench bench(device);
  const struct {
    uint32_t start;
    int32_t value;
    uint32_t sum;
  } cases[] = {{5, 7, 12}, {5, -7, 0xFFFFFFFE}, {0xFFFFFFFF, 1, 0}, {0x80000000, -1, 0x7FFFFFFF}};
  Assembler stream;
  uint32_t word = 0;
  for (const auto& each : cases) {
    stream.move32(kA + 1, 0x55).move32(kA, each.start).add32(kB, kA, each.value);
    stream.store_register(bench.result_va(word++), kB);
    stream.store_register(bench.result_va(word++), kA);
  }
  bench.run_ok(stream.publish());
  word = 0;
  for (const auto& each : cases) {
    igt_assert_eq(bench.result(word++), each.sum);
    igt_assert_eq(bench.result(word++), each.start);
  }
}

void add64(const Device& device) {
  Bench bench(device);
  const struct {
    uint64_t start;
    int32_t value;
  } cases[] = {{0xFFFFFFFF, 1},
               {0x1'0000'0000, -1},
               {0, -1},
               {0x1234'5678'9ABC'DEF0, 0x7FFFFFFF},
               {5, -2147483647}};
  Assembler stream;
  uint32_t word = 0;
  for (const auto& each : cases) {
    stream.move64(kA, each.start).add64(kB, kA, each.value);
    stream.store_register(bench.result_va(word++), kB);
    stream.store_register(bench.result_va(word++), kB + 1);
  }
  bench.run_ok(stream.publish());
  word = 0;
  for (const auto& each : cases) {
    const uint64_t low = bench.result(word++);
    const uint64_t high = bench.result(word++);
    igt_assert_eq(high << 32 | low, each.start + static_cast<uint64_t>(int64_t{each.value}));
  }
}

void umin32(const Device& device) {
  Bench bench(device);
  const uint32_t pairs[][2] = {
      {1, 2}, {2, 1}, {7, 7}, {0xFFFFFFFF, 1}, {0x80000000, 0x7FFFFFFF}, {0, 0xFFFFFFFF}};
  Assembler stream;
  uint32_t word = 0;
  for (const auto& pair : pairs) {
    stream.move32(kA, pair[0]).move32(kB, pair[1]).umin32(kC, kA, kB);
    stream.store_register(bench.result_va(word++), kC);
  }
  bench.run_ok(stream.publish());
  word = 0;
  for (const auto& pair : pairs) {
    igt_assert_eq(bench.result(word++), pair[0] < pair[1] ? pair[0] : pair[1]);
  }
}

void load_and_store_many(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, kPage);
  for (uint32_t i = 0; i < 64; ++i) bo.words()[i] = 0x1000 + i;
  bench.vm().map(bo, kPlay);
  for (unsigned count = 1; count <= 16; ++count) {
    Assembler stream;
    stream.move48(kAddr, kPlay).load(0, count, kAddr, 64).wait_all();
    stream.move48(kAddr, kPlay + 0x800).store(0, count, kAddr, 0).wait_all().publish();
    bench.run_ok(stream);
    for (uint32_t i = 0; i < 20; ++i) {
      igt_assert_eq(uint32_t{bo.word_at(0x800 + i * 4)}, i < count ? 0x1010 + i : 0);
    }
    for (uint32_t i = 0; i < 20; ++i) bo.word_at(0x800 + i * 4) = 0;
  }
}

void negative_offsets(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, kPage);
  bo.word_at(kPage - 8) = 0x4E66;
  bench.vm().map(bo, kPlay);
  Assembler stream;
  stream.move48(kAddr, kPlay + kPage).load(kA, 1, kAddr, -8).wait_all();
  stream.store(kA, 1, kAddr, -4096).wait_all().publish();
  bench.run_ok(stream);
  igt_assert_eq(uint32_t{bo.word_at(0)}, 0x4E66);
}

// One instruction whose words lie in two pages, of two buffers.
void load_over_a_page_boundary(const Device& device) {
  Bench bench(device);
  Bo low = Bo::create(device, kPage);
  Bo high = Bo::create(device, kPage);
  for (uint32_t i = 0; i < 4; ++i) {
    low.word_at(kPage - 16 + i * 4) = 10 + i;
    high.word_at(i * 4) = 20 + i;
  }
  bench.vm().map(low, kPlay);
  bench.vm().map(high, kPlay + kPage);
  Assembler stream;
  stream.move48(kAddr, kPlay + kPage - 16).load(0, 8, kAddr, 0).wait_all();
  stream.move48(kAddr, bench.result_va(0)).store(0, 8, kAddr, 0).wait_all().publish();
  bench.run_ok(stream);
  for (uint32_t i = 0; i < 8; ++i) igt_assert_eq(bench.result(i), i < 4 ? 10 + i : 20 + i - 4);
}

void set_registers_survive(const Device& device) {
  Bench bench(device);
  // Registers but the last four keep their values from one job of a queue to the next.
  Assembler first;
  for (unsigned reg = 0; reg < 60; ++reg) first.move32(reg, 0x700 + reg);
  bench.run_ok(first);
  Assembler second;
  second.move48(62, bench.result_va(0));
  for (unsigned reg = 0; reg < 60; reg += 4) {
    second.store(reg, 4, 62, static_cast<int16_t>(reg * 4));
  }
  bench.run_ok(second.publish());
  for (unsigned reg = 0; reg < 60; ++reg) igt_assert_eq(bench.result(reg), 0x700 + reg);
}

void scoreboard_selection(const Device& device) {
  Bench bench(device);
  Assembler stream;
  for (unsigned slot = 0; slot < 8; ++slot) {
    stream.select_scoreboards(2, slot).move48(kAddr, bench.result_va(slot)).move32(kA, 40 + slot);
    stream.store(kA, 1, kAddr, 0).wait(static_cast<uint8_t>(1U << slot));
    stream.load(kB, 1, kAddr, 0).wait(static_cast<uint8_t>(1U << slot));
    stream.store_register(bench.result_va(16 + slot), kB);
  }
  bench.run_ok(stream.publish());
  for (unsigned slot = 0; slot < 8; ++slot) {
    igt_assert_eq(bench.result(slot), 40 + slot);
    igt_assert_eq(bench.result(16 + slot), 40 + slot);
  }
}

void sync_objects_32(const Device& device) {
  Bench bench(device);
  for (const SyncScope scope : {SyncScope::kSystem, SyncScope::kGroup}) {
    Assembler stream;
    stream.move48(kAddr, bench.result_va(0)).move32(kA, 1000).sync_set32(kAddr, kA, scope);
    stream.move32(kA, 24).sync_add32(kAddr, kA, scope).sync_add32(kAddr, kA, scope);
    bench.set_result(0, 5);
    bench.set_result(1, 0);
    bench.set_result(2, 77);
    bench.run_ok(stream.publish());
    igt_assert_eq(bench.result(0), 1048);
    igt_assert_eq(bench.result(1), 0);
    igt_assert_eq(bench.result(2), 77);
  }
}

void sync_objects_64(const Device& device) {
  Bench bench(device);
  Assembler stream;
  stream.move48(kAddr, bench.result_va(0)).move64(kA, 0x1'FFFF'FFFF);
  stream.sync_set64(kAddr, kA, SyncScope::kSystem).move64(kA, 2);
  stream.sync_add64(kAddr, kA, SyncScope::kGroup);
  for (uint32_t i = 0; i < 6; ++i) bench.set_result(i, i < 4 ? 0 : 66);
  bench.run_ok(stream.publish());
  igt_assert_eq(bench.result(0), 1);
  igt_assert_eq(bench.result(1), 2);
  igt_assert_eq(bench.result(2), 0);
  igt_assert_eq(bench.result(4), 66);
}

void sync_wait_satisfied(const Device& device) {
  Bench bench(device);
  for (uint32_t i = 0; i < 8; ++i) bench.set_result(i, 0);
  Assembler stream;
  stream.move48(kAddr, bench.result_va(0)).move64(kA, 7);
  stream.sync_set32(kAddr, kA, SyncScope::kGroup);
  stream.move32(kB, 6).sync_wait32(WaitUntil::kGreater, kAddr, kB);
  stream.move32(kB, 7).sync_wait32(WaitUntil::kLessOrEqual, kAddr, kB);
  stream.move48(kAddr, bench.result_va(4)).sync_set64(kAddr, kA, SyncScope::kGroup);
  stream.move64(kB, 6).sync_wait64(WaitUntil::kGreater, kAddr, kB);
  stream.move64(kB, 7).sync_wait64(WaitUntil::kLessOrEqual, kAddr, kB);
  stream.store_value(bench.result_va(10), 0x600D).publish();
  bench.run_ok(stream);
  igt_assert_eq(bench.result(10), 0x600D);
}

void timestamps(const Device& device) {
  Bench bench(device);
  constexpr uint64_t kUntouched = 0xDEAD'BEEF'DEAD'BEEF;
  for (uint32_t i = 0; i < 8; ++i) bench.set_result(i, 0xDEADBEEF);
  Assembler stream;
  stream.move48(kAddr, bench.result_va(0)).store_state(State::kTimestamp, kAddr, 0);
  stream.store_state(State::kCycleCount, kAddr, 8);
  stream.move32(kA, 2000);
  const size_t top = stream.here();
  stream.add32(kA, kA, -1).branch_back(Condition::kNotEqual, kA, top);
  stream.store_state(State::kTimestamp, kAddr, 16);
  stream.store_state(State::kCycleCount, kAddr, 24).publish();
  bench.run_ok(stream);
  const auto stored = [&](uint32_t place) {
    return uint64_t{bench.result(2 * place + 1)} << 32 | bench.result(2 * place);
  };
  for (uint32_t place = 0; place < 4; ++place) igt_assert_neq(stored(place), kUntouched);
  igt_assert_neq(stored(0), 0);
  igt_assert_lt(stored(0), stored(2));
  // The cycles stand still unless the driver has switched their counter on, which it need not do.
  igt_assert_lte(stored(1), stored(3));
}

// The register that counts flushes, as every client may read it.
class FlushId {
 public:
  explicit FlushId(const Device& device)
      : page_(mmap(nullptr, kPage, PROT_READ, MAP_SHARED, device.fd(),
                   static_cast<off_t>(DRM_PANTHOR_USER_FLUSH_ID_MMIO_OFFSET))) {
    igt_assert(page_ != MAP_FAILED);
  }
  ~FlushId() { munmap(page_, kPage); }
  FlushId(const FlushId&) = delete;
  FlushId& operator=(const FlushId&) = delete;

  uint32_t read() const { return *static_cast<volatile uint32_t*>(page_); }
  uint32_t flushes_since(uint32_t id) const { return (read() - id) & 0x00FF'FFFF; }

 private:
  void* page_;
};

// The second one finds nothing left to clean, and counts all the same.
void flush_twice(const Device& device) {
  Bench bench(device);
  bench.store32(bench.result_va(0), 1);
  igt_assert_eq(bench.result(0), 1);
  // The id cannot be read while the GPU sleeps, so something runs all the time.
  Bench awake(device);
  Pulse pulse(device, kPlay);
  pulse.map_into(awake.vm());
  awake.group().submit(0, pulse.stream(), {});
  pulse.expect_start();
  const FlushId id(device);
  const uint32_t old = id.read();
  bench.run_ok(Assembler().publish());
  igt_assert_lt(0, id.flushes_since(old));
  // A job that says when its data was last flushed is spared the driver's own flush.
  const uint32_t before = id.read();
  const Syncobj done = Syncobj::create(device);
  Jobs jobs;
  jobs.add(0, bench.place(Assembler().publish().publish()), Syncs().signal(done));
  jobs.submits().back().latest_flush = old;
  igt_assert_eq(bench.group().try_submit(jobs), 0);
  igt_assert_eq(done.finish(kPatience), 1);
  igt_assert_lte(2, id.flushes_since(before));
}

void error_barrier(const Device& device) {
  Bench bench(device);
  bench.run_ok(
      Assembler().error_barrier().store_value(bench.result_va(0), 8).error_barrier().publish());
  igt_assert_eq(bench.result(0), 8);
}

// A stream of 64 KiB that copies a page of random words.
void copy_a_page(const Device& device) {
  Bench bench(device);
  Bo from = Bo::create(device, kPage);
  Bo to = Bo::create(device, kPage);
  bench.vm().map(from, kPlay);
  bench.vm().map(to, kPlay + kGigabyte);
  for (uint32_t i = 0; i < 1024; ++i) from.words()[i] = static_cast<uint32_t>(random());
  Assembler stream;
  stream.move48(kAddr, kPlay).move48(kLen, kPlay + kGigabyte);
  for (uint32_t i = 0; i < 64; ++i) {
    const auto offset = static_cast<int16_t>(i * 64);
    stream.load(0, 16, kAddr, offset).wait_all().store(0, 16, kLen, offset).wait_all();
  }
  bench.run_ok(stream.publish());
  for (uint32_t i = 0; i < 1024; ++i)
    igt_assert_eq(uint32_t{to.words()[i]}, uint32_t{from.words()[i]});
}

constexpr Case kCases[] = {
    {"store-golden", "A known stream stores its word.", store_golden},
    {"move48", "MOVE clears the upper 16 bits.", move48_clears_the_top},
    {"add32", "Addition of 32 bits wraps and leaves its source.", add32},
    {"add64", "Addition of 64 bits carries and extends the sign.", add64},
    {"umin32", "The smaller of two unsigned numbers.", umin32},
    {"load-and-store-many", "1 to 16 registers at a time.", load_and_store_many},
    {"negative-offsets", "Offsets reach backwards.", negative_offsets},
    {"load-over-a-page-boundary", "One load from two pages.", load_over_a_page_boundary},
    {"registers-survive", "Registers keep their values between jobs. [E2.1]",
     set_registers_survive},
    {"scoreboard-selection", "Loads and stores on each scoreboard.", scoreboard_selection},
    {"sync-objects-32", "SYNC_SET32 and SYNC_ADD32.", sync_objects_32},
    {"sync-objects-64", "SYNC_SET64 and SYNC_ADD64.", sync_objects_64},
    {"sync-wait-satisfied", "A wait whose condition holds goes on.", sync_wait_satisfied},
    {"timestamps", "Time goes on, and cycles do not run backwards.", timestamps},
    {"flush-twice", "Each flush moves the flush id, even with nothing to clean.", flush_twice},
    {"error-barrier", "A barrier without an error.", error_barrier},
    {"copy-a-page", "1024 words through 16 registers.", copy_a_page},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
