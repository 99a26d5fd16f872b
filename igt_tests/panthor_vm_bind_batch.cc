// SPDX-License-Identifier: MIT

#include <cerrno>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/bench.h"
#include "igt_tests/lib/cases.h"

IGT_TEST_DESCRIPTION("Several asynchronous binds in one call: their order, fences and failures.");

using namespace gpu;

namespace {

void bind_async(Bench& bench, Binds& binds) { igt_assert_eq(bench.vm().bind_async(binds), 0); }

// Whatever was queued before has run.
void flush_bind_queue(Bench& bench) {
  const Syncobj done = Syncobj::create(bench.device());
  Binds binds;
  binds.sync_only(Syncs().signal(done));
  bind_async(bench, binds);
  igt_assert_eq(done.finish(kPatience), 1);
}

void batch_in_order(const Device& device) {
  Bench bench(device);
  Bo a = Bo::create(device, 8 * kPage);
  Bo b = Bo::create(device, 8 * kPage);
  a.tag_pages(10);
  b.tag_pages(20);
  const Syncobj done = Syncobj::create(device);
  Binds binds;
  binds.map(a, 0, kPlay, 8 * kPage, 0, {})
      .unmap(kPlay + 2 * kPage, 4 * kPage, {})
      .map(b, 0, kPlay + 3 * kPage, 2 * kPage, 0, {})
      .map(a, 7 * kPage, kPlay + 5 * kPage, kPage, 0, {})
      .unmap(kPlay, kPage, Syncs().signal(done));
  bind_async(bench, binds);
  igt_assert_eq(done.finish(kPatience), 1);
  const auto tags = bench.load_tags(kPlay + 3 * kPage, 5);
  const uint32_t expected[] = {20, 21, 17, 16, 17};
  for (uint32_t i = 0; i < 5; ++i) igt_assert_eq(tags[i], expected[i]);
  igt_assert_eq(bench.load32(kPlay + kPage), 11);
  bench.expect_load_fault(kPlay);
  bench.expect_load_fault(kPlay + 2 * kPage);
}

void large_batch(const Device& device) {
  constexpr uint32_t kOps = 256;
  Bench bench(device);
  Bo bo = Bo::create(device, kOps * kPage);
  bo.tag_pages(0);
  const Syncobj done = Syncobj::create(device);
  Binds binds;
  for (uint32_t i = 0; i < kOps; ++i) {
    Syncs syncs;
    if (i == kOps - 1) syncs.signal(done);
    // Backwards, with a distance of one block between some of them.
    binds.map(bo, (kOps - 1 - i) * kPage, kPlay + i * kPage + (i / 64) * kBlock, kPage, 0, syncs);
  }
  bind_async(bench, binds);
  igt_assert_eq(done.finish(kPatience), 1);
  for (uint32_t part = 0; part < kOps / 64; ++part) {
    const auto tags = bench.load_tags(kPlay + part * 64 * kPage + part * kBlock, 64);
    for (uint32_t i = 0; i < 64; ++i) igt_assert_eq(tags[i], kOps - 1 - (part * 64 + i));
  }
}

// Inside one batch a wait finds the signal of an earlier operation.
void batch_waits_on_itself(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, 2 * kPage);
  bo.tag_pages(8);
  const Syncobj link = Syncobj::create(device);
  const Syncobj done = Syncobj::create(device);
  Binds binds;
  binds.map(bo, 0, kPlay, kPage, 0, Syncs().signal(link))
      .map(bo, kPage, kPlay + kPage, kPage, 0, Syncs().wait(link).signal(done));
  bind_async(bench, binds);
  igt_assert_eq(done.finish(kPatience), 1);
  igt_assert_eq(bench.load32(kPlay + kPage), 9);
  igt_assert(link.is_signalled());
}

void batch_wait_on_later_signal(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, 2 * kPage);
  const Syncobj link = Syncobj::create(device);
  Binds binds;
  binds.map(bo, 0, kPlay, kPage, 0, Syncs().wait(link))
      .map(bo, kPage, kPlay + kPage, kPage, 0, Syncs().signal(link));
  igt_assert_eq(bench.vm().bind_async(binds), EINVAL);
  igt_assert_eq(link.wait(0), EINVAL);
  flush_bind_queue(bench);
  bench.expect_load_fault(kPlay);
  bench.expect_load_fault(kPlay + kPage);
}

void failing_batch_queues_nothing(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, kPage);
  const Syncobj done = Syncobj::create(device);
  drm_panthor_vm_bind_op bad{};
  bad.flags = kMap;
  bad.bo_handle = 4711;
  bad.va = kPlay + kPage;
  bad.size = kPage;
  Binds binds;
  binds.map(bo, 0, kPlay, kPage, 0, Syncs().signal(done)).raw(bad);
  igt_assert_eq(bench.vm().bind_async(binds), EINVAL);
  igt_assert_eq(done.wait(0), EINVAL);
  flush_bind_queue(bench);
  igt_assert_eq(bench.vm().state(), DRM_PANTHOR_VM_STATE_USABLE);
  bench.expect_load_fault(kPlay);
  bench.expect_load_fault(kPlay + kPage);
}

