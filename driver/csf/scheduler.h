// SPDX-License-Identifier: MIT
//
// Decides which groups sit on the device's CSG slots, programs the slots through the firmware
// interface, turns firmware events into signalled fences, and takes everything down and up again
// around a reset. All groups that can run make progress, also when there are more of them than
// slots, and more VMs than address spaces.
//
// Ticks, events and resets run on Lane::kScheduler, inside a SignallingSection. The lock of the
// scheduler is taken by jobs that start, so under it nothing is allocated, freed, logged or waited
// for but the device (at most 100 ms at a time). The interrupt path that completes an acknowledge
// never takes it, and neither does the one that signals the fences of finished jobs.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "driver/csf/device_power.h"
#include "driver/csf/firmware.h"
#include "driver/csf/group.h"
#include "driver/csf/profiling.h"
#include "driver/memory/allocation_faults.h"
#include "driver/mmu/cache_flusher.h"

namespace pantry::driver {

class Scheduler final : public VmFaultListener, public FirmwareListener {
 public:
  struct State;

  struct Config {
    Executor& executor;
    Cleanup& cleanup;
    emu::Dram dram;
    Firmware& firmware;
    AddressSpaces& spaces;
    CacheFlusher& caches;
    AllocationFaults& faults;
    ResetRequest& reset;
    // Set while a reset is wanted or under way: no tick until resume_all.
    const std::atomic<bool>& reset_pending;
    // What CS_FAULT does to the job's fence: only CS_INHERIT_FAULT (Linux 6.12), or every fault.
    enum class FaultErrors { kInheritOnly, kEvery } fault_errors = FaultErrors::kInheritOnly;
    DevicePower* power = nullptr;  // null: the device stays on
  };
  // `config.firmware` has booted. Allocates.
  explicit Scheduler(const Config& config);
  // Every group is gone (CHECK), and nobody calls the listeners any more.
  ~Scheduler() PANTRY_MAY_WAIT;

  // GROUP_CREATE's last steps: suspend buffers, sync objects, rings. EINVAL for queue parameters,
  // ENOMEM, ENOSPC; ENODEV once a reset has failed.
  Result<Ref<Group>> create_group(Ref<Vm> vm, const GroupArgs& args) PANTRY_MAY_ALLOCATE;

  // What jobs prepared from now on have noted about them. Any thread.
  void set_profiling(Profiling profiling) noexcept;
  Profiling profiling() const noexcept;

  // On the interrupt lane.
  void on_firmware_events(std::uint32_t job_interrupts) noexcept override;
  void on_vm_fault(Vm& vm, const MmuFault& fault) noexcept override;

  // VM_DESTROY waits for a tick that is already pending if a group of `vm` sits on a slot. Not from
  // a work item.
  void settle(Vm& vm) PANTRY_MAY_WAIT;

  // No group runs or wants to: what waits for a sync object does not count.
  bool is_idle() const;
  // Around a reset or a runtime suspend, on Lane::kScheduler. Afterwards no group sits on a slot;
  // jobs may be pushed all the while.
  void suspend_all() noexcept;
  // kResetFailed: for good, every job ends with ECANCELED.
  enum class After { kReset, kResetFailed };
  void resume_all(After after) noexcept;

  // For the report and for leak checks.
  struct Totals {
    std::uint32_t groups = 0;     // alive, destroyed ones that still have jobs included
    std::uint32_t resident = 0;   // on a slot
    std::uint32_t in_flight = 0;  // jobs in a ring whose fence has not signalled
    std::uint64_t ticks = 0;
    std::uint64_t jobs = 0;  // ever put into a ring
  };
  Totals totals() const;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace pantry::driver
