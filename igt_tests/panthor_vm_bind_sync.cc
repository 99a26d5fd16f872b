// SPDX-License-Identifier: MIT

#include <cerrno>
#include <cstdlib>
#include <vector>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/bench.h"
#include "igt_tests/lib/cases.h"

IGT_TEST_DESCRIPTION("Synchronous binds: what a job finds behind each of them.");

using namespace gpu;

namespace {

void map_one_page(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, kPage);
  bo.word_at(0) = 0x11223344;
  bo.word_at(kPage - 4) = 0x55667788;
  bench.vm().map(bo, kPlay);
  igt_assert_eq(bench.load32(kPlay), 0x11223344);
  igt_assert_eq(bench.load32(kPlay + kPage - 4), 0x55667788);
  bench.store32(kPlay + 0x800, 0xCAFE);
  igt_assert_eq(uint32_t{bo.word_at(0x800)}, 0xCAFE);
}

void unmap_one_page(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, 3 * kPage);
  bo.tag_pages(1);
  bench.vm().map(bo, kPlay);
  igt_assert_eq(bench.load32(kPlay + kPage), 2);
  bench.vm().unmap(kPlay + kPage, kPage);
  bench.expect_load_fault(kPlay + kPage);
  bench.expect_store_fault(kPlay + kPage + 0xFF0);
  igt_assert_eq(bench.load32(kPlay), 1);
  igt_assert_eq(bench.load32(kPlay + 2 * kPage), 3);
  igt_assert_eq(uint32_t{bo.word_at(kPage + 0xFF0)}, 0);
}

void neighbours_fault(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, kPage);
  bo.word_at(0) = 9;
  bench.vm().map(bo, kPlay);
  igt_assert_eq(bench.load32(kPlay), 9);
  bench.expect_load_fault(kPlay - 4);
  bench.expect_load_fault(kPlay + kPage);
  bench.expect_store_fault(kPlay + kPage);
}

void unmap_of_nothing(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, kPage);
  bo.word_at(0) = 3;
  bench.vm().unmap(kPlay, kPage);
  bench.vm().unmap(kPlay, 64 * kGigabyte);
  bench.vm().map(bo, kPlay);
  bench.vm().unmap(kPlay + kPage, kBlock);
  igt_assert_eq(bench.load32(kPlay), 3);
  bench.vm().unmap(kPlay, kPage);
  bench.vm().unmap(kPlay, kPage);
  bench.expect_load_fault(kPlay);
}

void unmap_everything(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, 2 * kPage);
  bo.tag_pages(5);
  const uint64_t places[] = {kPlay, kPlay + kBlock, kPlay + 3 * kGigabyte, kPlay + kTopWindow};
  for (const uint64_t va : places) bench.vm().map(bo, va);
  for (const uint64_t va : places) igt_assert_eq(bench.load32(va + kPage), 6);
  bench.vm().unmap(kPlay, 2 * kTopWindow);
  for (const uint64_t va : places) bench.expect_load_fault(va + kPage);
}

void offset_into_buffer(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, 16 * kPage);
  bo.tag_pages(100);
  bench.vm().map_part(bo, 5 * kPage, kPlay, 3 * kPage, 0);
  const auto tags = bench.load_tags(kPlay, 3);
  for (uint32_t i = 0; i < 3; ++i) igt_assert_eq(tags[i], 105 + i);
  bench.store_tags(kPlay, 3, 200);
  for (uint32_t i = 0; i < 16; ++i) {
    igt_assert_eq(uint32_t{bo.word_at(i * kPage)}, i >= 5 && i < 8 ? 200 + i - 5 : 100 + i);
  }
  bench.expect_load_fault(kPlay + 3 * kPage);
}

