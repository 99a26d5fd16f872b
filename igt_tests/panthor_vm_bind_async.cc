// SPDX-License-Identifier: MIT

#include <cerrno>
#include <optional>
#include <vector>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/bench.h"
#include "igt_tests/lib/cases.h"

IGT_TEST_DESCRIPTION("Asynchronous binds: order, fences, batches, failures.");

using namespace gpu;

namespace {

void bind_async(Bench& bench, Binds& binds) { igt_assert_eq(bench.vm().bind_async(binds), 0); }

void map_then_read(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, kPage);
  bo.word_at(0) = 0xA51C;
  const Syncobj done = Syncobj::create(device);
  Binds binds;
  binds.map(bo, 0, kPlay, kPage, 0, Syncs().signal(done));
  bind_async(bench, binds);
  igt_assert_eq(done.finish(kPatience), 1);
  igt_assert_eq(bench.load32(kPlay), 0xA51C);
}

void unmap_then_fault(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, 2 * kPage);
  bo.tag_pages(3);
  bench.vm().map(bo, kPlay);
  igt_assert_eq(bench.load32(kPlay), 3);
  const Syncobj done = Syncobj::create(device);
  Binds binds;
  binds.unmap(kPlay, kPage, Syncs().signal(done));
  bind_async(bench, binds);
  igt_assert_eq(done.finish(kPatience), 1);
  bench.expect_load_fault(kPlay);
  igt_assert_eq(bench.load32(kPlay + kPage), 4);
}

// Nothing happens before the awaited fence, then everything does.
void waits_for_its_fence(const Device& device) {
  Bench bench(device);
  Gate gate(device);
  Bo bo = Bo::create(device, kPage);
  bo.word_at(0) = 77;
  const Syncobj done = Syncobj::create(device);
  Binds binds;
  binds.map(bo, 0, kPlay, kPage, 0, Syncs().wait(gate.fence()).signal(done));
  bind_async(bench, binds);
  sleep_ns(kGlance);
  igt_assert_eq(done.wait(0), ETIME);
  bench.expect_load_fault(kPlay);
  gate.open_and_finish();
  igt_assert_eq(done.finish(kPatience), 1);
  igt_assert_eq(bench.load32(kPlay), 77);
}

void unmap_waits_for_its_fence(const Device& device) {
  Bench bench(device);
  Gate gate(device);
  Bo bo = Bo::create(device, kPage);
  bo.word_at(0) = 78;
  bench.vm().map(bo, kPlay);
  const Syncobj done = Syncobj::create(device);
  Binds binds;
  binds.unmap(kPlay, kPage, Syncs().wait(gate.fence()).signal(done));
  bind_async(bench, binds);
  sleep_ns(kGlance);
  igt_assert_eq(bench.load32(kPlay), 78);
  gate.open_and_finish();
  igt_assert_eq(done.finish(kPatience), 1);
  bench.expect_load_fault(kPlay);
}

// A bind that waits holds back all later ones of its space, whatever they touch.
void queue_is_in_order(const Device& device) {
  Bench bench(device);
  Gate gate(device);
  Bo a = Bo::create(device, kPage);
  Bo b = Bo::create(device, kPage);
  a.word_at(0) = 1;
  b.word_at(0) = 2;
  const Syncobj first = Syncobj::create(device);
  const Syncobj second = Syncobj::create(device);
  Binds blocked;
  blocked.map(a, 0, kPlay, kPage, 0, Syncs().wait(gate.fence()).signal(first));
  bind_async(bench, blocked);
  Binds behind;
  behind.map(b, 0, kPlay + kBlock, kPage, 0, Syncs().signal(second));
  bind_async(bench, behind);
  sleep_ns(kGlance);
  igt_assert_eq(second.wait(0), ETIME);
  bench.expect_load_fault(kPlay + kBlock);
  gate.open_and_finish();
  igt_assert_eq(second.finish(kPatience), 1);
  igt_assert(first.is_signalled());
  igt_assert_eq(bench.load32(kPlay), 1);
  igt_assert_eq(bench.load32(kPlay + kBlock), 2);
}

void spaces_are_independent(const Device& device) {
  Bench stuck(device);
  Bench free(device);
  Gate gate(device);
  Bo bo = Bo::create(device, kPage);
  bo.word_at(0) = 5;
  const Syncobj stuck_done = Syncobj::create(device);
  const Syncobj free_done = Syncobj::create(device);
  Binds binds;
  binds.map(bo, 0, kPlay, kPage, 0, Syncs().wait(gate.fence()).signal(stuck_done));
  bind_async(stuck, binds);
  Binds other;
  other.map(bo, 0, kPlay, kPage, 0, Syncs().signal(free_done));
  bind_async(free, other);
  igt_assert_eq(free_done.finish(kPatience), 1);
  igt_assert_eq(free.load32(kPlay), 5);
  igt_assert_eq(stuck_done.wait(0), ETIME);
  gate.open_and_finish();
  igt_assert_eq(stuck_done.finish(kPatience), 1);
  igt_assert_eq(stuck.load32(kPlay), 5);
}

