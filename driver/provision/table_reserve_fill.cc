// SPDX-License-Identifier: MIT
//
// The half of the reserve that deals with the pool: before run and after the flush.
#include <utility>

#include "base/log.h"
#include "driver/provision/page_pool.h"
#include "driver/provision/page_quota.h"
#include "driver/provision/table_reserve.h"

namespace pantry::driver {

TableReserve::TableReserve(PageBorrower& borrower)
    : borrower_(&borrower), spare_(borrower.pool().links()), retired_(borrower.pool().links()) {}

TableReserve::TableReserve(PageBorrower& borrower, PageQuota& quota) : TableReserve(borrower) {
  quota_ = &quota;
}

TableReserve::TableReserve(PagePool& pool) : TableReserve(pool.unpaid()) {}

TableReserve::TableReserve(PagePool& pool, PageQuota& quota) : TableReserve(pool.unpaid(), quota) {}

TableReserve::TableReserve(TableReserve&& other) noexcept
    : borrower_(std::exchange(other.borrower_, nullptr)),
      quota_(std::exchange(other.quota_, nullptr)),
      magazine_(std::exchange(other.magazine_, nullptr)),
      charged_(std::exchange(other.charged_, 0)),
      spare_(std::move(other.spare_)),
      retired_(std::move(other.retired_)),
      statistics_(std::exchange(other.statistics_, {})) {}

TableReserve& TableReserve::operator=(TableReserve&& other) noexcept {
  if (this == &other) return *this;
  return_spares();
  uncharge();
  borrower_ = std::exchange(other.borrower_, nullptr);
  quota_ = std::exchange(other.quota_, nullptr);
  magazine_ = std::exchange(other.magazine_, nullptr);
  charged_ = std::exchange(other.charged_, 0);
  spare_ = std::move(other.spare_);
  retired_ = std::move(other.retired_);
  statistics_ = std::exchange(other.statistics_, {});
  return *this;
}

Result<> TableReserve::charge(std::uint32_t pages) {
  if (!quota_ || pages <= charged_) return {};
  const std::uint32_t more = pages - charged_;
  if (!quota_->charge(charged_, more)) {
    log_client("driver/provision",
               "{} table pages are held by pending binds, of {} allowed; another {} are refused",
               quota_->charged(), quota_->limit(), more);
    return Error(Errno::kNoMem);
  }
  charged_ = pages;
  return {};
}

void TableReserve::hand_over_charge(std::uint32_t pages, std::uint32_t kept) noexcept {
  PANTRY_CHECK(quota_ && pages + kept <= charged_);
  charged_ -= pages + kept;
  uncharge();
  charged_ = kept;
}

Result<> TableReserve::grow(std::uint32_t pages) {
  PANTRY_CHECK(borrower_);
  const std::uint32_t charged = charged_;
  PANTRY_TRY(charge(statistics_.reserved + pages));
  Result<PageList> more = borrower_->take(pages);
  if (!more) {
    if (quota_) quota_->uncharge(charged_ - charged);
    charged_ = charged;
    return Error(more.error());
  }
  spare_.splice(*more);
  statistics_.reserved += pages;
  return {};
}

void TableReserve::return_retired() noexcept {
  borrower_->give_back(std::move(retired_), PagePool::Content::kUsed);
}

void TableReserve::reuse_retired(std::uint32_t pages) noexcept {
  if (pages == 0) return;
  statistics_.reserved += pages;
  PageList list(pool().links());
  for (; pages != 0; --pages) list.push(retired_.pop());
  pool().renew(list);
  spare_.splice(list);
}

void TableReserve::uncharge_all() noexcept { quota_->uncharge(std::exchange(charged_, 0)); }

void TableReserve::return_all_spares() noexcept {
  statistics_.returned += spare_.count();
  borrower_->give_back(std::move(spare_), PagePool::Content::kZero);
}

}  // namespace pantry::driver
