// SPDX-License-Identifier: MIT
//
// A VM of our driver and the parts of a bind that Linux's Panthor pays for, both on table pages of
// one pool. Our device's registers are a fake; a VM that is in no address-space slot, as here until
// activated, touches none.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "bench/linux_peer/linux_peer.h"
#include "driver/gem/arena_backing.h"
#include "driver/gem/buffer_store.h"
#include "driver/iopgtable/arena_table_allocator.h"
#include "driver/kernel/thread_executor.h"
#include "driver/mmu/fake_as_block.h"
#include "driver/provision/page_magazine.h"
#include "driver/provision/page_pool.h"
#include "driver/vm/vm.h"

namespace pantry::bench {

class VmPair final : private driver::VmFaultListener {
 public:
  explicit VmPair(std::uint64_t dram_bytes);
  // Unmaps everything on both sides.
  ~VmPair();

  driver::Vm& ours() { return *ours_; }
  // Null: not installed.
  linux_vm* theirs() { return theirs_; }

  // Where Linux's side gets its table pages from now on: the pool, under its lock, or a magazine of
  // its own that holds what a bind takes.
  enum class PagesOfTheirs { kPool, kMagazine };
  void set_pages_of_theirs(PagesOfTheirs source) { pages_of_theirs_ = source; }

  // A buffer whose frames lie one after the other, or each apart from the next.
  enum class Frames { kContiguous, kScattered };
  // Private to our VM, as nearly all that Mesa's drivers allocate is, or open to all: of the latter
  // a VM knows which it maps (SharedBuffers), for their fences.
  enum class Sharing { kPrivate, kShared };
  Ref<driver::Buffer> new_buffer(std::uint64_t size, Frames frames, Sharing sharing);
  // Of `size` bytes from `offset` on.
  static std::vector<linux_extent> extents_of(const driver::Buffer& buffer, std::uint64_t offset,
                                              std::uint64_t size);

  static driver::BindOp map_op(GpuRange range, const Ref<driver::Buffer>& buffer,
                               std::uint64_t offset);
  static driver::BindOp unmap_op(GpuRange range);

 private:
  void on_vm_fault(driver::Vm&, const driver::MmuFault&) noexcept override {}
  static bool take(void* cookie, void** pages, unsigned count);
  static void give_back(void* cookie, void** pages, unsigned count, linux_page_content content);

  driver::TestDram memory_;
  driver::ThreadExecutor executor_{1};
  driver::FrameAllocator frames_;
  driver::ArenaBacking backing_;
  driver::BufferStore buffers_;
  driver::PagePool pages_;
  std::optional<driver::PageMagazine> magazine_;  // of Linux's side
  PagesOfTheirs pages_of_theirs_ = PagesOfTheirs::kPool;
  driver::FakeAsBlock registers_;
  driver::AddressSpaces spaces_;
  driver::Cleanup cleanup_;
  driver::VmDevice device_;
  Ref<driver::Vm> ours_;
  linux_vm* theirs_ = nullptr;
};

}  // namespace pantry::bench
