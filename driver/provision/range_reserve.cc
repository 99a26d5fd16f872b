// SPDX-License-Identifier: MIT
#include "driver/provision/range_reserve.h"

#include <new>
#include <utility>

#include "base/check.h"
#include "driver/provision/pages_now.h"

namespace pantry::driver {

using Standing = ArmLpaeS1Table::Standing;

bool RangeReserve::claim(Provision& provision, Needs& needs) noexcept {
  const BindShape& shape = provision.shape_;
  needs = {};
  if (provision.tables_.runs_at_once()) {
    needs.pages = pages_now(shape, table_);
    return provision.tables_.suffices(needs.pages);
  }
  for_each_window(shape, table_.config(), [&](TableWindow window) {
    ++needs.windows;
    needs.pages += table_.standing(window) != Standing::kTable;
  });
  needs.pages += repeated_pages(shape, table_.config());
  const bool suffices = provision.tables_.suffices(needs.pages);
  if (needs.windows == 0 && suffices) return true;
  if (needs.windows > provision.marks_size_ || !suffices) {
    if (needs.windows <= provision.marks_size_) needs.windows = 0;
    return false;
  }
  std::uint32_t i = 0;
  for_each_window(shape, table_.config(), [&](TableWindow window) {
    const std::uint32_t bit = i++;
    switch (table_.standing(window)) {
      case Standing::kTable:
        table_.reference(window);
        break;
      case Standing::kNothing: {
        if (shape.kind == BindShape::Kind::kUnmap) return;
        const Result<> installed = table_.install(window, provision.tables_);
        PANTRY_CHECK(installed.has_value());
        break;
      }
      case Standing::kLeaf:
        return;
    }
    provision.marks_[bit / 64] |= std::uint64_t{1} << bit % 64;
  });
  provision.claimed_ = true;
  return true;
}

Result<> RangeReserve::make_room(std::uint32_t windows, Provision& provision) {
  const std::uint32_t words = (windows + 63) / 64;
  provision.marks_.reset(new (std::nothrow) std::uint64_t[words]());
  provision.marks_size_ = provision.marks_ ? words * 64 : 0;
  if (!provision.marks_) return Error(Errno::kNoMem);
  return {};
}

void RangeReserve::begin(Provision& provision) noexcept {
  if (!std::exchange(provision.claimed_, false)) return;
  std::uint32_t i = 0;
  for_each_window(provision.shape_, table_.config(), [&](TableWindow window) {
    const std::uint32_t bit = i++;
    if (provision.marks_[bit / 64] >> bit % 64 & 1) table_.unreference(window);
  });
}

}  // namespace pantry::driver
