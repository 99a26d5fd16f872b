// SPDX-License-Identifier: MIT

#include <sys/mman.h>

#include <cerrno>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/bench.h"
#include "igt_tests/lib/cases.h"

IGT_TEST_DESCRIPTION(
    "A device that nobody uses is suspended: whoever comes back finds everything as it was.");

using namespace gpu;

namespace {

constexpr unsigned kFirst = 0;
constexpr unsigned kCount = 60;
constexpr unsigned kAddress = 62;
constexpr uint64_t kWords = kPlay;

// The page of the flush id says whether the device is suspended: then it reads 1.
class Power {
 public:
  explicit Power(const Device& device)
      : page_(mmap(nullptr, kPage, PROT_READ, MAP_SHARED, device.fd(),
                   static_cast<off_t>(DRM_PANTHOR_USER_FLUSH_ID_MMIO_OFFSET))) {
    igt_assert(page_ != MAP_FAILED);
  }
  ~Power() { munmap(page_, kPage); }
  Power(const Power&) = delete;
  Power& operator=(const Power&) = delete;

  // Each job flushes, so that the id of a device that runs is soon another.
  void expect_on(Bench& bench) {
    igt_assert(wait_until(kPatience, [&] {
      bench.run_ok(Assembler().publish());
      return read() != kSuspended;
    }));
  }
  void expect_suspended() {
    igt_assert(wait_until(kPatience, [&] { return read() == kSuspended; }));
  }

 private:
  static constexpr uint32_t kSuspended = 1;
  uint32_t read() const { return *static_cast<volatile uint32_t*>(page_); }

  void* page_;
};

// While it is suspended they exist in the group's suspend buffer only.
void registers(const Device& device) {
  Bench bench(device);
  Power power(device);
  power.expect_on(bench);
  for (uint32_t round = 1; round <= 3; ++round) {
    Assembler fill;
    for (unsigned reg = kFirst; reg < kCount; ++reg) fill.move32(reg, round << 16 | reg);
    bench.run_ok(fill);
    power.expect_suspended();
    Assembler dump;
    dump.move48(kAddress, bench.result_va(0));
    for (unsigned reg = kFirst; reg < kCount; reg += 4)
      dump.store(reg, 4, kAddress, static_cast<int16_t>(reg * 4));
    bench.run_ok(dump.publish());
    for (unsigned reg = kFirst; reg < kCount; ++reg)
      igt_assert_eq(bench.result(reg), round << 16 | reg);
    power.expect_on(bench);
  }
}

// Address spaces are switched off, and their tables are still right when they come back.
void mappings(const Device& device) {
  Bench bench(device);
  Power power(device);
  Bo kept = Bo::create(device, kPage);
  Bo added = Bo::create(device, kPage);
  bench.vm().map(kept, kPlay);
  power.expect_on(bench);
  bench.store32(kPlay, 0x11);
  power.expect_suspended();
  // Nothing of it is flushed, since there is no space that knows of it.
  bench.vm().map(added, kPlay + kBlock);
  bench.vm().unmap(kPlay, kPage);
  bench.store32(kPlay + kBlock, 0x22);
  igt_assert_eq(bench.load32(kPlay + kBlock), 0x22);
  igt_assert_eq(kept.words()[0], 0x11);
  bench.expect_load_fault(kPlay);
}

// A group that waits on the GPU does not keep it awake, and is found again.
void waiting_group(const Device& device) {
  Bench bench(device);
  Bench other(device);
  Bo words = Bo::create(device, kPage);
  for (Bench* each : {&bench, &other})
    each->vm().map_part(words, 0, kWords, kPage, kUncached | kNoExec);
  Power power(device);
  power.expect_on(bench);
  bench.set_result(0, 0);
  const Syncobj done = Syncobj::create(device);
  Assembler waiter;
  waiter.move32(kFirst, 0x5AFE).move48(20, kWords).move32(22, 41);
  waiter.sync_wait32(WaitUntil::kGreater, 20, 22);
  waiter.store_register(bench.result_va(0), kFirst).publish();
  bench.group().submit(0, bench.place(waiter), Syncs().signal(done));
  power.expect_suspended();
  igt_assert_eq(done.wait(0), ETIME);
  other.run_ok(
      Assembler().move48(20, kWords).move32(22, 42).sync_set32(20, 22, SyncScope::kSystem));
  igt_assert_eq(done.finish(kPatience), 1);
  igt_assert_eq(bench.result(0), 0x5AFE);
}

// Every time anew, with a group that comes and one that goes while the device sleeps.
void groups_that_come_and_go(const Device& device) {
  Bench bench(device);
  Power power(device);
  power.expect_on(bench);
  for (uint32_t round = 1; round <= 3; ++round) {
    bench.store32(bench.result_va(0), round);
    power.expect_suspended();
    bench.drop_group();
    bench.store32(bench.result_va(1), round);
    igt_assert_eq(bench.result(0), round);
    igt_assert_eq(bench.result(1), round);
    power.expect_on(bench);
  }
}

constexpr Case kCases[] = {
    {"registers", "A group finds its registers as it left them.", registers},
    {"mappings", "What was mapped and unmapped meanwhile counts.", mappings},
    {"waiting-group", "A SYNC_WAIT is released after it.", waiting_group},
    {"groups-that-come-and-go", "Meanwhile a group ends and another begins.",
     groups_that_come_and_go},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
