// SPDX-License-Identifier: MIT
//
// The GPU of a guest kernel: a socket in the file system and a thread that serves whoever connects,
// one host after the other, each with a device of its own. From construction to destruction, which
// hangs up.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "gpu_emu/remote/descriptor.h"
#include "gpu_emu/remote/remote_device.h"

namespace pantry::tools {

class KernelDevice {
 public:
  // Listens on `path` from when it returns. ENAMETOOLONG and the like.
  static Result<std::unique_ptr<KernelDevice>> listen(const std::string& path,
                                                      const emu::RemoteDeviceConfig& config);
  ~KernelDevice();
  KernelDevice(const KernelDevice&) = delete;
  KernelDevice& operator=(const KernelDevice&) = delete;

  // Hangs up, and hands over what the checker has found in all connections. Once.
  std::vector<emu::CheckerReport> end();
  // Resets that were no suspend, in all connections. After end().
  std::uint64_t recoveries() const { return recoveries_; }

 private:
  KernelDevice(emu::Descriptor listener, emu::Descriptor stop,
               const emu::RemoteDeviceConfig& config);
  void serve();

  const emu::Descriptor listener_;
  const emu::Descriptor stop_;  // an eventfd
  const emu::RemoteDeviceConfig config_;
  std::vector<emu::CheckerReport> mistakes_;  // the thread's until it has ended
  std::uint64_t recoveries_ = 0;              // likewise
  std::thread thread_;
};

}  // namespace pantry::tools
