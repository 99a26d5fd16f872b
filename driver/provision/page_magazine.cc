// SPDX-License-Identifier: MIT
#include "driver/provision/page_magazine.h"

#include <utility>

#include "driver/provision/page_pool.h"

namespace pantry::driver {

PageMagazine::PageMagazine(PagePool& pool) : pool_(pool), pages_(pool.links()) { pool.add(*this); }

PageMagazine::~PageMagazine() {
  pool_.remove(*this);
  if (!pages_.empty()) pool_.give_back(std::move(pages_), PagePool::Content::kZero);
}

}  // namespace pantry::driver
