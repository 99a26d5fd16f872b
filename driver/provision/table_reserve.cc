// SPDX-License-Identifier: MIT
//
// The half of the reserve that run uses: nothing here reaches an allocator or a lock.
#include "driver/provision/table_reserve.h"

#include "driver/provision/page_magazine.h"

namespace pantry::driver {

Result<PhysAddr> TableReserve::alloc(std::uint64_t bytes) noexcept {
  if (bytes != kPageSize) return Error(Errno::kInval);
  if (spare_.empty()) return Error(Errno::kNoMem);
  ++statistics_.used;
  return spare_.pop();
}

void TableReserve::move_spares(std::uint32_t pages, PageList& list) noexcept {
  spare_.move(pages, list);
}

bool TableReserve::draw(std::uint32_t pages) noexcept {
  if (!magazine_->take(pages, spare_)) return false;
  statistics_.reserved += pages;
  return true;
}

void TableReserve::fill_magazine() noexcept {
  if (!magazine_) return;
  const std::uint32_t before = spare_.count();
  magazine_->give(spare_);
  statistics_.returned += before - spare_.count();
}

void TableReserve::free(PhysAddr page, std::uint64_t bytes) noexcept {
  PANTRY_CHECK(borrower_ && bytes == kPageSize);
  ++statistics_.retired;
  retired_.push(page);
}

void TableReserve::free_tables(std::span<const PhysAddr> pages) noexcept {
  PANTRY_CHECK(borrower_);
  statistics_.retired += static_cast<std::uint32_t>(pages.size());
  for (const PhysAddr page : pages) retired_.push(page);
}

}  // namespace pantry::driver
