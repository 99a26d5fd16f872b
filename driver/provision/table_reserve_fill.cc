// SPDX-License-Identifier: MIT
//
// The half of the reserve that deals with the pool: before run and after the flush.
#include <utility>

#include "driver/provision/page_pool.h"
#include "driver/provision/table_reserve.h"

namespace pantry::driver {

TableReserve::TableReserve(PagePool& pool)
    : pool_(&pool), spare_(pool.links()), retired_(pool.links()) {}

TableReserve::TableReserve(TableReserve&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)),
      spare_(std::move(other.spare_)),
      retired_(std::move(other.retired_)),
      statistics_(std::exchange(other.statistics_, {})) {}

TableReserve& TableReserve::operator=(TableReserve&& other) noexcept {
  if (this == &other) return *this;
  return_spares();
  pool_ = std::exchange(other.pool_, nullptr);
  spare_ = std::move(other.spare_);
  retired_ = std::move(other.retired_);
  statistics_ = std::exchange(other.statistics_, {});
  return *this;
}

TableReserve::~TableReserve() { return_spares(); }

Result<> TableReserve::grow(std::uint32_t pages) {
  PANTRY_CHECK(pool_);
  Result<PageList> more = pool_->take(pages);
  if (!more) return Error(more.error());
  spare_.splice(*more);
  statistics_.reserved += pages;
  return {};
}

void TableReserve::release_after_flush() noexcept {
  if (!retired_.empty()) pool_->give_back(std::move(retired_), PagePool::Content::kUsed);
  return_spares();
}

void TableReserve::return_spares() noexcept {
  if (spare_.empty()) return;
  statistics_.returned += spare_.count();
  pool_->give_back(std::move(spare_), PagePool::Content::kZero);
}

}  // namespace pantry::driver
