// SPDX-License-Identifier: MIT
//
// `pantry kernel`: boots Linux with its own, unpatched Panthor driver on the emulated GPU, and runs
// one program as that driver's client. Builds the kernel first where need be.
//
// The program sees the host's file system, has this process's directory and environment, and
// nothing to read from its standard input. The kernel's log goes to stderr, or to a file; Pantry's
// own log (the device's) stands in line with it.
#pragma once

#include <string>
#include <vector>

#include "gpu_emu/datasheet/model.h"
#include "gpu_emu/inject/fault_plan.h"
#include "gpu_emu/quirks.h"
#include "gpu_emu/remote/remote_device.h"

namespace pantry::tools {

struct KernelOptions {
  datasheet::GpuModel model = datasheet::kMaliG610;
  emu::Quirks quirks;
  std::vector<emu::FaultPlan> faults;  // that the hardware has
  // The driver's mistakes with the MMU.
  emu::RemoteDeviceConfig::Check checker = emu::RemoteDeviceConfig::Check::kOff;
  std::string checker_json;       // a file for them; empty: none
  emu::MmioSeam* seam = nullptr;  // between driver and device; only to test tests
  enum class Check { kOff, kOn } kasan = Check::kOff, lockdep = Check::kOff;
  enum class Gdb { kOff, kOn } gdb = Gdb::kOff;
  std::string source;      // of Linux; empty: Debian's
  std::string kernel_log;  // a file; empty: stderr
  std::vector<std::string> command;
};

struct KernelOutcome {
  int status = 0;  // of the program; 125 when the kernel does not build, boot or live as long as it
  std::vector<emu::CheckerReport> mistakes;
};
KernelOutcome run_kernel(const KernelOptions& options);

// Prints the mistakes as well. The status; 125 also when checker_json cannot be written.
int kernel_command(const KernelOptions& options);

}  // namespace pantry::tools