void same_buffer_twice(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, 4 * kPage);
  bench.vm().map(bo, kPlay);
  bench.vm().map(bo, kPlay + kBlock);
  bench.store_tags(kPlay, 4, 10);
  auto tags = bench.load_tags(kPlay + kBlock, 4);
  for (uint32_t i = 0; i < 4; ++i) igt_assert_eq(tags[i], 10 + i);
  bench.store_tags(kPlay + kBlock, 4, 20);
  tags = bench.load_tags(kPlay, 4);
  for (uint32_t i = 0; i < 4; ++i) igt_assert_eq(tags[i], 20 + i);
  bench.vm().unmap(kPlay, bo.size());
  igt_assert_eq(bench.load32(kPlay + kBlock), 20);
  bench.expect_load_fault(kPlay);
}

// A ring alias: the buffer twice in a row, so that its end runs into its beginning.
void same_buffer_back_to_back(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, 4 * kPage);
  bo.tag_pages(1);
  Binds binds;
  binds.map(bo, 0, kPlay, bo.size(), 0, {}).map(bo, 0, kPlay + bo.size(), bo.size(), 0, {});
  uint32_t failed_at = 0;
  igt_assert_eq(bench.vm().bind_sync(binds, failed_at), 0);
  const auto tags = bench.load_tags(kPlay + 2 * kPage, 4);
  const uint32_t expected[] = {3, 4, 1, 2};
  for (uint32_t i = 0; i < 4; ++i) igt_assert_eq(tags[i], expected[i]);
}

void every_page_of_one_buffer_reversed(const Device& device) {
  constexpr uint32_t kPages = 64;
  Bench bench(device);
  Bo bo = Bo::create(device, kPages * kPage);
  bo.tag_pages(0);
  Binds binds;
  for (uint32_t i = 0; i < kPages; ++i) {
    binds.map(bo, (kPages - 1 - i) * kPage, kPlay + i * kPage, kPage, 0, {});
  }
  uint32_t failed_at = 0;
  igt_assert_eq(bench.vm().bind_sync(binds, failed_at), 0);
  const auto tags = bench.load_tags(kPlay, kPages);
  for (uint32_t i = 0; i < kPages; ++i) igt_assert_eq(tags[i], kPages - 1 - i);
}

void readonly_loads_and_faults(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, kPage);
  bo.word_at(0) = 0x600D;
  bench.vm().map_part(bo, 0, kPlay, kPage, kReadOnly);
  igt_assert_eq(bench.load32(kPlay), 0x600D);
  bench.expect_store_fault(kPlay);
  igt_assert_eq(uint32_t{bo.word_at(0)}, 0x600D);
  igt_assert_eq(bench.load32(kPlay), 0x600D);
}

void readonly_block_faults(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, kBlock);
  bo.tag_pages(1);
  bench.vm().map_part(bo, 0, kPlay, kBlock, kReadOnly);
  igt_assert_eq(bench.load32(kPlay + 300 * kPage), 301);
  bench.expect_store_fault(kPlay + 300 * kPage);
  igt_assert_eq(uint32_t{bo.word_at(300 * kPage)}, 301);
}

void readonly_and_writable_alias(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, kPage);
  bench.vm().map_part(bo, 0, kPlay, kPage, kReadOnly);
  bench.vm().map_part(bo, 0, kPlay + kPage, kPage, 0);
  bench.store32(kPlay + kPage, 0x77);
  igt_assert_eq(bench.load32(kPlay), 0x77);
  bench.expect_store_fault(kPlay);
  igt_assert_eq(uint32_t{bo.word_at(0)}, 0x77);
}

void readonly_taken_away_by_remap(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, kPage);
  bench.vm().map_part(bo, 0, kPlay, kPage, kReadOnly);
  bench.expect_store_fault(kPlay);
  bench.vm().map_part(bo, 0, kPlay, kPage, 0);
  bench.store32(kPlay, 0x1234);
  igt_assert_eq(uint32_t{bo.word_at(0)}, 0x1234);
  bench.vm().map_part(bo, 0, kPlay, kPage, kReadOnly);
  igt_assert_eq(bench.load32(kPlay), 0x1234);
  bench.expect_store_fault(kPlay);
}

// Puts a stream that stores `value` to result word 3 at the start of `bo`.
uint32_t write_stream(Bo& bo, const Bench& bench, uint32_t value) {
  const Assembler stream = Assembler().store_value(bench.result_va(3), value).publish();
  for (size_t i = 0; i < stream.words().size(); ++i) bo.quads()[i] = stream.words()[i];
  return stream.size_bytes();
}

