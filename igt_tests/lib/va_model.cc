// SPDX-License-Identifier: MIT

#include "igt_tests/lib/va_model.h"

#include "igt_tests/harness/igt.h"

namespace gpu {
namespace {

uint32_t tag_of(uint32_t buffer, uint32_t page) { return (buffer + 1) * 0x10000 + page; }

}  // namespace

VaModel::VaModel(const Device& device, Bench& bench, uint64_t va, uint32_t pages,
                 uint32_t buffer_pages)
    : bench_(bench), va_(va), tags_(pages, 0), timeline_(Syncobj::create(device)) {
  for (uint32_t i = 0; i < 2; ++i) {
    buffers_.push_back(Bo::create(device, buffer_pages * kPage));
    buffers_.back().tag_pages(tag_of(i, 0));
  }
}

void VaModel::bind(Mode mode, Binds& binds) {
  if (mode == Mode::kSync) {
    uint32_t failed_at = 0;
    igt_assert_eq(bench_.vm().bind_sync(binds, failed_at), 0);
  } else {
    igt_assert_eq(bench_.vm().bind_async(binds), 0);
  }
}

void VaModel::map(Mode mode, uint32_t buffer, uint32_t buffer_page, uint32_t page, uint32_t count) {
  Syncs syncs;
  if (mode == Mode::kAsync) syncs.signal(timeline_, ++point_);
  Binds binds;
  binds.map(buffers_[buffer], buffer_page * kPage, va_ + page * kPage, count * kPage, 0, syncs);
  bind(mode, binds);
  for (uint32_t i = 0; i < count; ++i) tags_[page + i] = tag_of(buffer, buffer_page + i);
}

void VaModel::unmap(Mode mode, uint32_t page, uint32_t count) {
  Syncs syncs;
  if (mode == Mode::kAsync) syncs.signal(timeline_, ++point_);
  Binds binds;
  binds.unmap(va_ + page * kPage, count * kPage, syncs);
  bind(mode, binds);
  for (uint32_t i = 0; i < count; ++i) tags_[page + i] = 0;
}

void VaModel::join_queue() {
  if (point_ == 0) return;
  // A job without a stream that waits for the last bind holds back all later jobs of its queue.
  Jobs jobs;
  jobs.add_empty(0, Syncs().wait(timeline_, point_));
  igt_assert_eq(bench_.group().try_submit(jobs), 0);
}

void VaModel::check_mapped() {
  join_queue();
  for (uint32_t first = 0; first < pages();) {
    if (tags_[first] == 0) {
      ++first;
      continue;
    }
    uint32_t end = first;
    while (end < pages() && tags_[end] != 0) ++end;
    const auto found = bench_.load_tags(va_ + first * kPage, end - first);
    for (uint32_t page = first; page < end; ++page) {
      igt_assert_f(found[page - first] == tags_[page], "page %u reads %#x, not %#x\n", page,
                   found[page - first], tags_[page]);
    }
    first = end;
  }
}

void VaModel::check() {
  check_mapped();
  for (uint32_t first = 0; first < pages();) {
    if (tags_[first] != 0) {
      ++first;
      continue;
    }
    uint32_t end = first;
    while (end < pages() && tags_[end] == 0) ++end;
    bench_.expect_load_fault(va_ + first * kPage);
    if (end - first > 1) bench_.expect_load_fault(va_ + (end - 1) * kPage);
    first = end;
  }
}

}  // namespace gpu