// Synchronous binds do not wait for the queue.
void sync_overtakes_async(const Device& device) {
  Bench bench(device);
  Gate gate(device);
  Bo early = Bo::create(device, kPage);
  Bo late = Bo::create(device, kPage);
  early.word_at(0) = 1;
  late.word_at(0) = 2;
  const Syncobj done = Syncobj::create(device);
  Binds binds;
  binds.map(late, 0, kPlay, kPage, 0, Syncs().wait(gate.fence()).signal(done));
  bind_async(bench, binds);
  bench.vm().map(early, kPlay);
  igt_assert_eq(bench.load32(kPlay), 1);
  gate.open_and_finish();
  igt_assert_eq(done.finish(kPatience), 1);
  igt_assert_eq(bench.load32(kPlay), 2);
}

// A synchronous unmap of everything frees tables that a queued bind counted on.
void sync_unmap_under_a_queued_map(const Device& device) {
  Bench bench(device);
  Gate gate(device);
  Bo near = Bo::create(device, 4 * kPage);
  Bo queued = Bo::create(device, 4 * kPage);
  near.tag_pages(10);
  queued.tag_pages(20);
  bench.vm().map(near, kPlay + 8 * kPage);
  const Syncobj done = Syncobj::create(device);
  Binds binds;
  binds.map(queued, 0, kPlay, 4 * kPage, 0, Syncs().wait(gate.fence()).signal(done));
  bind_async(bench, binds);
  bench.vm().unmap(kPlay, kGigabyte);
  bench.expect_load_fault(kPlay + 8 * kPage);
  gate.open_and_finish();
  igt_assert_eq(done.finish(kPatience), 1);
  const auto tags = bench.load_tags(kPlay, 4);
  for (uint32_t i = 0; i < 4; ++i) igt_assert_eq(tags[i], 20 + i);
}

// A chain of timeline points, bind by bind.
void timeline_chain(const Device& device) {
  constexpr uint32_t kLinks = 32;
  Bench bench(device);
  Gate gate(device);
  Bo bos[] = {Bo::create(device, kPage), Bo::create(device, kPage)};
  bos[0].word_at(0) = 100;
  bos[1].word_at(0) = 101;
  const Syncobj timeline = Syncobj::create(device);
  for (uint32_t i = 1; i <= kLinks; ++i) {
    Syncs syncs;
    if (i == 1)
      syncs.wait(gate.fence());
    else
      syncs.wait(timeline, i - 1);
    Binds binds;
    binds.map(bos[i % 2], 0, kPlay + i * kPage, kPage, 0, syncs.signal(timeline, i));
    bind_async(bench, binds);
  }
  igt_assert_eq(timeline.query(), 0);
  igt_assert_eq(timeline.query_last_submitted(), kLinks);
  gate.open_and_finish();
  igt_assert_eq(timeline.wait_point(kLinks, kPatience), 0);
  igt_assert_eq(timeline.query(), kLinks);
  const auto tags = bench.load_tags(kPlay + kPage, kLinks);
  for (uint32_t i = 1; i <= kLinks; ++i) igt_assert_eq(tags[i - 1], 100 + i % 2);
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
  // Nothing of it has happened.
  igt_assert_eq(link.wait(0), EINVAL);
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
  igt_assert_eq(bench.vm().state(), DRM_PANTHOR_VM_STATE_USABLE);
  bench.expect_load_fault(kPlay);
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

// The buffer is closed between the call and the bind.
void handle_closed_while_queued(const Device& device) {
  Bench bench(device);
  Gate gate(device);
  Bo bo = Bo::create(device, 2 * kPage);
  bo.tag_pages(90);
  const Syncobj done = Syncobj::create(device);
  Binds binds;
  binds.map(bo, 0, kPlay, 2 * kPage, 0, Syncs().wait(gate.fence()).signal(done));
  bind_async(bench, binds);
  bo.unmap();
  bo.close_handle();
  Bo other = Bo::create(device, 2 * kPage);
  other.tag_pages(7);
  gate.open_and_finish();
  igt_assert_eq(done.finish(kPatience), 1);
  igt_assert_eq(bench.load32(kPlay + kPage), 91);
}

// Gallium's way to free a buffer: a queued unmap, and the handle closed at once.
void queued_unmap_keeps_the_memory(const Device& device) {
  Bench bench(device);
  Gate gate(device);
  Bo bo = Bo::create(device, kPage);
  bo.word_at(0) = 55;
  bench.vm().map(bo, kPlay);
  const Syncobj timeline = Syncobj::create(device);
  Binds binds;
  binds.unmap(kPlay, kPage, Syncs().signal(timeline, 1).wait(gate.fence()));
  bind_async(bench, binds);
  bo.close_handle();
  igt_assert_eq(bench.load32(kPlay), 55);
  gate.open_and_finish();
  igt_assert_eq(timeline.wait_point(1, kPatience), 0);
  bench.expect_load_fault(kPlay);
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
  const Syncobj done = Syncobj::create(device);
  Binds fence;
  fence.sync_only(Syncs().signal(done));
  bind_async(bench, fence);
  igt_assert_eq(done.finish(kPatience), 1);
  igt_assert_eq(bench.load32(kPlay), 12);
}

void empty_array(const Device& device) {
  Bench bench(device);
  Binds binds;
  igt_assert_eq(bench.vm().bind_async(binds), 0);
}

void large_queued(const Device& device) {
  constexpr uint64_t kSize = 32 * kBlock;
  Bench bench(device);
  Gate gate(device);
  Bo bo = Bo::create(device, kSize);
  const uint64_t va = kPlay + kGigabyte - kSize / 2 + kPage;
  const Syncobj timeline = Syncobj::create(device);
  Binds binds;
  binds.map(bo, 0, va, kSize, 0, Syncs().wait(gate.fence()))
      .unmap(va + 5 * kPage, kBlock, Syncs().signal(timeline, 1));
  bind_async(bench, binds);
  gate.open_and_finish();
  igt_assert_eq(timeline.wait_point(1, kPatience), 0);
  for (const uint64_t offset : {4 * kPage, kBlock + 5 * kPage, kSize / 2, kSize - kPage}) {
    bench.store32(va + offset, static_cast<uint32_t>(offset));
    igt_assert_eq(uint32_t{bo.word_at(offset)}, static_cast<uint32_t>(offset));
  }
  bench.expect_load_fault(va + 5 * kPage);
  bench.expect_load_fault(va + kBlock + 4 * kPage);
}

void interrupted(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, kPage);
  bo.word_at(0) = 21;
  igt_while_interruptible(true) {
    const Syncobj done = Syncobj::create(device);
    Binds binds;
    binds.map(bo, 0, kPlay, kPage, 0, Syncs().signal(done));
    bind_async(bench, binds);
    igt_assert_eq(done.finish(kPatience), 1);
    igt_assert_eq(bench.load32(kPlay), 21);
    bench.vm().unmap(kPlay, kPage);
  }
}

