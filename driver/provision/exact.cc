// SPDX-License-Identifier: MIT
#include "driver/provision/exact.h"

#include <utility>

#include "base/check.h"
#include "driver/provision/page_pool.h"
#include "driver/provision/page_quota.h"
#include "driver/provision/pages_now.h"

namespace pantry::driver {

Exact::Exact(ArmLpaeS1Table& table, PagePool& pool)
    : table_(table), pool_(pool), spare_(pool.links()) {}

Exact::~Exact() { PANTRY_CHECK(pins_.size() == 0 && spare_.empty()); }

bool Exact::claim(Provision& provision, Needs& needs) noexcept {
  TableReserve& tables = provision.tables_;
  if (tables.runs_at_once() && pins_.size() == 0) {
    const std::uint32_t pages = pages_now(provision.shape_, table_);
    if (tables.suffices(pages)) return true;
    needs = {.pages = pages};
    return false;
  }
  pins_.adopt(provision.spare_pins_);
  std::uint32_t unpinned = 0;
  std::uint32_t missing = 0;
  std::uint32_t not_queued = 0;
  for_each_window(provision.shape_, table_.config(), [&](TableWindow window) {
    const WindowPins::Pins pins = pins_.pins(window);
    not_queued += pins.queued == 0;
    if (pins.all != 0) return;
    ++unpinned;
    missing += !stands(window);
  });
  const std::uint32_t own = repeated_pages(provision.shape_, table_.config());
  const std::uint32_t charge = tables.quota() ? not_queued + own + kLeastCharge : 0;
  const bool has_room = pins_.has_room(unpinned);
  if (!has_room || !tables.suffices(missing + own) || charge > tables.charged()) {
    needs = {charge, missing + own, has_room ? 0 : 2 * (pins_.size() + unpinned)};
    return false;
  }
  for_each_window(provision.shape_, table_.config(),
                  [&](TableWindow window) { pins_.pin(window, by(tables)); });
  tables.move_spares(missing, spare_);
  if (tables.quota()) tables.hand_over_charge(not_queued, own + kLeastCharge);
  provision.claimed_ = true;
  return true;
}

Result<> Exact::make_room(std::uint32_t windows, Provision& provision) {
  PANTRY_TRY_ASSIGN(provision.spare_pins_, WindowPins::Storage::make(windows));
  return {};
}

void Exact::begin(Provision& provision) noexcept {
  lent_ = 0;
  used_before_ = provision.tables_.statistics().used;
  if (!provision.claimed_) return;
  lent_ = spare_.count();
  provision.tables_.take_spares(spare_);
}

bool Exact::must_flush(const Provision& provision) const noexcept {
  if (pins_.size() == 0) return false;
  bool wanted = false;
  provision.tables_.for_each_retired([&](PhysAddr table) {
    if (wanted) return;
    const TableWindow freed = pool_.metadata().info(table).window();
    std::uint32_t others = pins_.pins(freed).all;
    if (others != 0 && provision.claimed_)
      for_each_window(provision.shape_, table_.config(),
                      [&](TableWindow window) { others -= window == freed; });
    wanted = others != 0;
  });
  return wanted;
}

void Exact::finish(Provision& provision) noexcept {
  if (!provision.claimed_ && pins_.size() == 0) return;
  TableReserve& tables = provision.tables_;
  // How many windows more than at begin need a page: those that have lost their table, ...
  std::int64_t more = 0;
  tables.for_each_retired(
      [&](PhysAddr table) { more += pins_.pins(pool_.metadata().info(table).window()).all != 0; });
  // ... but for those that nobody waits for any longer; ...
  if (std::exchange(provision.claimed_, false)) {
    std::uint32_t no_longer_queued = 0;
    for_each_window(provision.shape_, table_.config(), [&](TableWindow window) {
      const WindowPins::Pins left = pins_.unpin(window, by(tables));
      no_longer_queued += left.queued == 0;
      if (left.all == 0 && !stands(window)) --more;
    });
    if (tables.quota()) tables.quota()->uncharge(no_longer_queued);
  }
  if (more > 0) tables.reuse_retired(static_cast<std::uint32_t>(more));
  // ... and for those that have got one. What the bind made of its own has no window; it has made
  // all of that or run not at all.
  const std::uint32_t used = tables.statistics().used - used_before_;
  const std::int64_t kept =
      lent_ + more - (used != 0 ? used - repeated_pages(provision.shape_, table_.config()) : 0);
  PANTRY_CHECK(kept >= 0);
  tables.move_spares(static_cast<std::uint32_t>(kept), spare_);
}

Exact::Audit Exact::audit() const noexcept {
  Audit audit{pins_.size(), 0, 0, spare_.count()};
  pins_.for_each([&](TableWindow window) {
    audit.queued += pins_.pins(window).queued != 0;
    audit.missing += !stands(window);
  });
  return audit;
}

}  // namespace pantry::driver
