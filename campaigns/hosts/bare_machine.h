// SPDX-License-Identifier: MIT
//
// VMs of the driver on a bare MMU of the device, one thread, no firmware: what a bind does to VA
// tree, page table and device can be asked between any two of them.
#pragma once

#include <memory>
#include <optional>

#include "campaigns/hosts/inline_executor.h"
#include "campaigns/hosts/lossy_registers.h"
#include "driver/gem/arena_backing.h"
#include "driver/gem/buffer_store.h"
#include "driver/memory/frame_allocator.h"
#include "driver/provision/page_pool.h"
#include "driver/vm/vm.h"
#include "gpu_emu/mmio/register_file.h"
#include "gpu_emu/mmu/mmu.h"
#include "uapi/machine/host_memory.h"

namespace pantry::campaigns {

class BareMachine final : private emu::Mmio,
                          private emu::IrqLine,
                          private emu::DeviceClock,
                          private emu::BusFaults,
                          private driver::CacheFlusher,
                          private driver::ResetRequest,
                          private driver::VmFaultListener {
 public:
  static constexpr std::uint64_t kDramBytes = 64 * kMiB;

  using Placement = driver::FrameAllocator::Placement;
  BareMachine(Placement placement, std::uint64_t seed, emu::Quirks::Caching caching,
              LossyRegisters::Lost lost);
  ~BareMachine();

  // Runs what is queued.
  void pump() { executor_.pump(); }

  driver::VmDevice& device() { return device_; }
  driver::AddressSpaces& spaces() { return spaces_; }
  driver::FrameAllocator& frames() { return frames_; }
  driver::PagePool& pages() { return pages_; }
  driver::BufferStore& buffers() { return buffers_; }
  emu::Dram dram() const { return window_.dram(); }

  // Where an access of the device arrives; nothing where it faults. A fault is never answered:
  // other accesses go on.
  std::optional<PhysAddr> reach(std::uint32_t as, GpuVa va, emu::Access access);
  // The device has done what no driver of ours asks for: resets, bus faults, commands out of order.
  bool has_misbehaved() const { return misbehaved_ || mmu_.counters().mistakes != 0; }

 private:
  static emu::Quirks quirks(emu::Quirks::Caching caching, std::uint64_t seed);

  std::uint32_t read32(std::uint32_t offset) override { return file_.read(offset); }
  void write32(std::uint32_t offset, std::uint32_t value) override { file_.write(offset, value); }
  void set(bool) override {}
  TimePoint now() override { return {}; }
  void work_arrived() override {}
  void report_bus_fault(PhysAddr, emu::Access, emu::AsIndex) override { misbehaved_ = true; }
  Outcome flush_all_caches() noexcept override { return Outcome::kDone; }
  void request_reset(const char*) noexcept override { misbehaved_ = true; }
  void on_vm_fault(driver::Vm&, const driver::MmuFault&) noexcept override { misbehaved_ = true; }

  bool misbehaved_ = false;
  uapi::DramWindow window_;
  InlineExecutor executor_;
  driver::FrameAllocator frames_;
  driver::ArenaBacking backing_;
  driver::BufferStore buffers_;
  driver::PagePool pages_;
  emu::RegisterFile file_;
  emu::IrqBlock irq_;
  emu::Mmu mmu_;
  LossyRegisters registers_;
  driver::AddressSpaces spaces_;
  driver::Cleanup cleanup_;
  driver::VmDevice device_;
};

}  // namespace pantry::campaigns