int run_at(Bench& bench, Stream stream) {
  const Syncobj done = Syncobj::create(bench.device());
  bench.group().submit(0, stream, Syncs().signal(done));
  return done.finish(kPatience);
}

// NOEXEC is about shader programs. The front end that fetches streams only reads, from its ring as
// from a client's buffer, and clients map their streams NOEXEC.
void noexec_streams_run(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, kPage);
  const uint32_t size = write_stream(bo, bench, 0xE8EC);
  bench.vm().map_part(bo, 0, kPlay, kPage, 0);
  bench.vm().map_part(bo, 0, kPlay + kPage, kPage, kNoExec);
  bench.vm().map_part(bo, 0, kPlay + 2 * kPage, kPage, kReadOnly);
  for (uint64_t page = 0; page < 3; ++page) {
    bench.set_result(3, 0);
    igt_assert_eq(run_at(bench, {kPlay + page * kPage, size}), 1);
    igt_assert_eq(bench.result(3), 0xE8EC);
  }
  bench.store32(kPlay + kPage + 0x800, 0xDA7A);
  igt_assert_eq(uint32_t{bo.word_at(0x800)}, 0xDA7A);
  igt_assert_eq(bench.load32(kPlay + kPage + 0x800), 0xDA7A);
}

void streams_move_with_their_mapping(const Device& device) {
  Bench bench(device);
  Bo first = Bo::create(device, kPage);
  Bo second = Bo::create(device, kPage);
  const uint32_t size = write_stream(first, bench, 1);
  write_stream(second, bench, 2);
  bench.vm().map(first, kPlay);
  igt_assert_eq(run_at(bench, {kPlay, size}), 1);
  igt_assert_eq(bench.result(3), 1);
  bench.vm().map(second, kPlay);
  igt_assert_eq(run_at(bench, {kPlay, size}), 1);
  igt_assert_eq(bench.result(3), 2);
  bench.vm().unmap(kPlay, kPage);
  bench.expect_fetch_fault(kPlay);
}

void uncached_works(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, 2 * kBlock);
  bo.tag_pages(0);
  bench.vm().map_part(bo, 0, kPlay, bo.size(), kUncached);
  const auto tags = bench.load_tags(kPlay, 1024);
  for (uint32_t i = 0; i < 1024; ++i) igt_assert_eq(tags[i], i);
  // No flush: an uncached store is in memory when it is done.
  bench.run_ok(Assembler().store_value(kPlay + kBlock, 0x51));
  igt_assert_eq(uint32_t{bo.word_at(kBlock)}, 0x51);
}

void all_flags(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, kPage);
  const uint32_t size = write_stream(bo, bench, 0xF1A6);
  bo.word_at(0x800) = 0xF1A7;
  bench.vm().map_part(bo, 0, kPlay, kPage, kReadOnly | kNoExec | kUncached);
  igt_assert_eq(bench.load32(kPlay + 0x800), 0xF1A7);
  igt_assert_eq(run_at(bench, {kPlay, size}), 1);
  igt_assert_eq(bench.result(3), 0xF1A6);
  bench.expect_store_fault(kPlay + 0x800);
  igt_assert_eq(uint32_t{bo.word_at(0x800)}, 0xF1A7);
}

void remap_to_other_buffer(const Device& device) {
  Bench bench(device);
  Bo bos[] = {Bo::create(device, 8 * kPage), Bo::create(device, 8 * kPage)};
  bos[0].tag_pages(100);
  bos[1].tag_pages(200);
  for (uint32_t round = 0; round < 6; ++round) {
    bench.vm().map(bos[round % 2], kPlay);
    const auto tags = bench.load_tags(kPlay, 8);
    for (uint32_t i = 0; i < 8; ++i) igt_assert_eq(tags[i], (round % 2 + 1) * 100 + i);
  }
  bench.store_tags(kPlay, 8, 300);
  igt_assert_eq(uint32_t{bos[0].word_at(0)}, 100);
  igt_assert_eq(uint32_t{bos[1].word_at(0)}, 300);
}

