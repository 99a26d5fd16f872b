// SPDX-License-Identifier: MIT
//
// For tests: hardware that breaks down when it is told to. Address space 0, the firmware's, takes
// no command any more, so that the next reset ends in an unplugged device.
#pragma once

#include <atomic>

#include "gpu_emu/misbehaviour.h"

namespace pantry::uapi {

class UnbootableGpu final : public emu::Misbehaviour {
 public:
  void break_down() { broken_ = true; }

  bool as_command_sticks(std::uint32_t as) override { return broken_ && as == 0; }

 private:
  std::atomic<bool> broken_{false};
};

}  // namespace pantry::uapi
