// SPDX-License-Identifier: MIT
//
// How many table pages a bind is given, so that running it cannot fail: the interface behind which
// the ways to answer that can be compared. One per VM.
//
// prepare() is the same for all: count under the VM's operation lock, unlock, allocate, lock, count
// again, until what is held suffices; no lock is held across an allocation. What differs is the
// count. A provisioner that counts a table as present must see to it, within the same
// pages_needed() call that finds the reserve sufficient, that the table stays.
#pragma once

#include <cstdint>

#include "base/mutex.h"
#include "base/result.h"
#include "driver/provision/table_reserve.h"

namespace pantry::driver {

// What a bind will do to the page table.
struct BindShape {
  enum class Kind { kMap, kUnmap } kind = Kind::kUnmap;
  GpuRange range;
};

class Provisioner {
 public:
  // `reserve`, filled with everything that running `shape` can take, whatever runs before it.
  // ENOMEM: nothing is held.
  Result<TableReserve> prepare(const BindShape& shape, TableReserve reserve,
                               Mutex& operation_lock) PANTRY_MAY_ALLOCATE
      PANTRY_EXCLUDES(operation_lock);

 protected:
  ~Provisioner() = default;

 private:
  // Pages that a reserve must hold for `shape`, of which it holds `held`. Called with the operation
  // lock held; neither allocates nor blocks.
  virtual std::uint32_t pages_needed(const BindShape& shape, std::uint32_t held) noexcept = 0;
};

}  // namespace pantry::driver
