// SPDX-License-Identifier: MIT
//
// The faults of --inject, for the commands that host a device.
#pragma once

#include <vector>

#include "gpu_emu/inject/injector.h"

namespace pantry::tools {

class InjectedFaults {
 public:
  explicit InjectedFaults(const std::vector<emu::FaultPlan>& plans);

  // Null when there are none, so that nothing asks.
  emu::Misbehaviour* misbehaviour() { return is_empty_ ? nullptr : &injector_; }
  // How often each kind was met, to stderr: a fault whose occasion never came shows as 0. And how
  // often the driver recovered the device (GpuDump). Nothing when no fault was planned.
  void print(std::uint64_t recoveries) const;

 private:
  const bool is_empty_;
  std::uint32_t kinds_ = 0;
  emu::Injector injector_;
};

}  // namespace pantry::tools
