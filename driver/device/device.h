// SPDX-License-Identifier: MIT
//
// The driver's view of one GPU: brings it up as Panthor does (ids, L2, address spaces, firmware,
// scheduler), dispatches its interrupts, resets it when it does not answer, and takes it down.
// Everything a client can have hangs off a File (file.h).
//
// While nothing runs for DeviceConfig::autosuspend_delay the GPU is suspended (mali-csf-hw.md §1.7,
// errata B.3): its groups are in their suspend buffers, no VM has an address space, the firmware's
// memory is kept. The next job brings it up again; no client notices but by the flush id, which
// reads as 1 meanwhile.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "driver/csf/firmware.h"
#include "driver/csf/scheduler.h"
#include "driver/device/interrupt_line.h"
#include "driver/gem/buffer_names.h"
#include "driver/gem/buffer_store.h"
#include "driver/provision/provisioning.h"

namespace pantry::driver {

class PagePool;
class Shrinker;

// The values of DEV_QUERY GPU_INFO, read from the registers at bring-up; field names as in struct
// drm_panthor_gpu_info.
struct GpuInfo {
  std::uint32_t gpu_id, gpu_rev, csf_id, l2_features, tiler_features, mem_features, mmu_features,
      thread_features;
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

// GPU time at one moment, raw register values but for `timestamp_hz`.
struct GpuTime {
  std::uint64_t timestamp = 0;         // the system counter with `timestamp_offset` added
  std::uint64_t timestamp_offset = 0;  // ticks
  std::uint64_t cycles = 0;            // of the GPU's clock, while they are counted
};

struct CsifInfo {
  std::uint32_t csg_slot_count, cs_slot_count, cs_reg_count, scoreboard_slot_count,
      unpreserved_cs_reg_count;
};

// Panthor's.
inline constexpr Duration kAutosuspendDelay = milliseconds(50);

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
  Firmware::Counters counters = Firmware::Counters::kOff;
  std::uint64_t timestamp_hz = 0;  // ticks of the system counter per second; 0: unknown
  std::uint32_t max_pending_table_pages = kMaxPendingTablePages;  // per VM
  std::uint64_t core_hz = 0;  // of the GPU's clock, which does not change; 0: unknown
  std::optional<Duration> autosuspend_delay = kAutosuspendDelay;  // none: never suspended
  Provisioning provisioning = kDefaultProvisioning;               // of every VM, the firmware's too
  std::uint64_t swap_bytes = 0;  // for buffers that are evicted; 0: none ever is
  BindTimes bind_times = BindTimes::kOff;
};

class Device final : public ResetRequest {
 public:
  // Brings the device up. The errno of the step that failed, with a log line that says which.
  static Result<std::unique_ptr<Device>> probe(const DeviceConfig& config) PANTRY_MAY_ALLOCATE;
  // Every File is gone. Powers the device down.
  ~Device() PANTRY_MAY_WAIT;

  const GpuInfo& gpu_info() const;
  const CsifInfo& csif_info() const;
  // About seven register reads, of a device that is brought up for it if it is suspended. Not from
  // a work item.
  GpuTime gpu_time() PANTRY_MAY_WAIT;
  // Ticks of GpuTime::timestamp per second, 0 if the platform does not say.
  std::uint64_t timestamp_hz() const;
  // Of the GPU's clock, 0 if the platform does not say.
  std::uint64_t core_hz() const;
  VmDevice& vm_device();
  BufferStore& buffers();
  BufferNames& buffer_names();
  Scheduler& scheduler();
  AddressSpaces& spaces();
  PagePool& pages();
  Shrinker& shrinker();
  Cleanup& cleanup();
  Executor& executor();

  // A reset whose boot failed unplugs the device: every ioctl and mmap gets ENODEV from then on.
  bool unplugged() const noexcept;
  // Waits until no work is queued, no clean-up pending and no job in a ring unfinished. For tests
  // and leak checks.
  void settle() PANTRY_MAY_WAIT;
  // For lower rooms, fault injection and tests: as if a limit had expired. Any context.
  void request_reset(const char* why) noexcept override;
  bool suspended() const noexcept;
  // Resets done since probe.
  std::uint64_t resets() const noexcept;

  // The latest MMU faults of any VM, oldest first, at most kFaultsKept.
  struct FaultRecord {
    MmuFault fault;
    TimePoint time;
  };
  static constexpr std::size_t kFaultsKept = 64;
  std::vector<FaultRecord> faults() const PANTRY_MAY_ALLOCATE;

  // For reports: the firmware's VM, and those of all open files. Throws std::bad_alloc.
  std::vector<Ref<Vm>> vms() PANTRY_MAY_ALLOCATE;

  // Who is DRM master of the device's primary node, and whom masters know (nodes.h).
  struct Nodes;
  Nodes& nodes();

 private:
  struct State;
  explicit Device(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace pantry::driver
