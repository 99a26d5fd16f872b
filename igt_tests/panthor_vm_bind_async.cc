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
    {"waits-for-its-fence", "A map happens after its fence and not before. [C2.1]",
     waits_for_its_fence},
    {"unmap-waits-for-its-fence", "An unmap happens after its fence and not before.",
     unmap_waits_for_its_fence},
    {"queue-is-in-order", "A blocked bind blocks what is behind it. [C2.1]", queue_is_in_order},
    {"spaces-are-independent", "A blocked bind does not block another space. [C2.2]",
     spaces_are_independent},
    {"sync-overtakes-async", "A synchronous bind does not wait for queued ones. [C2.3]",
     sync_overtakes_async},
    {"sync-unmap-under-a-queued-map", "A queued map still works after its tables were freed.",
     sync_unmap_under_a_queued_map},
    {"timeline-chain", "Binds chained by timeline points.", timeline_chain},
    {"handle-closed-while-queued", "A queued map keeps its buffer. [C5.2]",
     handle_closed_while_queued},
    {"queued-unmap-keeps-the-memory", "Until it runs, the memory stays.",
     queued_unmap_keeps_the_memory},
    {"large-queued", "64 MiB mapped behind a fence, then cut.", large_queued},
    {"interrupted", "Signals at any moment change nothing.", interrupted},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
