// SPDX-License-Identifier: MIT

#include <cerrno>
#include <deque>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/cases.h"
#include "igt_tests/lib/pulse.h"

IGT_TEST_DESCRIPTION("Fences between binds, jobs, groups, spaces and files.");

using namespace gpu;

namespace {

void job_waits_for_bind(const Device& device) {
  Bench bench(device);
  Gate gate(device);
  Bo bo = Bo::create(device, kPage);
  bo.word_at(0) = 0xB1;
  const Syncobj mapped = Syncobj::create(device);
  const Syncobj done = Syncobj::create(device);
  Binds binds;
  binds.map(bo, 0, kPlay, kPage, 0, Syncs().wait(gate.fence()).signal(mapped));
  igt_assert_eq(bench.vm().bind_async(binds), 0);
  bench.group().submit(0, bench.place_copy(0, kPlay), Syncs().wait(mapped).signal(done));
  sleep_ns(kGlance);
  igt_assert_eq(done.wait(0), ETIME);
  gate.open_and_finish();
  igt_assert_eq(done.finish(kPatience), 1);
  igt_assert_eq(bench.result(0), 0xB1);
}

void unmap_waits_for_job(const Device& device) {
  Bench bench(device);
  Pulse pulse(device, kPlay, kPlay + kBlock);
  Bo bo = Bo::create(device, kPage);
  bo.word_at(0) = 0xB2;
  pulse.map_into(bench.vm());
  bench.vm().map(bo, kPlay + kBlock);
  const Syncobj finished = Syncobj::create(device);
  const Syncobj unmapped = Syncobj::create(device);
  bench.group().submit(0, pulse.stream(), Syncs().signal(finished));
  Binds binds;
  binds.unmap(kPlay + kBlock, kPage, Syncs().wait(finished).signal(unmapped));
  igt_assert_eq(bench.vm().bind_async(binds), 0);
  pulse.expect_start();
  sleep_ns(kGlance);
  pulse.expect_beat();
  igt_assert_eq(pulse.seen(), 0xB2);
  igt_assert_eq(unmapped.wait(0), ETIME);
  pulse.stop();
  igt_assert_eq(finished.finish(kPatience), 1);
  igt_assert_eq(unmapped.finish(kPatience), 1);
  bench.expect_load_fault(kPlay + kBlock);
}

// One window, mapped to one buffer after the other, with a job between each two binds.
void window_moves_between_jobs(const Device& device) {
  constexpr uint32_t kMoves = 24;
  Bench bench(device);
  Gate gate(device);
  Bo bo = Bo::create(device, kMoves * kPage);
  bo.tag_pages(0xC00);
  const Syncobj timeline = Syncobj::create(device);
  for (uint32_t i = 0; i < kMoves; ++i) {
    Syncs before;
    if (i == 0)
      before.wait(gate.fence());
    else
      before.wait(timeline, 2 * i);
    Binds binds;
    binds.map(bo, i * kPage, kPlay, kPage, 0, before.signal(timeline, 2 * i + 1));
    igt_assert_eq(bench.vm().bind_async(binds), 0);
    bench.group().submit(0, bench.place_copy(i, kPlay),
                         Syncs().wait(timeline, 2 * i + 1).signal(timeline, 2 * i + 2));
  }
  igt_assert_eq(timeline.query(), 0);
  gate.open_and_finish();
  igt_assert_eq(timeline.wait_point(2 * kMoves, kPatience), 0);
  for (uint32_t i = 0; i < kMoves; ++i) igt_assert_eq(bench.result(i), 0xC00 + i);
  igt_assert_eq(bench.group().state().state, 0);
}

// A word goes through three spaces, each with a job that waits for the one before it.
void pipeline_of_spaces(const Device& device) {
  constexpr uint32_t kStages = 3;
  Gate gate(device);
  std::deque<Bench> stages;
  std::deque<Bo> bos;
  std::deque<Syncobj> done;
  for (uint32_t i = 0; i <= kStages; ++i) bos.push_back(Bo::create(device, kPage));
  bos[0].word_at(8) = 0xF00D;
  for (uint32_t i = 0; i < kStages; ++i) {
    Bench& stage = stages.emplace_back(device);
    stage.vm().map(bos[i], kPlay);
    stage.vm().map(bos[i + 1], kPlay + kBlock);
    done.push_back(Syncobj::create(device));
    const Stream stream =
        stage.place(Assembler().copy_word(kPlay + kBlock + 8, kPlay + 8).publish());
    stage.group().submit(0, stream,
                         Syncs().wait(i == 0 ? gate.fence() : done[i - 1]).signal(done[i]));
  }
  sleep_ns(kGlance);
  igt_assert_eq(uint32_t{bos[kStages].word_at(8)}, 0);
  gate.open_and_finish();
  igt_assert_eq(done.back().finish(kPatience), 1);
  igt_assert_eq(uint32_t{bos[kStages].word_at(8)}, 0xF00D);
}

// A job in one file waits for a bind and a job in another.
void across_files(const Device& device) {
  const Device other = device.open_again();
  Bench producer(device);
  Bench consumer(other);
  Gate gate(device);
  Bo bo = Bo::create(device, kPage);
  const UniqueFd dma_buf = bo.export_fd();
  const Bo imported = Bo::import_fd(other, dma_buf.get());
  const Syncobj produced = Syncobj::create(device);
  const UniqueFd fd = produced.export_syncobj();
  drm_syncobj_handle handle{};
  handle.fd = fd.get();
  do_ioctl(other.fd(), DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &handle);
  const Syncobj awaited = Syncobj::adopt(other, handle.handle);
  producer.vm().map(bo, kPlay);
  consumer.vm().map(imported, kPlay);

  producer.group().submit(0, producer.place(Assembler().store_value(kPlay, 0xACE).publish()),
                          Syncs().wait(gate.fence()).signal(produced));
  const Syncobj consumed = Syncobj::create(other);
  consumer.group().submit(0, consumer.place_copy(0, kPlay), Syncs().wait(awaited).signal(consumed));
  sleep_ns(kGlance);
  igt_assert_eq(consumed.wait(0), ETIME);
  gate.open_and_finish();
  igt_assert_eq(consumed.finish(kPatience), 1);
  igt_assert_eq(consumer.result(0), 0xACE);
}

// 60 jobs of two groups, each waiting for the other's last.
void long_chain(const Device& device) {
  constexpr uint32_t kLinks = 60;
  Bench benches[] = {Bench(device), Bench(device)};
  Bo bo = Bo::create(device, kPage);
  for (Bench& bench : benches) bench.vm().map(bo, kPlay);
  Gate gate(device);
  const Syncobj timeline = Syncobj::create(device);
  bo.word_at(0) = 9;
  for (uint32_t i = 0; i < kLinks; ++i) {
    Bench& bench = benches[i % 2];
    Assembler stream;
    stream.move48(20, kPlay + i * 4).load(22, 1, 20, 0).wait_all();
    stream.add32(22, 22, 2).store(22, 1, 20, 4).publish();
    Syncs syncs = Syncs().signal(timeline, i + 1);
    if (i == 0)
      syncs.wait(gate.fence());
    else
      syncs.wait(timeline, i);
    bench.group().submit(0, bench.place(stream), syncs);
  }
  gate.open_and_finish();
  igt_assert_eq(timeline.wait_point(kLinks, kPatience), 0);
  for (uint32_t i = 0; i <= kLinks; ++i) igt_assert_eq(uint32_t{bo.word_at(i * 4)}, 9 + 2 * i);
}

// A bind waits for a sync_file, as a compositor hands them around.
void through_a_sync_file(const Device& device) {
  Bench bench(device);
  Pulse pulse(device, kPlay);
  pulse.map_into(bench.vm());
  Bo bo = Bo::create(device, kPage);
  bo.word_at(0) = 0x51;
  const Syncobj finished = Syncobj::create(device);
  bench.group().submit(0, pulse.stream(), Syncs().signal(finished));
  const Syncobj awaited = Syncobj::create(device);
  awaited.import_sync_file(finished.export_sync_file().get());
  const Syncobj mapped = Syncobj::create(device);
  Binds binds;
  binds.map(bo, 0, kPlay + kBlock, kPage, 0, Syncs().wait(awaited).signal(mapped));
  igt_assert_eq(bench.vm().bind_async(binds), 0);
  pulse.expect_start();
  igt_assert_eq(mapped.wait(0), ETIME);
  pulse.stop();
  igt_assert_eq(mapped.finish(kPatience), 1);
  igt_assert_eq(bench.load32(kPlay + kBlock), 0x51);
}

// Without a fence between them a job uses what is mapped when it runs.
void no_implicit_order(const Device& device) {
  Bench bench(device);
  Gate gate(device);
  Bo before = Bo::create(device, kPage);
  Bo after = Bo::create(device, kPage);
  before.word_at(0) = 1;
  after.word_at(0) = 2;
  bench.vm().map(before, kPlay);
  const Syncobj mapped = Syncobj::create(device);
  Binds binds;
  binds.map(after, 0, kPlay, kPage, 0, Syncs().wait(gate.fence()).signal(mapped));
  igt_assert_eq(bench.vm().bind_async(binds), 0);
  igt_assert_eq(bench.load32(kPlay), 1);
  gate.open_and_finish();
  igt_assert_eq(mapped.finish(kPatience), 1);
  igt_assert_eq(bench.load32(kPlay), 2);
}

constexpr Case kCases[] = {
    {"job-waits-for-bind", "A job reads what a bind that it waits for has mapped.",
     job_waits_for_bind},
    {"unmap-waits-for-job", "An unmap spares the job that it waits for.", unmap_waits_for_job},
    {"window-moves-between-jobs", "Binds and jobs in turns, 24 times.", window_moves_between_jobs},
    {"pipeline-of-spaces", "A word handed from space to space.", pipeline_of_spaces},
    {"across-files", "A job waits for a job of another file.", across_files},
    {"long-chain", "60 jobs of two groups in a chain.", long_chain},
    {"through-a-sync-file", "A bind waits for an imported sync_file.", through_a_sync_file},
    {"no-implicit-order", "A job overtakes a bind that it does not wait for. [A9.9]",
     no_implicit_order},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
