// SPDX-License-Identifier: MIT
//
// The half of the reserve that deals with the pool: before run and after the flush.
#include <utility>

#include "base/log.h"
#include "driver/provision/page_pool.h"
#include "driver/provision/page_quota.h"
#include "driver/provision/table_reserve.h"

namespace pantry::driver {

TableReserve::TableReserve(PagePool& pool)
    : pool_(&pool), spare_(pool.links()), retired_(pool.links()) {}

TableReserve::TableReserve(PagePool& pool, PageQuota& quota) : TableReserve(pool) {
  quota_ = &quota;
}

TableReserve::TableReserve(TableReserve&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)),
      quota_(std::exchange(other.quota_, nullptr)),
      charged_(std::exchange(other.charged_, 0)),
      spare_(std::move(other.spare_)),
      retired_(std::move(other.retired_)),
      statistics_(std::exchange(other.statistics_, {})) {}

TableReserve& TableReserve::operator=(TableReserve&& other) noexcept {
  if (this == &other) return *this;
  return_spares();
  uncharge();
  pool_ = std::exchange(other.pool_, nullptr);
  quota_ = std::exchange(other.quota_, nullptr);
  charged_ = std::exchange(other.charged_, 0);
  spare_ = std::move(other.spare_);
  retired_ = std::move(other.retired_);
  statistics_ = std::exchange(other.statistics_, {});
  return *this;
}

TableReserve::~TableReserve() {
  return_spares();
  uncharge();
}

Result<> TableReserve::grow(std::uint32_t pages) {
  PANTRY_CHECK(pool_);
  if (quota_ && !quota_->charge(charged_, pages)) {
    log_client("driver/provision",
               "{} table pages are held by pending binds, of {} allowed; another {} are refused",
               quota_->charged(), quota_->limit(), pages);
    return Error(Errno::kNoMem);
  }
  Result<PageList> more = pool_->take(pages);
  if (!more) {
    if (quota_) quota_->uncharge(pages);
    return Error(more.error());
  }
  if (quota_) charged_ += pages;
  spare_.splice(*more);
  statistics_.reserved += pages;
  return {};
}

void TableReserve::release_after_flush() noexcept {
  if (!retired_.empty()) pool_->give_back(std::move(retired_), PagePool::Content::kUsed);
  return_spares();
  uncharge();
}

void TableReserve::uncharge() noexcept {
  if (quota_) quota_->uncharge(std::exchange(charged_, 0));
}

void TableReserve::return_spares() noexcept {
  if (spare_.empty()) return;
  statistics_.returned += spare_.count();
  pool_->give_back(std::move(spare_), PagePool::Content::kZero);
}

}  // namespace pantry::driver
