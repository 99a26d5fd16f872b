// SPDX-License-Identifier: MIT
//
// A PageTableAllocator in front of another one that gives freed pages back to it only when nobody
// can be in them any more: after the flush that covers them, and after the epoch in which that was
// done. For page tables that have lockless readers, or several writers.
//
// One for each writer, used by one thread at a time, since a flush covers what its writer has freed
// and no more. Allocates nothing: pages wait in lists through their TableInfo.
#pragma once

#include <cstdint>

#include "base/check.h"
#include "driver/iopgtable/epochs.h"
#include "driver/iopgtable/page_table_allocator.h"
#include "driver/iopgtable/table_metadata.h"

namespace pantry::driver {

class EpochAllocator final : public PageTableAllocator {
 public:
  EpochAllocator(PageTableAllocator& below, TableMetadata& metadata, Epochs& epochs)
      : below_(below), metadata_(metadata), epochs_(epochs) {}
  // Every page was given back (CHECK).
  ~EpochAllocator() { PANTRY_CHECK(waiting() == 0); }
  EpochAllocator(const EpochAllocator&) = delete;
  EpochAllocator& operator=(const EpochAllocator&) = delete;

  Result<PhysAddr> alloc(std::uint64_t bytes) noexcept override { return below_.alloc(bytes); }
  void free(PhysAddr page, std::uint64_t bytes) noexcept override {
    PANTRY_CHECK(bytes == kPageSize);
    push(freed_, page);
  }

  // The flush that covers everything freed so far is done. Frees to the allocator below what nobody
  // can be in any more, and returns how many pages that were; the flush that the allocator below
  // wants to hear about is done as well. The caller is not in an EpochSection, or its pages wait.
  // Without a call nothing comes back; with no reader in its way, a page does at the second.
  std::uint32_t after_flush() noexcept {
    std::uint32_t given = 0;
    // Two lists wait, so that the older one's epoch stands still and passes at some time, however
    // much is freed meanwhile.
    for (int i = 0; i < 2 && epochs_.has_passed(older_.epoch); ++i) {
      given += give_back(older_);
      older_ = newer_;
      newer_ = {};
    }
    if (freed_.pages != 0) {
      append(newer_, freed_);
      newer_.epoch = epochs_.end();
    }
    return given;
  }
  // Pages that have not been given back.
  std::uint32_t waiting() const { return freed_.pages + newer_.pages + older_.pages; }

 private:
  // Frames are linked by their number in DRAM.
  struct List {
    std::uint32_t first = 0;
    std::uint32_t last = 0;
    std::uint32_t pages = 0;
    std::uint64_t epoch = 0;  // in which the last of them was flushed
  };

  PhysAddr base() const { return metadata_.dram().base; }
  TableInfo& info(std::uint32_t frame) const { return metadata_.info(base() + frame * kPageSize); }
  void push(List& list, PhysAddr page) {
    const auto frame = static_cast<std::uint32_t>((page - base()) / kPageSize);
    if (list.pages == 0)
      list.first = frame;
    else
      info(list.last).set_link(frame);
    list.last = frame;
    ++list.pages;
  }
  void append(List& to, List& from) {
    if (to.pages == 0) {
      to.first = from.first;
    } else {
      info(to.last).set_link(from.first);
    }
    to.last = from.last;
    to.pages += from.pages;
    from = {};
  }
  std::uint32_t give_back(List& list) {
    const std::uint32_t pages = list.pages;
    for (std::uint32_t frame = list.first; list.pages != 0; --list.pages) {
      const std::uint32_t next = info(frame).link();
      below_.free(base() + frame * kPageSize, kPageSize);
      frame = next;
    }
    return pages;
  }

  PageTableAllocator& below_;
  TableMetadata& metadata_;
  Epochs& epochs_;
  List freed_;  // not flushed yet
  List newer_;
  List older_;
};

}  // namespace pantry::driver
