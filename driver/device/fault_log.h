// SPDX-License-Identifier: MIT
//
// Remembers the latest MMU faults of all VMs for reports, and passes each on to the scheduler.
#pragma once

#include <array>
#include <atomic>
#include <vector>

#include "base/mutex.h"
#include "driver/device/device.h"

namespace pantry::driver {

class FaultLog final : public VmFaultListener {
 public:
  explicit FaultLog(Clock& clock) : clock_(clock) {}

  // Who is told, after it was written down; may be null.
  void set_next(VmFaultListener* next) { next_.store(next); }
  // On the interrupt lane; allocates nothing.
  void on_vm_fault(Vm& vm, const MmuFault& fault) noexcept override;

  // Oldest first. Allocates.
  std::vector<Device::FaultRecord> faults() const PANTRY_MAY_ALLOCATE;

 private:
  Clock& clock_;
  std::atomic<VmFaultListener*> next_{nullptr};
  mutable Mutex mutex_;
  std::array<Device::FaultRecord, Device::kFaultsKept> records_ PANTRY_GUARDED_BY(mutex_);
  std::uint64_t count_ PANTRY_GUARDED_BY(mutex_) = 0;  // ever
};

}  // namespace pantry::driver