void remap_with_other_offset(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, 16 * kPage);
  bo.tag_pages(0);
  for (const uint64_t first : {0, 8, 3}) {
    bench.vm().map_part(bo, first * kPage, kPlay, 8 * kPage, 0);
    const auto tags = bench.load_tags(kPlay, 8);
    for (uint32_t i = 0; i < 8; ++i) igt_assert_eq(tags[i], first + i);
  }
}

void unmap_and_map_again(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, kPage);
  for (uint32_t round = 1; round <= 3; ++round) {
    bench.vm().map(bo, kPlay);
    bench.store32(kPlay, round);
    igt_assert_eq(uint32_t{bo.word_at(0)}, round);
    bench.vm().unmap(kPlay, kPage);
    bench.expect_load_fault(kPlay);
  }
}

void freed_memory_is_not_reachable(const Device& device) {
  Bench bench(device);
  {
    Bo bo = Bo::create(device, kPage);
    bench.vm().map(bo, kPlay);
    bench.store32(kPlay, 1);
    bench.vm().unmap(kPlay, kPage);
  }
  Bo other = Bo::create(device, kPage);
  other.word_at(0) = 0x5EC7E7;
  bench.expect_store_fault(kPlay);
  igt_assert_eq(uint32_t{other.word_at(0)}, 0x5EC7E7);
}

void several_operations(const Device& device) {
  Bench bench(device);
  Bo a = Bo::create(device, 4 * kPage);
  Bo b = Bo::create(device, 4 * kPage);
  a.tag_pages(10);
  b.tag_pages(20);
  Binds binds;
  binds.map(a, 0, kPlay, 4 * kPage, 0, {})
      .unmap(kPlay + kPage, kPage, {})
      .map(b, kPage, kPlay + kPage, kPage, 0, {})
      .map(b, 0, kPlay + 3 * kPage, 4 * kPage, 0, {})
      .unmap(kPlay, kPage, {});
  uint32_t failed_at = 0;
  igt_assert_eq(bench.vm().bind_sync(binds, failed_at), 0);
  const auto tags = bench.load_tags(kPlay + kPage, 6);
  const uint32_t expected[] = {21, 12, 20, 21, 22, 23};
  for (uint32_t i = 0; i < 6; ++i) igt_assert_eq(tags[i], expected[i]);
  bench.expect_load_fault(kPlay);
}

void first_operations_stay_after_a_failure(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, kPage);
  bo.word_at(0) = 0xABC;
  Binds binds;
  drm_panthor_vm_bind_op bad{};
  bad.flags = kMap;
  bad.bo_handle = 4711;
  bad.va = kPlay + kPage;
  bad.size = kPage;
  binds.map(bo, 0, kPlay, kPage, 0, {}).map(bo, 0, kPlay + 2 * kPage, kPage, 0, {}).raw(bad);
  binds.map(bo, 0, kPlay + 3 * kPage, kPage, 0, {});
  uint32_t failed_at = 0;
  igt_assert_eq(bench.vm().bind_sync(binds, failed_at), EINVAL);
  igt_assert_eq(failed_at, 2);
  igt_assert_eq(bench.vm().state(), DRM_PANTHOR_VM_STATE_USABLE);
  igt_assert_eq(bench.load32(kPlay), 0xABC);
  igt_assert_eq(bench.load32(kPlay + 2 * kPage), 0xABC);
  bench.expect_load_fault(kPlay + 3 * kPage);
}

