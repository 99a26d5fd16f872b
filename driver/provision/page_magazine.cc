// SPDX-License-Identifier: MIT
#include "driver/provision/page_magazine.h"

#include <utility>

#include "driver/provision/page_pool.h"

namespace pantry::driver {

PageMagazine::PageMagazine(PageBorrower& borrower)
    : borrower_(borrower), pages_(borrower.pool().links()) {
  borrower.pool().add(*this);
}

PageMagazine::PageMagazine(PagePool& pool) : PageMagazine(pool.unpaid()) {}

PageMagazine::~PageMagazine() {
  borrower_.pool().remove(*this);
  if (!pages_.empty()) borrower_.give_back(std::move(pages_), PagePool::Content::kZero);
}

}  // namespace pantry::driver