constexpr Case kCases[] = {
    {"map-then-read", "A job finds what a queued bind mapped.", map_then_read},
    {"unmap-then-fault", "A job faults where a queued bind unmapped.", unmap_then_fault},
    {"waits-for-its-fence", "A map happens after its fence and not before.", waits_for_its_fence},
    {"unmap-waits-for-its-fence", "An unmap happens after its fence and not before.",
     unmap_waits_for_its_fence},
    {"queue-is-in-order", "A blocked bind blocks what is behind it.", queue_is_in_order},
    {"spaces-are-independent", "A blocked bind does not block another space.",
     spaces_are_independent},
    {"sync-overtakes-async", "A synchronous bind does not wait for queued ones.",
     sync_overtakes_async},
    {"sync-unmap-under-a-queued-map", "A queued map still works after its tables were freed.",
     sync_unmap_under_a_queued_map},
    {"timeline-chain", "Binds chained by timeline points.", timeline_chain},
    {"batch-in-order", "The operations of a batch happen in order.", batch_in_order},
    {"large-batch", "256 operations in one call.", large_batch},
    {"batch-waits-on-itself", "An operation waits for an earlier one of its batch.",
     batch_waits_on_itself},
    {"batch-wait-on-later-signal", "Waiting for a later operation is refused.",
     batch_wait_on_later_signal},
    {"failing-batch-queues-nothing", "One bad operation, and nothing happens.",
     failing_batch_queues_nothing},
    {"sync-only", "SYNC_ONLY signals in its turn.", sync_only},
    {"a-fence-per-operation", "Each operation has its own fence.", a_fence_per_operation},
    {"several-waits-and-signals", "All fences are awaited and all signalled.",
     several_waits_and_signals},
    {"handle-closed-while-queued", "A queued map keeps its buffer.", handle_closed_while_queued},
    {"queued-unmap-keeps-the-memory", "Until it runs, the memory stays.",
     queued_unmap_keeps_the_memory},
    {"size-zero", "Operations without size do nothing and signal.", size_zero},
    {"no-syncs", "Operations without fences happen all the same.", no_syncs},
    {"empty-array", "A call without operations succeeds.", empty_array},
    {"large-queued", "64 MiB mapped behind a fence, then cut.", large_queued},
    {"interrupted", "Signals at any moment change nothing.", interrupted},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
