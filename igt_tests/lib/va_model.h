// SPDX-License-Identifier: MIT
//
// What an address window must show after a series of binds, page by page, kept in the plainest way
// there is: an array with one tag per page. Two buffers carry a different tag in each page. check()
// has the GPU read every mapped page, and fault at the first and the last page of each hole.
#pragma once

#include <cstdint>
#include <vector>

#include "igt_tests/lib/bench.h"

namespace gpu {

class VaModel {
 public:
  // A window of `pages` pages at `va`, empty, and two buffers of `buffer_pages` pages.
  VaModel(const Device& device, Bench& bench, uint64_t va, uint32_t pages, uint32_t buffer_pages);

  enum class Mode { kSync, kAsync };

  // Pages are counted from the start of the window. Asynchronous operations are queued one by one,
  // without waiting.
  void map(Mode mode, uint32_t buffer, uint32_t buffer_page, uint32_t page, uint32_t count);
  void unmap(Mode mode, uint32_t page, uint32_t count);

  // Waits for what is queued by making the job wait, not the CPU.
  void check();
  // Only that mapped pages read right; no fault, so the bench keeps its group.
  void check_mapped();

  uint32_t pages() const { return static_cast<uint32_t>(tags_.size()); }

 private:
  void bind(Mode mode, Binds& binds);
  void join_queue();

  Bench& bench_;
  uint64_t va_;
  std::vector<Bo> buffers_;
  std::vector<uint32_t> tags_;  // 0: nothing mapped
  Syncobj timeline_;
  uint64_t point_ = 0;
};

}  // namespace gpu
