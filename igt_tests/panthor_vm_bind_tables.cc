// SPDX-License-Identifier: MIT

#include <cerrno>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/bench.h"
#include "igt_tests/lib/cases.h"

IGT_TEST_DESCRIPTION("Mappings over the boundaries of page tables, and mixes of pages and blocks.");

using namespace gpu;

namespace {

// A mapping over each boundary of the tables, read and written on both sides.
void across(const Device& device, uint64_t boundary) {
  Bench bench(device);
  Bo bo = Bo::create(device, 8 * kPage);
  bo.tag_pages(60);
  const uint64_t va = boundary - 4 * kPage;
  bench.vm().map(bo, va);
  const auto tags = bench.load_tags(va, 8);
  for (uint32_t i = 0; i < 8; ++i) igt_assert_eq(tags[i], 60 + i);
  bench.store_tags(va, 8, 80);
  for (uint32_t i = 0; i < 8; ++i) igt_assert_eq(uint32_t{bo.word_at(i * kPage)}, 80 + i);
  bench.vm().unmap(boundary, 4 * kPage);
  igt_assert_eq(bench.load32(boundary - kPage), 83);
  bench.expect_load_fault(boundary);
  bench.vm().map_part(bo, 0, boundary, kPage, 0);
  igt_assert_eq(bench.load32(boundary), 80);
  bench.vm().unmap(va, 4 * kPage);
  bench.expect_load_fault(boundary - kPage);
  igt_assert_eq(bench.load32(boundary), 80);
}

void across_2m(const Device& device) { across(device, kPlay + kBlock); }
void across_1g(const Device& device) { across(device, kPlay + kGigabyte); }
void across_512g(const Device& device) {
  igt_require(device.va_bits() > 40);
  across(device, kTopWindow);
}

// Sizes that mix pages and blocks, at each kind of alignment.
void mixed_sizes(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, 3 * kBlock);
  const uint32_t all = static_cast<uint32_t>(bo.size() / kPage);
  bo.tag_pages(1);
  for (const uint64_t shift : {uint64_t{0}, kPage, kBlock - kPage}) {
    for (const uint64_t bo_offset : {uint64_t{0}, kPage}) {
      const uint64_t va = kPlay + shift;
      const uint64_t size = bo.size() - bo_offset;
      bench.vm().map_part(bo, bo_offset, va, size, 0);
      const uint32_t pages = all - static_cast<uint32_t>(bo_offset / kPage);
      const auto tags = bench.load_tags(va, pages);
      for (uint32_t i = 0; i < pages; ++i) igt_assert_eq(tags[i], 1 + bo_offset / kPage + i);
      bench.vm().unmap(va, size);
    }
  }
  bench.expect_load_fault(kPlay + kBlock);
}

void large(const Device& device) {
  constexpr uint64_t kSize = 64 * 1024 * 1024;
  Bench bench(device);
  Bo bo = Bo::create(device, kSize);
  const uint64_t va = kPlay + kGigabyte - kSize / 2 + kPage;
  bench.vm().map(bo, va);
  for (uint64_t offset :
       {uint64_t{0}, kPage, kBlock, kSize / 2 - kPage, kSize / 2, kSize - kBlock, kSize - 4}) {
    bench.store32(va + offset, static_cast<uint32_t>(offset) | 1);
    igt_assert_eq(uint32_t{bo.word_at(offset)}, static_cast<uint32_t>(offset) | 1);
  }
  bench.vm().unmap(va, kSize);
  bench.expect_load_fault(va + kSize / 2);
}

// One gibibyte of addresses, by one buffer mapped over and over.
void whole_gigabyte(const Device& device) {
  constexpr uint64_t kPiece = 32 * kBlock;
  Bench bench(device);
  Bo bo = Bo::create(device, kPiece);
  bo.tag_pages(0);
  Binds binds;
  for (uint64_t va = kPlay; va < kPlay + kGigabyte; va += kPiece) {
    binds.map(bo, 0, va, kPiece, 0, {});
  }
  uint32_t failed_at = 0;
  igt_assert_eq(bench.vm().bind_sync(binds, failed_at), 0);
  for (uint64_t va = kPlay; va < kPlay + kGigabyte; va += 5 * kPiece) {
    igt_assert_eq(bench.load32(va + 17 * kPage), 17);
    igt_assert_eq(bench.load32(va + 9 * kBlock + 17 * kPage), 9 * 512 + 17);
  }
  bench.vm().unmap(kPlay + kBlock, kGigabyte - kBlock);
  igt_assert_eq(bench.load32(kPlay + 511 * kPage), 511);
  bench.expect_load_fault(kPlay + kBlock);
  bench.expect_load_fault(kPlay + kGigabyte - kPage);
}

