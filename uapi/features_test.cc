// SPDX-License-Identifier: MIT
//
// The table of minors, a second time as plain facts (panthor-uapi.md §0, §K): what each minor has
// that the one before had not.
#include "uapi/features.h"

#include <drm/panthor_drm.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "uapi/ioctl_table.h"

namespace pantry::uapi {
namespace {

// Every field under a name.
std::set<std::string> names_of(const Features& features) {
  std::set<std::string> names;
  const auto add = [&](bool there, const char* name) {
    if (there) names.insert(name);
  };
  using TimestampInfo = Features::TimestampInfo;
  using PastUserArea = driver::BindRules::PastUserArea;
  add(features.timestamp_info != TimestampInfo::kUnknown, "TIMESTAMP_INFO");
  add(features.timestamp_info == TimestampInfo::kChosen, "TIMESTAMP_INFO flags");
  add(features.set_client_name, "SET_CLIENT_NAME");
  add(features.profiling, "profiling");
  add(features.group_priorities_info, "GROUP_PRIORITIES_INFO");
  add(features.realtime_priority, "REALTIME");
  add(features.group_innocent, "INNOCENT");
  add(features.bo_set_label, "BO_SET_LABEL");
  add(features.debugfs_gems, "gems");
  add(features.no_mmap_refused_early, "NO_MMAP is EPERM");
  add(features.syncobj_fd_points, "points of SYNCOBJ_HANDLE_TO_FD");
  add(features.set_user_mmio_offset, "SET_USER_MMIO_OFFSET");
  add(features.fault_errors == driver::Scheduler::Config::FaultErrors::kEvery, "every CS_FAULT");
  add(features.gpu_features_field, "gpu_features");
  add(features.counters == driver::Firmware::Counters::kOn, "GLB_COUNTER_EN");
  add(features.wb_mmap, "WB_MMAP");
  add(features.selected_coherency, "selected_coherency");
  add(features.bo_sync, "BO_SYNC");
  add(features.bo_query_info, "BO_QUERY_INFO");
  add(features.mmu_info, "MMU_INFO");
  add(features.bind.past_user_area == PastUserArea::kFailAtEntryWhenSync, "late range check");
  add(features.bind.sparse, "MAP_SPARSE");
  return names;
}

TEST(Features, EachMinorAddsWhatItBrought) {
  const std::vector<std::set<std::string>> brought = {
      {},
      {"TIMESTAMP_INFO", "SET_CLIENT_NAME", "profiling", "late range check"},
      {"GROUP_PRIORITIES_INFO", "REALTIME"},
      {"INNOCENT"},
      {"BO_SET_LABEL", "gems", "NO_MMAP is EPERM", "points of SYNCOBJ_HANDLE_TO_FD"},
      {"SET_USER_MMIO_OFFSET", "every CS_FAULT"},
      {"gpu_features", "GLB_COUNTER_EN"},
      {"WB_MMAP", "selected_coherency", "BO_SYNC", "BO_QUERY_INFO"},
      {"TIMESTAMP_INFO flags"},
      {"MMU_INFO", "MAP_SPARSE"},
  };
  ASSERT_EQ(brought.size(), kLastKnownMinor + 1);
  std::set<std::string> expected;
  for (std::uint32_t minor = 0; minor <= kLastKnownMinor; ++minor) {
    expected.insert(brought[minor].begin(), brought[minor].end());
    const Features features = features_of(minor);
    EXPECT_EQ(features.minor, minor);
    EXPECT_EQ(names_of(features), expected) << "uAPI 1." << minor;
  }
}

TEST(Features, TheNewestIsTheLastWithoutAGap) {
  EXPECT_TRUE(features_of(kNewestMinor).bind.sparse);
  EXPECT_LE(kNewestMinor, kLastKnownMinor);
}

// How many numbers of the driver's own there are, which follow each other.
TEST(IoctlTable, NumbersComeWithTheirMinor) {
  constexpr std::uint32_t kCounts[] = {13, 13, 13, 13, 14, 15, 15, 17, 17, 17};
  static_assert(std::size(kCounts) == kLastKnownMinor + 1);
  for (std::uint32_t minor = 0; minor <= kLastKnownMinor; ++minor) {
    const Features features = features_of(minor);
    for (std::uint32_t number = 0x40; number < 0xa0; ++number)
      EXPECT_EQ(find_ioctl(DRM_IO(number), features) != nullptr, number < 0x40 + kCounts[minor])
          << std::hex << number << " at 1." << minor;
    EXPECT_EQ(find_ioctl(DRM_IO(0xd1), features) != nullptr, minor >= 1);
    EXPECT_EQ(find_ioctl(DRM_IO(0xd2), features), nullptr) << "GEM_CHANGE_HANDLE came and went";
  }
}

TEST(IoctlTable, RequestValuesAreTheKernels) {
  constexpr std::uint32_t kValues[] = {0xC0106440, 0xC0106441, 0xC0086442, 0xC0186443, 0xC0086444,
                                       0xC0186445, 0xC0106446, 0xC0386447, 0xC0086448, 0xC0186449,
                                       0xC010644A, 0xC028644B, 0xC008644C, 0xC010644D, 0xC008644E,
                                       0xC010644F, 0xC0106450, 0xC01064D1};
  for (const std::uint32_t value : kValues) {
    const IoctlEntry* const entry = find_ioctl(value, features_of(kLastKnownMinor));
    ASSERT_NE(entry, nullptr) << std::hex << value;
    EXPECT_EQ(entry->command, value) << entry->name;
    EXPECT_EQ(entry->access, IoctlAccess::kAnyone) << entry->name;
  }
}

}  // namespace
}  // namespace pantry::uapi
