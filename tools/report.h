// SPDX-License-Identifier: MIT
//
// What `pantry run --report` prints when the client has ended: each step with its time, each VM as
// it was before its client destroyed it or closed its file, the address spaces and the faults. For
// a person to read.
#pragma once

#include <string>
#include <vector>

#include "driver/vm/vm.h"
#include "uapi/machine/machine.h"
#include "uapi/server/server_observer.h"

namespace pantry::tools {

class Report final : public uapi::ServerObserver {
 public:
  explicit Report(uapi::Machine& machine);

  void on_start(uapi::Session& session, const uapi::IoctlRequest& request,
                uapi::UserMemory& memory) override;
  void on_ioctl(const Ioctl& ioctl) override;
  void on_release(uapi::Session& session) override;

  std::string text();

 private:
  std::string heading(const std::string& client, std::uint32_t id, const driver::Vm& vm,
                      const char* end) const;

  uapi::Machine& machine_;
  const TimePoint start_;
  Mutex mutex_;
  std::vector<Ioctl> ioctls_ PANTRY_GUARDED_BY(mutex_);
  // Of the VM that is being destroyed: it counts once that has succeeded.
  std::string leaving_ PANTRY_GUARDED_BY(mutex_);
  std::string gone_ PANTRY_GUARDED_BY(mutex_);
};

}  // namespace pantry::tools
