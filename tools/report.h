// SPDX-License-Identifier: MIT
//
// What `pantry run --report` prints when the client has ended: each step with its time, each VM as it was when its file was
// closed, the address spaces and the faults. For a person to read.
#pragma once

#include <string>
#include <vector>

#include "uapi/machine/machine.h"
#include "uapi/server/server_observer.h"

namespace pantry::tools {

class Report final : public uapi::ServerObserver {
 public:
  explicit Report(uapi::Machine& machine);

  void on_ioctl(const Ioctl& ioctl) override;
  void on_release(uapi::Session& session) override;

  std::string text();

 private:
  uapi::Machine& machine_;
  const TimePoint start_;
  Mutex mutex_;
  std::vector<Ioctl> ioctls_ PANTRY_GUARDED_BY(mutex_);
  std::string releases_ PANTRY_GUARDED_BY(mutex_);
};

}  // namespace pantry::tools
