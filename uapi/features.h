// SPDX-License-Identifier: MIT
//
// What each minor of the panthor uAPI has, in one table: whatever differs between versions asks
// here and nowhere else. VERSION reports the highest minor that is complete; `--uapi 1.0` means
// exactly the rules of Linux 6.12 (panthor-uapi.md §0 and §K).
#pragma once

#include <cstdint>

#include "driver/csf/scheduler.h"
#include "driver/vm/bind_op.h"

namespace pantry::uapi {

struct Features {
  std::uint32_t minor = 0;
  bool realtime_priority = false;      // 1.2
  bool group_innocent = false;         // 1.3
  bool gpu_features_field = false;     // between 1.5 and 1.7
  bool wb_mmap = false;                // 1.7, with selected_coherency
  bool no_mmap_refused_early = false;  // BO_MMAP_OFFSET of a NO_MMAP buffer is EPERM (about 6.16)
  driver::BindRules bind;
  driver::Scheduler::Config::FaultErrors fault_errors =
      driver::Scheduler::Config::FaultErrors::kInheritOnly;
};

// The highest minor whose every ioctl, flag and rule is in place.
inline constexpr std::uint32_t kNewestMinor = 0;

// Pre: minor <= kNewestMinor.
Features features_of(std::uint32_t minor);

}  // namespace pantry::uapi
