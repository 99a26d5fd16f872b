// SPDX-License-Identifier: MIT
#include "driver/provision/make_provisioner.h"

#include <new>

#include "base/check.h"
#include "driver/provision/exact.h"
#include "driver/provision/range_reserve.h"
#include "driver/provision/worst_case.h"

namespace pantry::driver {

std::unique_ptr<Provisioner> make_provisioner(Provisioning kind, ArmLpaeS1Table& table,
                                              PagePool& pool) {
  switch (kind) {
    case Provisioning::kWorstCase:
      return std::unique_ptr<Provisioner>(new (std::nothrow) WorstCase(table.config()));
    case Provisioning::kExact:
      return std::unique_ptr<Provisioner>(new (std::nothrow) Exact(table, pool));
    case Provisioning::kRangeReserve:
      return std::unique_ptr<Provisioner>(new (std::nothrow) RangeReserve(table));
  }
  PANTRY_CHECK(false);
}

}  // namespace pantry::driver
