// SPDX-License-Identifier: MIT
#include "driver/device/fault_log.h"

#include <algorithm>

namespace pantry::driver {

void FaultLog::on_vm_fault(Vm& vm, const MmuFault& fault) noexcept {
  {
    MutexLock lock(mutex_);
    records_[count_++ % records_.size()] = {fault, clock_.now()};
  }
  if (VmFaultListener* const next = next_.load()) next->on_vm_fault(vm, fault);
}

std::vector<Device::FaultRecord> FaultLog::faults() const {
  std::vector<Device::FaultRecord> result;
  result.reserve(Device::kFaultsKept);
  MutexLock lock(mutex_);
  const std::uint64_t kept = std::min<std::uint64_t>(count_, records_.size());
  for (std::uint64_t i = count_ - kept; i < count_; ++i)
    result.push_back(records_[i % records_.size()]);
  return result;
}

}  // namespace pantry::driver
