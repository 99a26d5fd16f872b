// SPDX-License-Identifier: MIT
//
// A list of table pages that are in no table, through their TableInfo: so it needs no memory and
// touches no page. Last in, first out. No lock of its own.
#pragma once

#include <cstdint>

#include "base/check.h"
#include "driver/iopgtable/table_metadata.h"

namespace pantry::driver {

class PageChain {
 public:
  bool empty() const { return pages_ == 0; }
  std::uint32_t size() const { return pages_; }
  void push(TableMetadata& metadata, PhysAddr page) {
    metadata.info(page).set_link(first_);
    first_ = static_cast<std::uint32_t>((page - metadata.dram().base) / kPageSize);
    ++pages_;
  }
  PhysAddr pop(TableMetadata& metadata) {
    PANTRY_CHECK(pages_ != 0);
    const PhysAddr page = metadata.dram().base + first_ * kPageSize;
    first_ = metadata.info(page).link();
    --pages_;
    return page;
  }
  // What was in it; it is empty afterwards.
  PageChain take() {
    const PageChain taken = *this;
    *this = {};
    return taken;
  }

 private:
  std::uint32_t first_ = 0;  // the number of a frame
  std::uint32_t pages_ = 0;
};

}  // namespace pantry::driver
