// SPDX-License-Identifier: MIT
//
// The emulated GPU with nothing around it but memory, page tables and a group of one queue: what
// the device costs without a driver. The host's part is the shortest sequence of registers that
// gets a job through. Time is the host's clock. Allocates in the constructor only; one thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "gpu_emu/gpu.h"
#include "gpu_emu/mcu/interface_host.h"
#include "gpu_emu/mmu/mmu_rig.h"

namespace pantry::bench {

class DeviceRig final : private emu::InterfacePort,
                        private emu::IrqLine,
                        private emu::Wake,
                        private emu::TimeSource {
 public:
  // Up to the group's START. A device that does not get that far is a bug.
  explicit DeviceRig(const emu::Quirks& quirks);

  // Leaves of [va, va + bytes) to [pa, ...), of 4 KiB (level 3) or 2 MiB (level 2), before the
  // first job that uses them. `pa` is above kFreeMemory.
  void map(std::uint64_t va, std::uint64_t pa, std::uint64_t bytes, unsigned level);
  static constexpr std::uint64_t kFreeMemory = emu::SparseMemory::kBase + 0x400'0000;
  std::uint8_t* host(std::uint64_t pa) { return memory_.dram().host + (pa - memory_.kBase); }

  // What the next job calls; at most 64 KiB.
  void load(std::span<const std::uint64_t> stream);
  // One job as Panthor makes it, from doorbell to JOB interrupt. One that fails is a bug.
  void run_job();
  // Executed so far.
  std::uint64_t instructions() { return gpu_.dump().firmware.instructions; }

 private:
  static constexpr std::uint64_t kSectionPa = emu::SparseMemory::kBase + 0x200'0000;
  static constexpr std::uint64_t kQueuePa = kSectionPa + kMiB;
  static constexpr std::uint64_t kQueueVa = 0x7f00'0000'0000;  // ring, stream, sync object
  static constexpr std::uint64_t kStreamVa = kQueueVa + 0x1'0000;
  static constexpr std::uint64_t kSyncVa = kQueueVa + 0x4'0000;
  static constexpr std::uint32_t kRingBytes = 4096;
  static constexpr std::uint32_t kSlot = 0;

  std::uint32_t load(std::uint32_t va) override;
  void store(std::uint32_t va, std::uint32_t value) override;
  void ring(std::uint32_t page) override;
  void set(bool) override {}
  void wake() override {}
  TimePoint now() override;

  emu::HostPorts ports();
  std::uint64_t new_table();
  void map_leaf(std::uint64_t root, std::uint64_t va, std::uint64_t leaf, unsigned level);
  void enable_address_space(std::uint32_t as, std::uint64_t root);
  template <class Done>
  void run_until(Done done);
  std::uint32_t take_job_interrupts();
  emu::InterfaceHost::Queue queue() const;

  emu::SparseMemory memory_;
  std::atomic<std::uint32_t> user_page_{0};
  std::uint64_t next_table_ = emu::SparseMemory::kBase;
  std::uint64_t section_root_;
  std::uint64_t user_root_;
  emu::Gpu gpu_;
  emu::InterfaceHost host_;
  std::uint32_t stream_bytes_ = 0;
};

}  // namespace pantry::bench