// Mappings that share one table page at each level: taking one leaves the other.
void shared_tables(const Device& device) {
  Bench bench(device);
  Bo a = Bo::create(device, kPage);
  Bo b = Bo::create(device, kPage);
  a.word_at(0) = 0xA;
  b.word_at(0) = 0xB;
  for (const uint64_t distance : {kPage, kBlock, kGigabyte, kTopWindow}) {
    if (kPlay + distance + kPage > bench.vm().user_va_range()) continue;
    bench.vm().map(a, kPlay);
    bench.vm().map(b, kPlay + distance);
    igt_assert_eq(bench.load32(kPlay), 0xA);
    igt_assert_eq(bench.load32(kPlay + distance), 0xB);
    bench.vm().unmap(kPlay, kPage);
    igt_assert_eq(bench.load32(kPlay + distance), 0xB);
    bench.expect_load_fault(kPlay);
    bench.vm().unmap(kPlay + distance, kPage);
    bench.expect_load_fault(kPlay + distance);
  }
}

void pages_become_a_block_and_back(const Device& device) {
  Bench bench(device);
  Bo bo = Bo::create(device, kBlock);
  Bo small = Bo::create(device, kPage);
  bo.tag_pages(1000);
  small.word_at(0) = 5;
  for (uint32_t round = 0; round < 3; ++round) {
    bench.vm().map(small, kPlay + 7 * kPage);
    igt_assert_eq(bench.load32(kPlay + 7 * kPage), 5);
    bench.vm().map(bo, kPlay);
    auto tags = bench.load_tags(kPlay, 512);
    for (uint32_t i = 0; i < 512; ++i) igt_assert_eq(tags[i], 1000 + i);
    bench.vm().map(small, kPlay + 9 * kPage);
    tags = bench.load_tags(kPlay, 512);
    for (uint32_t i = 0; i < 512; ++i) igt_assert_eq(tags[i], i == 9 ? 5 : 1000 + i);
    bench.vm().unmap(kPlay, kBlock);
    bench.expect_load_fault(kPlay + 9 * kPage);
  }
}

// Tables that were full once serve again: nothing of their former life may be left in them.
void recycled_tables_are_empty(const Device& device) {
  constexpr uint64_t kWindows = 8;
  constexpr uint64_t kPages = 256;
  Bench bench(device);
  Bo bo = Bo::create(device, kPages * kPage);
  bo.tag_pages(10);
  for (uint64_t i = 0; i < kWindows; ++i) bench.vm().map(bo, kPlay + i * kBlock);
  bench.vm().unmap(kPlay, kWindows * kBlock);
  for (uint64_t i = 0; i < kWindows; ++i) {
    const uint64_t va = kPlay + (kWindows + i) * kBlock;
    bench.vm().map_part(bo, 0, va + i * kPage, kPage, 0);
    igt_assert_eq(bench.load32(va + i * kPage), 10);
    bench.expect_load_fault(va + (i + 1) * kPage);
    bench.expect_load_fault(va + (kPages - 1) * kPage);
  }
}

constexpr Case kCases[] = {
    {"across-2m", "A mapping over a boundary of 2 MiB.", across_2m},
    {"across-1g", "A mapping over a boundary of 1 GiB.", across_1g},
    {"across-512g", "A mapping over a boundary of 512 GiB.", across_512g},
    {"mixed-sizes", "Pages and blocks in one mapping, at each alignment.", mixed_sizes},
    {"large", "64 MiB around a boundary of 1 GiB.", large},
    {"whole-gigabyte", "512 blocks side by side, most of them taken in one go.", whole_gigabyte},
    {"shared-tables", "Two mappings that share a table at each level.", shared_tables},
    {"pages-become-a-block-and-back", "A table makes way for a block and the other way round.",
     pages_become_a_block_and_back},
    {"recycled-tables-are-empty", "A table that serves again shows nothing of its former life.",
     recycled_tables_are_empty},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
