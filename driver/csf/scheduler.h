// SPDX-License-Identifier: MIT
//
// Decides which groups sit on the device's CSG slots, programs the slots through the firmware interface, turns firmware
// events into signalled fences, and takes everything down and up again around a reset. All groups that can run make
// progress, also when there are more of them than slots, and more VMs than address spaces.
//
// Ticks, resets and suspends run on Lane::kScheduler. Its lock is never held while fences are waited for or memory is
// allocated, and the interrupt path that completes an acknowledge never takes it.
#pragma once

#include <memory>

#include "driver/csf/firmware.h"
#include "driver/csf/group.h"

namespace pantry::driver {

class Scheduler final : public VmFaultListener {
 public:
  struct Config {
    Executor& executor;
    Cleanup& cleanup;
    emu::Mmio& mmio;
    Firmware& firmware;
    AddressSpaces& spaces;
    ResetRequest& reset;
    // What CS_FAULT does to the job's fence: only CS_INHERIT_FAULT (Linux 6.12), or every fault.
    enum class FaultErrors { kInheritOnly, kEvery } fault_errors = FaultErrors::kInheritOnly;
  };
  explicit Scheduler(const Config& config);
  ~Scheduler();

  // GROUP_CREATE's last steps: suspend buffers, sync objects, rings. EINVAL for queue parameters, ENOMEM, ENOSPC.
  Result<Ref<Group>> create_group(Ref<Vm> vm, const GroupArgs& args) PANTRY_MAY_ALLOCATE;

  // The CSG bits of the JOB interrupt; on the interrupt lane.
  void handle_group_events(std::uint32_t csg_mask);
  void handle_global_event();
  void on_vm_fault(Vm& vm, const MmuFault& fault) noexcept override;

  // VM_DESTROY waits for a tick that is already pending if a group of `vm` sits on a slot. Not from a work item.
  void settle(Vm& vm) PANTRY_MAY_WAIT;

  // Around a reset or a runtime suspend, on Lane::kScheduler.
  void suspend_all();
  enum class After { kReset, kSuspend, kResetFailed };
  void resume_all(After after);

  // For the report and for leak checks.
  struct Totals {
    std::uint32_t groups = 0;
    std::uint32_t resident = 0;
    std::uint64_t ticks = 0;
    std::uint64_t jobs = 0;
  };
  Totals totals() const;

 private:
  friend class Group;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pantry::driver
