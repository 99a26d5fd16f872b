// SPDX-License-Identifier: MIT
#include "driver/provision/page_borrower.h"

#include "base/types.h"
#include "driver/provision/page_pool.h"

namespace pantry::driver {

Result<PageList> PageBorrower::take(std::uint32_t pages) {
  const std::uint64_t bytes = pages * kPageSize;
  if (payer_) PANTRY_TRY(payer_->take(Resource::kMemory, bytes));
  Result<PageList> list = pool_.take(pages);
  if (!list && payer_) payer_->give_back(Resource::kMemory, bytes);
  return list;
}

void PageBorrower::give_back(PageList pages, PageContent content) noexcept {
  const std::uint64_t bytes = pages.count() * kPageSize;
  pool_.give_back(std::move(pages), content);
  if (payer_) payer_->give_back(Resource::kMemory, bytes);
}

}  // namespace pantry::driver
