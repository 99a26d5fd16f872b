// SPDX-License-Identifier: MIT
//
// The page-table core's own cache: pages that one table frees are kept, zeroed, for its next
// tables, and so do not go through the core's page source. A table whose pages come from a custom
// allocator has none, since pages of one allocator must not outlive its idea of who has them: it is
// switched off, with one warning per table.
//
// Where the pages of a table come from is decided when the table is made:
//
//   TablePages pages(core, custom, dram, 32);
//   table = ArmLpaeS1Table::create(config, metadata, pages.allocator());
//
// Any thread; the lock is a leaf, not held while a page is zeroed or the source called. Allocates
// nothing.
#pragma once

#include <cstdint>
#include <optional>

#include "base/mutex.h"
#include "driver/iopgtable/page_chain.h"
#include "driver/iopgtable/page_table_allocator.h"

namespace pantry::driver {

class CorePageCache final : public PageTableAllocator {
 public:
  // Keeps up to `most` pages.
  CorePageCache(PageTableAllocator& source, TableMetadata& metadata, std::uint32_t most)
      : source_(source), metadata_(metadata), most_(most) {}
  // Every page was freed and flushed (CHECK). What is kept goes back.
  ~CorePageCache();
  CorePageCache(const CorePageCache&) = delete;
  CorePageCache& operator=(const CorePageCache&) = delete;

  // EINVAL: not 4 KiB.
  Result<PhysAddr> alloc(std::uint64_t bytes) noexcept override;
  void free(PhysAddr page, std::uint64_t bytes) noexcept override;

  // The flush that covers everything freed so far is done. Zeroes what is kept, and gives the rest
  // back to the source, whose flush it was as well.
  void after_flush() noexcept;
  // Pages that alloc has without the source.
  std::uint32_t kept() const;

 private:
  PageTableAllocator& source_;
  TableMetadata& metadata_;
  const std::uint32_t most_;
  mutable Mutex mutex_;
  PageChain kept_ PANTRY_GUARDED_BY(mutex_);
  PageChain freed_ PANTRY_GUARDED_BY(mutex_);
};

class TablePages {
 public:
  // `custom` null: from `core`, through a cache of `cached` pages. Otherwise from `custom` alone;
  // the warning is logged here if a cache was asked for (`cached` != 0).
  TablePages(PageTableAllocator& core, PageTableAllocator* custom, TableMetadata& metadata,
             std::uint32_t cached);

  PageTableAllocator& allocator() { return custom_ ? *custom_ : cache_ ? *cache_ : core_; }
  // The table's flush. That of `core` or `custom` is its owner's business.
  void after_flush() noexcept;
  // Null: switched off.
  const CorePageCache* cache() const { return cache_ ? &*cache_ : nullptr; }

 private:
  PageTableAllocator& core_;
  PageTableAllocator* const custom_;
  std::optional<CorePageCache> cache_;
};

}  // namespace pantry::driver
