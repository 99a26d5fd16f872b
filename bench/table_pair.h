// SPDX-License-Identifier: MIT
//
// Our page table and Linux's in one piece of DRAM, each with a reserve of table pages from the same
// pool. Linux's table takes and frees through the custom-allocator hook of io-pgtable. Same format
// and configuration as Panthor's: 48 bits of address, 40 bits of frame, 4 KiB and 2 MiB leaves.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "bench/linux_peer/linux_peer.h"
#include "driver/iopgtable/arena_table_allocator.h"
#include "driver/iopgtable/arm_lpae_s1_table.h"
#include "driver/memory/frame_allocator.h"
#include "driver/provision/page_pool.h"
#include "driver/provision/table_reserve.h"

namespace pantry::bench {

using driver::ArmLpaeS1Table;
using driver::ExtentCursor;
using driver::Prot;

// What one call of io-pgtable can do: `count` leaves of `leaf` bytes in one table.
struct LeafRun {
  std::uint64_t va;
  std::uint64_t frame;
  std::uint64_t leaf;
  std::uint64_t count;
};

class TablePair {
 public:
  explicit TablePair(std::uint64_t dram_bytes);
  // Both tables are destroyed with whatever is mapped in them.
  ~TablePair();
  TablePair(const TablePair&) = delete;
  TablePair& operator=(const TablePair&) = delete;

  const emu::Dram& dram() const { return dram_.dram(); }
  driver::PagePool& pool() { return pool_; }
  ArmLpaeS1Table& ours() { return *ours_; }
  driver::TableReserve& our_pages() { return our_pages_; }
  bool has_theirs() const { return theirs_.has_value(); }
  // Pre: has_theirs(), as for all that follows.
  linux_page_table& theirs() { return *theirs_; }
  driver::TableReserve& their_pages() { return their_pages_; }

  // The calls that a user of io-pgtable makes to map `size` bytes of consecutive frames at `va`:
  // the largest leaf that fits, to the end of a table at most. For an unmap, which has no frames,
  // give `va` as the frame.
  static std::vector<LeafRun> leaf_runs(GpuVa va, PhysAddr frame, std::uint64_t size);
  // Makes them.
  void map_theirs(GpuVa va, PhysAddr frame, std::uint64_t size, int prot);
  // All of it is mapped.
  void unmap_theirs(GpuVa va, std::uint64_t size);
  static int linux_prot(Prot prot);

  // `reserve` holds `pages` pages afterwards; what was freed into it goes back to the pool, zeroed.
  static void refill(driver::TableReserve& reserve, std::uint32_t pages);

 private:
  driver::TestDram dram_;
  driver::FrameAllocator frames_;
  driver::PagePool pool_;
  driver::TableReserve our_pages_;
  driver::TableReserve their_pages_;
  std::optional<ArmLpaeS1Table> ours_;
  std::optional<linux_page_table> theirs_;
};

}  // namespace pantry::bench
