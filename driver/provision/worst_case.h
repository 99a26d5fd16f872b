// SPDX-License-Identifier: MIT
//
// Provisioning as Panthor does it: enough pages for the worst state that the page table can be in,
// found from the range alone. Most of them usually come back unused.
//
// A map can need one new table per window that it touches: per 512 GiB, per 1 GiB and per 2 MiB.
// That covers the tables in which blocks are split at its edges as well, since a window gets at
// most one new table during an operation: either a split makes it, and then the kept part of the
// block keeps it alive for the map to fill, or the map makes it; one that stands is kept. An unmap
// makes tables only by splitting: one per block size and window in which an edge of the range lies.
#pragma once

#include "driver/iopgtable/table_format.h"
#include "driver/provision/provisioner.h"

namespace pantry::driver {

// For one aligned GiB of a 48-bit space: 1 + 1 + 512.
std::uint32_t worst_case_map_pages(GpuRange range, const TableConfig& config) noexcept;
// With 4 KiB and 2 MiB leaves: one if the start is no multiple of 2 MiB, one more if the end is
// none and lies in another 2 MiB window than an unaligned start.
std::uint32_t worst_case_unmap_pages(GpuRange range, const TableConfig& config) noexcept;

// Of any bind. Where repeated tables may be cut, an edge takes one per level for which it is no
// multiple of what an entry covers; and what a bind of kRepeat makes of these comes on top.
std::uint32_t worst_case_pages(const BindShape& shape, const TableConfig& config) noexcept;

class WorstCase final : public Provisioner {
 public:
  explicit WorstCase(const TableConfig& config) : config_(config) {}

  bool claim(Provision& provision, Needs& needs) noexcept override;
  // What a bind may take is in its own reserve; nobody else relies on it.
  void begin(Provision&) noexcept override {}
  bool must_flush(const Provision&) const noexcept override { return false; }
  void finish(Provision&) noexcept override {}

 private:
  Result<> make_room(std::uint32_t, Provision&) override PANTRY_MAY_ALLOCATE { return {}; }

  const TableConfig config_;
};

}  // namespace pantry::driver
