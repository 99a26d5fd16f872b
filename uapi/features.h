// SPDX-License-Identifier: MIT
//
// What each minor of the panthor uAPI has, in one table: whatever differs between versions asks
// here and nowhere else. VERSION reports the highest minor that is complete; `--uapi 1.0` means
// exactly the rules of Linux 6.12 (panthor-uapi.md §0 and §K).
#pragma once

#include <cstdint>

#include "driver/csf/scheduler.h"
#include "driver/device/device.h"
#include "driver/vm/bind_op.h"

namespace pantry::uapi {

struct Features {
  std::uint32_t minor = 0;

  // 1.1
  enum class TimestampInfo : std::uint8_t {
    kUnknown,
    kWhole,   // 24 bytes, always all of them
    kChosen,  // 1.8: 56 bytes, of which the caller's flags choose
  } timestamp_info = TimestampInfo::kUnknown;
  bool set_client_name = false;  // a call of the DRM core's (6.13)
  bool fdinfo = false;           // who the client is, and the GPU's clock (6.13)
  bool profiling = false;        // the sysfs attribute (6.13)
  // 1.2
  bool group_priorities_info = false;
  bool realtime_priority = false;
  // 1.3
  bool group_innocent = false;
  // 1.4
  bool bo_set_label = false;
  bool fdinfo_memory = false;          // what it holds (6.15)
  bool debugfs_gems = false;           // the file of that name
  bool no_mmap_refused_early = false;  // BO_MMAP_OFFSET of a NO_MMAP buffer is EPERM
  bool syncobj_fd_points = false;      // SYNCOBJ_HANDLE_TO_FD and its reverse take a point (6.16)
  // 1.5
  bool set_user_mmio_offset = false;
  driver::Scheduler::Config::FaultErrors fault_errors =
      driver::Scheduler::Config::FaultErrors::kInheritOnly;
  // 1.6
  bool gpu_features_field = false;  // GPU_INFO has 112 bytes instead of 104
  driver::Firmware::Counters counters = driver::Firmware::Counters::kOff;
  // 1.7
  bool wb_mmap = false;
  bool selected_coherency = false;  // in GPU_INFO
  bool bo_sync = false;
  bool bo_query_info = false;
  // 1.9
  bool mmu_info = false;

  driver::BindRules bind;
};

// The last minor that the table knows. What is missing of one that is not complete fails as a gap.
inline constexpr std::uint32_t kLastKnownMinor = 9;
// The highest minor whose every ioctl, flag and rule is in place.
inline constexpr std::uint32_t kNewestMinor = 9;

// Pre: minor <= kLastKnownMinor.
Features features_of(std::uint32_t minor);

}  // namespace pantry::uapi