void sync_only(const Device& device) {
  Bench bench(device);
  Gate gate(device);
  Bo bo = Bo::create(device, kPage);
  const Syncobj mapped = Syncobj::create(device);
  const Syncobj done = Syncobj::create(device);
  Binds binds;
  binds.map(bo, 0, kPlay, kPage, 0, Syncs().wait(gate.fence()).signal(mapped));
  binds.sync_only(Syncs().signal(done));
  bind_async(bench, binds);
  sleep_ns(kGlance);
  igt_assert_eq(done.wait(0), ETIME);
  gate.open_and_finish();
  igt_assert_eq(done.finish(kPatience), 1);
  igt_assert(mapped.is_signalled());
  igt_assert_eq(bench.load32(kPlay), 0);
}

// Each fence tells of its own operation, not of the whole batch.
void a_fence_per_operation(const Device& device) {
  Bench bench(device);
  Gate gate(device);
  Bo bo = Bo::create(device, 2 * kPage);
  bo.tag_pages(30);
  const Syncobj first = Syncobj::create(device);
  const Syncobj second = Syncobj::create(device);
  Binds binds;
  binds.map(bo, 0, kPlay, kPage, 0, Syncs().signal(first))
      .map(bo, kPage, kPlay + kPage, kPage, 0, Syncs().wait(gate.fence()).signal(second));
  bind_async(bench, binds);
  igt_assert_eq(first.finish(kPatience), 1);
  igt_assert_eq(bench.load32(kPlay), 30);
  igt_assert_eq(second.wait(0), ETIME);
  bench.expect_load_fault(kPlay + kPage);
  gate.open_and_finish();
  igt_assert_eq(second.finish(kPatience), 1);
  igt_assert_eq(bench.load32(kPlay + kPage), 31);
}

void several_waits_and_signals(const Device& device) {
  Bench bench(device);
  Gate a(device);
  Gate b(device);
  Bo bo = Bo::create(device, kPage);
  bo.word_at(0) = 6;
  const Syncobj signalled = Syncobj::create_signalled(device);
  const Syncobj binary = Syncobj::create(device);
  const Syncobj timeline = Syncobj::create(device);
  Binds binds;
  binds.map(bo, 0, kPlay, kPage, 0,
            Syncs()
                .wait(a.fence())
                .wait(signalled)
                .wait(b.fence())
                .signal(binary)
                .signal(timeline, 10)
                .signal(timeline, 20));
  bind_async(bench, binds);
  a.open_and_finish();
  sleep_ns(kGlance);
  igt_assert_eq(binary.wait(0), ETIME);
  b.open_and_finish();
  igt_assert_eq(binary.finish(kPatience), 1);
  igt_assert_eq(timeline.wait_point(20, kPatience), 0);
  igt_assert_eq(timeline.query(), 20);
  igt_assert_eq(bench.load32(kPlay), 6);
}

void size_zero(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, kPage);
  const Syncobj done = Syncobj::create(device);
  Binds binds;
  binds.map(bo, 0, kPlay, 0, 0, {}).unmap(kPlay, 0, Syncs().signal(done));
  bind_async(bench, binds);
  igt_assert_eq(done.finish(kPatience), 1);
  igt_assert_eq(bench.vm().state(), DRM_PANTHOR_VM_STATE_USABLE);
  bench.expect_load_fault(kPlay);
}

void no_syncs(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, kPage);
  bo.word_at(0) = 12;
  Binds binds;
  binds.map(bo, 0, kPlay, kPage, 0, {});
  bind_async(bench, binds);
  flush_bind_queue(bench);
  igt_assert_eq(bench.load32(kPlay), 12);
}

void empty_array(const Device& device) {
  Bench bench(device);
  Binds binds;
  igt_assert_eq(bench.vm().bind_async(binds), 0);
}

constexpr Case kCases[] = {
    {"batch-in-order", "The operations of a batch happen in order.", batch_in_order},
    {"large-batch", "256 operations in one call.", large_batch},
    {"batch-waits-on-itself", "An operation waits for an earlier one of its batch. [A9.4]",
     batch_waits_on_itself},
    {"batch-wait-on-later-signal", "Waiting for a later operation is refused. [A9.5]",
     batch_wait_on_later_signal},
    {"failing-batch-queues-nothing", "One bad operation, and nothing happens. [A4.8]",
     failing_batch_queues_nothing},
    {"sync-only", "SYNC_ONLY signals in its turn.", sync_only},
    {"a-fence-per-operation", "Each operation has its own fence.", a_fence_per_operation},
    {"several-waits-and-signals", "All fences are awaited and all signalled.",
     several_waits_and_signals},
    {"size-zero", "Operations without size do nothing and signal. [A4.10]", size_zero},
    {"no-syncs", "Operations without fences happen all the same.", no_syncs},
    {"empty-array", "A call without operations succeeds. [A1.1]", empty_array},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