void partial_unbinds_in_random_order(const Device& device) {
  constexpr uint32_t kPages = 32;
  Bench bench(device);
  Bo bo = Bo::create(device, kPages * kPage);
  bo.tag_pages(1);
  bench.vm().map(bo, kPlay);
  std::vector<uint32_t> order(kPages);
  for (uint32_t i = 0; i < kPages; ++i) order[i] = i;
  for (uint32_t i = kPages - 1; i > 0; --i) {
    std::swap(order[i], order[static_cast<uint32_t>(random()) % (i + 1)]);
  }
  std::vector<bool> gone(kPages, false);
  for (uint32_t n = 0; n < kPages; ++n) {
    bench.vm().unmap(kPlay + order[n] * kPage, kPage);
    gone[order[n]] = true;
    if (n % 8 != 3) continue;
    bench.expect_load_fault(kPlay + order[n] * kPage);
    Assembler stream;
    for (uint32_t i = 0; i < kPages; ++i) {
      if (!gone[i]) stream.copy_word(bench.result_va(i), kPlay + i * kPage);
    }
    bench.run_ok(stream.publish());
    for (uint32_t i = 0; i < kPages; ++i) {
      if (!gone[i]) igt_assert_eq(bench.result(i), i + 1);
    }
  }
}

void size_zero(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, kPage);
  bo.word_at(0) = 1;
  bench.vm().map(bo, kPlay);
  // A synchronous operation without size succeeds before anything else of it is looked at.
  drm_panthor_vm_bind_op nothing{};
  nothing.flags = 0xF0000000;
  nothing.bo_handle = 4711;
  nothing.va = kPlay + 1;
  Binds binds;
  binds.raw(nothing).map(bo, 0, kPlay, 0, 0, {}).unmap(kPlay, 0, {}).sync_only({});
  uint32_t failed_at = 0;
  igt_assert_eq(bench.vm().bind_sync(binds, failed_at), 0);
  igt_assert_eq(bench.load32(kPlay), 1);
}

constexpr Case kCases[] = {
    {"map-one-page", "A job loads and stores through a page.", map_one_page},
    {"unmap-one-page", "A job faults where a page was, its neighbours stay. [C3.2]",
     unmap_one_page},
    {"neighbours-fault", "A mapping ends where it says.", neighbours_fault},
    {"unmap-of-nothing", "Holes in an unmapped range are no error. [C3.2]", unmap_of_nothing},
    {"unmap-everything", "One unmap takes mappings far apart.", unmap_everything},
    {"offset-into-buffer", "The middle of a buffer can be mapped.", offset_into_buffer},
    {"same-buffer-twice", "Two addresses show one memory.", same_buffer_twice},
    {"same-buffer-back-to-back", "A buffer mapped twice in a row is a ring.",
     same_buffer_back_to_back},
    {"pages-reversed", "Each page of a buffer at its own address.",
     every_page_of_one_buffer_reversed},
    {"readonly", "A read-only page is loaded; a store to it faults. [C3.3]",
     readonly_loads_and_faults},
    {"readonly-block", "The same with a block of 2 MiB.", readonly_block_faults},
    {"readonly-and-writable-alias", "The right to store belongs to the mapping.",
     readonly_and_writable_alias},
    {"readonly-taken-away-by-remap", "A new mapping brings its own rights. [C3.1]",
     readonly_taken_away_by_remap},
    {"noexec-streams-run", "NOEXEC hinders neither loads and stores nor streams.",
     noexec_streams_run},
    {"streams-move-with-their-mapping", "The stream at an address is what is mapped there now.",
     streams_move_with_their_mapping},
    {"uncached", "Loads and stores through an uncached mapping.", uncached_works},
    {"all-flags", "READONLY, NOEXEC and UNCACHED together.", all_flags},
    {"remap-to-other-buffer", "After a remap jobs see the new buffer.", remap_to_other_buffer},
    {"remap-with-other-offset", "After a remap jobs see the new part.", remap_with_other_offset},
    {"unmap-and-map-again", "An address can be used again and again.", unmap_and_map_again},
    {"freed-memory-is-not-reachable", "No stale translation leads to freed memory.",
     freed_memory_is_not_reachable},
    {"several-operations", "The operations of one call happen in order.", several_operations},
    {"first-operations-stay-after-a-failure",
     "A failing operation stops the call and tells its index. [A4.5 A4.6]",
     first_operations_stay_after_a_failure},
    {"partial-unbinds-in-random-order", "What is not unmapped yet stays usable.",
     partial_unbinds_in_random_order},
    {"size-zero", "Synchronous operations without size do nothing. [A4.4]", size_zero},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
