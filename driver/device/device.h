// SPDX-License-Identifier: MIT
//
// The driver's view of one GPU: brings it up as Panthor does (ids, L2, address spaces, firmware, scheduler), dispatches
// its interrupts, resets it when it does not answer, and takes it down. Everything a client can have hangs off a File
// (file.h).
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "driver/csf/scheduler.h"
#include "driver/device/interrupt_line.h"
#include "driver/gem/buffer_store.h"

namespace pantry::driver {

// The values of DEV_QUERY GPU_INFO, read from the registers at bring-up; field names as in struct drm_panthor_gpu_info.
struct GpuInfo {
  std::uint32_t gpu_id, gpu_rev, csf_id, l2_features, tiler_features, mem_features, mmu_features, thread_features;
  std::uint32_t max_threads, thread_max_workgroup_size, thread_max_barrier_size, coherency_features;
  std::uint32_t texture_features[4];
  std::uint32_t as_present;
  std::uint32_t selected_coherency;
  std::uint64_t shader_present, l2_present, tiler_present;
  std::uint32_t core_features;
  std::uint64_t gpu_features;
  std::uint32_t va_bits() const { return mmu_features & 0xff; }
  std::uint32_t pa_bits() const { return mmu_features >> 8 & 0xff; }
};

struct CsifInfo {
  std::uint32_t csg_slot_count, cs_slot_count, cs_reg_count, scoreboard_slot_count, unpreserved_cs_reg_count;
};

struct DeviceConfig {
  Executor& executor;
  emu::Mmio& mmio;
  emu::Dram dram;
  InterruptLine& gpu_irq;
  InterruptLine& job_irq;
  InterruptLine& mmu_irq;
  emu::UserPage user_page;
  Backing& backing;
  FrameAllocator& frames;
  std::span<const std::uint8_t> firmware_image;  // mali-csf-hw.md §3.1
  Scheduler::Config::FaultErrors fault_errors = Scheduler::Config::FaultErrors::kInheritOnly;
};

class Device final : private ResetRequest, private InterruptHandler {
 public:
  // Brings the device up. The errno of the step that failed, with a log line that says which.
  static Result<std::unique_ptr<Device>> probe(const DeviceConfig& config) PANTRY_MAY_ALLOCATE;
  // Every File is gone. Powers the device down.
  ~Device();

  const GpuInfo& gpu_info() const;
  const CsifInfo& csif_info() const;
  VmDevice& vm_device();
  BufferStore& buffers();
  Scheduler& scheduler();
  AddressSpaces& spaces();
  PagePool& pages();
  Cleanup& cleanup();
  Executor& executor();

  // A reset whose boot failed unplugs the device: every ioctl and mmap gets ENODEV from then on.
  bool unplugged() const noexcept;
  // Waits until no work is queued, no clean-up pending and no job in flight. For tests and leak checks.
  void settle() PANTRY_MAY_WAIT;
  // For fault injection and tests: as if a limit had expired.
  void request_reset(const char* why) noexcept override;

  // DRM master and client ids of the device's nodes (file.h).
  struct Nodes;
  Nodes& nodes();

 private:
  struct State;
  explicit Device(std::unique_ptr<State> state);
  void handle_interrupt() override;
  std::unique_ptr<State> state_;
};

}  // namespace pantry::driver
