// SPDX-License-Identifier: MIT
#include "driver/provision/provisioner.h"

#include <utility>

#include "driver/provision/page_pool.h"

namespace pantry::driver {

Result<Provision> Provisioner::prepare(const BindShape& shape, TableReserve reserve,
                                       Mutex& operation_lock) {
  Provision provision(std::move(reserve), shape);
  PANTRY_TRY(provision.tables().charge(kLeastCharge));
  for (;;) {
    Needs needs;
    {
      MutexLock lock(operation_lock);
      if (claim(provision, needs)) return provision;
    }
    PANTRY_TRY(supply(needs, provision));
  }
}

Result<> Provisioner::supply(const Needs& needs, Provision& provision) {
  TableReserve& tables = provision.tables();
  PANTRY_TRY(tables.charge(needs.charge));
  if (needs.pages > tables.available()) PANTRY_TRY(tables.grow(needs.pages - tables.available()));
  if (needs.windows == 0) return {};
  if (tables.pool().faults().should_fail()) return Error(Errno::kNoMem);
  return make_room(needs.windows, provision);
}

}  // namespace pantry::driver
