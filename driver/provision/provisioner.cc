// SPDX-License-Identifier: MIT
#include "driver/provision/provisioner.h"

#include <utility>

namespace pantry::driver {

Result<TableReserve> Provisioner::prepare(const BindShape& shape, TableReserve reserve,
                                          Mutex& operation_lock) {
  for (;;) {
    std::uint32_t needed = 0;
    {
      MutexLock lock(operation_lock);
      needed = pages_needed(shape, reserve.available());
    }
    if (needed <= reserve.available()) return reserve;
    PANTRY_TRY(reserve.grow(needed - reserve.available()));
  }
}

}  // namespace pantry::driver
