// SPDX-License-Identifier: MIT
//
// Provisioning inside the page table: prepare installs the tables that the bind needs, empty, and
// takes a reference on each; run only writes leaves. This is the design in which the page-table
// core preallocates ranges and counts references, behind the same interface as the others.
//
// Prepare walks the windows that the bind needs (bind_shape.h). Where a table stands, it takes a
// reference. Where nothing stands, a map installs a table, with a reference; the device finds
// nothing there, as before, so that needs no flush. Where a block stands, and for an edge of an
// unmap where nothing does, a page stays in the reserve of the bind for the split. So each window
// is provided for by a table that cannot go or by a page of the bind's own, and the order in which
// binds run does not matter.
//
// A table with references stays when it becomes empty, and no block takes its place: pages of 4 KiB
// stand where a block could be. That, empty tables in the page table while binds are pending, and a
// flush for a bind that is given up are what this costs beside Exact; what it saves is the record
// of windows, and run makes no tables but by splitting. Charged to the quota of the VM are the
// pages that prepare lays in, installed or not; a table that stood before is not, though it is
// kept. References are dropped as the bind begins, so that its own edit frees the tables that it
// empties, before its flush.
//
// A bind that runs under the very hold of the lock under which it is accepted (TableReserve::
// draw_on) installs nothing and takes no reference: it is given a page for each window that it
// needs and in which no table stands now. What others rely on are tables with references and pages
// of their own, which it cannot take from them.
#pragma once

#include "driver/iopgtable/arm_lpae_s1_table.h"
#include "driver/provision/provisioner.h"

namespace pantry::driver {

class RangeReserve final : public Provisioner {
 public:
  // `table` outlives the provisioner.
  explicit RangeReserve(ArmLpaeS1Table& table) : table_(table) {}

  bool claim(Provision& provision, Needs& needs) noexcept override;
  void begin(Provision& provision) noexcept override;
  bool must_flush(const Provision&) const noexcept override { return false; }
  void finish(Provision&) noexcept override {}

 private:
  Result<> make_room(std::uint32_t windows, Provision& provision) override PANTRY_MAY_ALLOCATE;

  ArmLpaeS1Table& table_;  // under the operation lock
};

}  // namespace pantry::driver
