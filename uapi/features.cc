// SPDX-License-Identifier: MIT
#include "uapi/features.h"

#include "base/check.h"

namespace pantry::uapi {
namespace {

using FaultErrors = driver::Scheduler::Config::FaultErrors;
using PastUserArea = driver::BindRules::PastUserArea;

// What a minor changes against the one before. Changes that came without a minor of their own stand
// with the one that their kernel release had.
struct Row {
  std::uint32_t minor;
  void (*change)(Features& features);
};

constexpr Row kTable[] = {
    {1,
     [](Features& features) {
       features.timestamp_info = Features::TimestampInfo::kWhole;
       features.set_client_name = true;
       features.fdinfo = true;
       features.profiling = true;
       features.bind.past_user_area = PastUserArea::kFailAtEntryWhenSync;
     }},
    {2,
     [](Features& features) {
       features.group_priorities_info = true;
       features.realtime_priority = true;
     }},
    {3, [](Features& features) { features.group_innocent = true; }},
    {4,
     [](Features& features) {
       features.bo_set_label = true;
       features.fdinfo_memory = true;
       features.debugfs_gems = true;
       features.no_mmap_refused_early = true;
       features.syncobj_fd_points = true;
     }},
    {5,
     [](Features& features) {
       features.set_user_mmio_offset = true;
       features.fault_errors = FaultErrors::kEvery;
     }},
    {6,
     [](Features& features) {
       features.gpu_features_field = true;
       features.counters = driver::Firmware::Counters::kOn;
     }},
    {7,
     [](Features& features) {
       features.wb_mmap = true;
       features.selected_coherency = true;
       features.bo_sync = true;
       features.bo_query_info = true;
     }},
    {8, [](Features& features) { features.timestamp_info = Features::TimestampInfo::kChosen; }},
    {9,
     [](Features& features) {
       features.mmu_info = true;
       features.bind.sparse = true;
     }},
};

}  // namespace

Features features_of(std::uint32_t minor) {
  PANTRY_CHECK(minor <= kLastKnownMinor);
  Features features;
  features.minor = minor;
  for (const Row& row : kTable)
    if (row.minor <= minor) row.change(features);
  return features;
}

}  // namespace pantry::uapi
