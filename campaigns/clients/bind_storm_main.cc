// SPDX-License-Identifier: MIT
//
// A client that is never done: several threads bind, unbind, submit, create and destroy on one file
// until somebody kills the process, which is what campaigns/bind-storm-kill does. Each call is
// checked, so a client that ends by itself has found something. PANTRY_STORM_SEED picks what it
// does.

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <thread>

#include "campaigns/clients/dice.h"
#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/bench.h"
#include "igt_tests/lib/pulse.h"

namespace {

using namespace gpu;

// Nobody came to kill it.
constexpr int64_t kLifetime = 120 * kSecond;
constexpr uint64_t kWindow = 4 * kBlock;
constexpr uint64_t kBigBytes = 2 * kBlock;
constexpr uint64_t kPulseVa = 0x0800'0000;
// So many batches may wait in the bind queue.
constexpr uint64_t kInFlight = 24;

// Maps or unmaps some part of the window at kPlay: pages, many pages, or whole blocks.
void add_random(Binds& binds, const Bo& big, Dice& dice, const Syncs& syncs) {
  const uint64_t unit = dice.one_in(4) ? kBlock : kPage;
  const uint64_t slots = kWindow / unit;
  const uint64_t first = dice.roll(slots);
  const uint64_t most = std::min<uint64_t>(slots - first, dice.one_in(3) ? 700 : 4);
  uint64_t bytes = (1 + dice.roll(most)) * unit;
  if (dice.one_in(3)) {
    binds.unmap(kPlay + first * unit, bytes, syncs);
    return;
  }
  bytes = std::min(bytes, kBigBytes);
  const uint64_t offset = dice.roll((kBigBytes - bytes) / unit + 1) * unit;
  binds.map(big, offset, kPlay + first * unit, bytes, dice.one_in(4) ? kReadOnly : 0, syncs);
}

struct Storm {
  bool is_over() const { return over.load() || now_ns() > end; }

  const Device& device;
  Bench& bench;
  const Bo& big;
  const Syncobj& binds_done;  // a timeline, one point per batch
  const Syncobj& never;       // gets a fence when the storm is over, if at all
  uint64_t seed;
  int64_t end = now_ns() + kLifetime;
  std::atomic<bool> over{false};
};

void bind_async(const Storm& storm) {
  Dice dice(storm.seed * 11 + 1);
  for (uint64_t point = 1; !storm.is_over(); ++point) {
    Binds binds;
    for (uint64_t more = dice.roll(6); more != 0; --more) add_random(binds, storm.big, dice, {});
    add_random(binds, storm.big, dice, Syncs().signal(storm.binds_done, point));
    igt_assert_eq(storm.bench.vm().bind_async(binds), 0);
    if (point > kInFlight)
      igt_assert_eq(storm.binds_done.wait_point(point - kInFlight, kPatience), 0);
  }
}

void bind_sync(const Storm& storm) {
  Dice dice(storm.seed * 11 + 2);
  while (!storm.is_over()) {
    Binds binds;
    for (uint64_t more = 1 + dice.roll(3); more != 0; --more)
      add_random(binds, storm.big, dice, {});
    uint32_t failed_at = 0;
    igt_assert_eq(storm.bench.vm().bind_sync(binds, failed_at), 0);
  }
}

// Stores that hit the storm's window or a hole in it, and binds that wait for them.
void submit(const Storm& storm) {
  Dice dice(storm.seed * 11 + 3);
  while (!storm.is_over()) {
    const uint64_t target =
        dice.one_in(2) ? kPlay + dice.roll(kWindow / kPage) * kPage : storm.bench.result_va(0);
    const Stream stream = storm.bench.place(Assembler().store_value(target, 1).publish());
    const Syncobj done = Syncobj::create(storm.device);
    const Syncobj bound = Syncobj::create(storm.device);
    storm.bench.group().submit(0, stream, Syncs().signal(done));
    Binds binds;
    add_random(binds, storm.big, dice, Syncs().wait(done).signal(bound));
    igt_assert_eq(storm.bench.vm().bind_async(binds), 0);
    igt_assert_eq(bound.wait(kPatience), 0);
    if (done.finish(kPatience) != 1) storm.bench.drop_group();
  }
}

// Files, spaces, buffers and descriptors that come and go.
void churn(const Storm& storm) {
  Dice dice(storm.seed * 11 + 4);
  while (!storm.is_over()) {
    const Device other = storm.device.open_again();
    Vm vm = Vm::create(other);
    const Bo bo = Bo::create(other, kBlock);
    vm.map(bo, kPlay);
    const UniqueFd dma_buf = bo.export_fd();
    const Syncobj done = Syncobj::create(other);
    Binds binds;
    binds.unmap(kPlay + dice.roll(512) * kPage, kPage, Syncs().signal(done));
    igt_assert_eq(vm.bind_async(binds), 0);
    const UniqueFd syncobj = done.export_syncobj();
    const UniqueFd sync_file = done.export_sync_file();
    const Group group = Group::create_simple(vm);
    if (dice.one_in(2)) sleep_ns(static_cast<int64_t>(dice.roll(4)) * kMillisecond);
  }
}

// In the middle of a wait that never ends.
void wait_forever(const Storm& storm) {
  const int number = storm.never.wait_for_submit(kLifetime);
  igt_assert(number == ETIME || storm.over.load());
}

}  // namespace

IGT_TEST_DESCRIPTION(
    "Binds, jobs and objects without end, for whoever wants to kill a busy client");

igt_simple_main {
  const char* const text = getenv("PANTRY_STORM_SEED");
  const uint64_t seed = text ? strtoull(text, nullptr, 0) : 1;
  const Device device = Device::open_render();
  Bench bench(device);
  const Bo big = Bo::create(device, kBigBytes);
  const Syncobj binds_done = Syncobj::create(device);
  const Syncobj never = Syncobj::create(device);
  Storm storm{device, bench, big, binds_done, never, seed};
  // A job that runs until it is stopped: with the client, or by the driver's limit.
  Pulse pulse(device, kPulseVa);
  if (seed % 2 == 0) {
    pulse.map_into(bench.vm());
    bench.group().submit(0, pulse.stream(), {});
    pulse.expect_start();
    bench.drop_group();
  }
  std::vector<std::thread> threads;
  for (void (*body)(const Storm&) : {bind_async, bind_sync, submit, churn, wait_forever})
    threads.emplace_back([&storm, body] { body(storm); });
  // A thread that fails ends alone; the others would rage on as if nothing had happened.
  bool failed = false;
  while (!failed && !storm.is_over()) {
    sleep_ns(kMillisecond);
    failed = igt::take_thread_failure();
  }
  storm.over = true;
  never.signal();
  for (std::thread& thread : threads) thread.join();
  igt_assert_f(!failed, "a thread has failed\n");
  igt_assert_f(false, "nobody killed the storm\n");
}
