// SPDX-License-Identifier: MIT
#include "driver/csf/job_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace pantry::driver {
namespace {

using ::testing::ElementsAreArray;

// mali-csf-hw.md §4.7: what Linux puts into the ring of a G610.
TEST(JobStream, WordsAreThoseOfLinux) {
  const JobStream stream({.stream = {0x7f12'3450'0000},
                          .bytes = 0x40,
                          .flush_id = 0,
                          .sync_object = {0x7fff'f000'1000},
                          .registers = 96,
                          .scoreboards = 8});
  const std::uint64_t golden[] = {0x025e'0000'0000'0000,
                                  0x2400'5e00'0000'0233,
                                  0x015c'7f12'3450'0000,
                                  0x025e'0000'0000'0040,
                                  0x0300'0000'0001'0000,
                                  0x2000'5c5e'0000'0000,
                                  0x015c'7fff'f000'1000,
                                  0x015e'0000'0000'0001,
                                  0x0300'0000'00ff'0000,
                                  0x3300'5c5e'0000'0001,
                                  0x2f00'0000'0000'0000,
                                  0,
                                  0,
                                  0,
                                  0,
                                  0};
  EXPECT_THAT(stream.words(), ElementsAreArray(golden));
}

TEST(JobStream, RegistersScoreboardsAndFlushIdAreTheArguments) {
  const JobStream stream({.stream = {0x1000},
                          .bytes = 8,
                          .flush_id = 0x00ab'cdef,
                          .sync_object = {0x2000},
                          .registers = 64,
                          .scoreboards = 4});
  EXPECT_EQ(stream.words()[0], 0x023e'0000'00ab'cdefu);  // MOVE32 r62
  EXPECT_EQ(stream.words()[5], 0x2000'3c3e'0000'0000u);  // CALL r60, r62
  EXPECT_EQ(stream.words()[8], 0x0300'0000'000f'0000u);  // WAIT 0..3
}

struct Profiled {
  Profiling profiling;
  std::vector<std::uint64_t> before;
  std::vector<std::uint64_t> after;
};

// panthor-uapi.md E.2: cycles go through r92, time through r94, before and behind the call.
TEST(JobStream, ProfiledOnesNoteCountersAroundTheCall) {
  const std::vector<std::uint64_t> cycles_before = {0x015c'7fff'e000'0020, 0x2800'5c01'0000'0000};
  const std::vector<std::uint64_t> cycles_after = {0x015c'7fff'e000'0028, 0x2800'5c01'0000'0000};
  const std::vector<std::uint64_t> time_before = {0x015e'7fff'e000'0030, 0x2800'5e00'0000'0000};
  const std::vector<std::uint64_t> time_after = {0x015e'7fff'e000'0038, 0x2800'5e00'0000'0000};
  const auto both = [](std::vector<std::uint64_t> a, const std::vector<std::uint64_t>& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
  };
  const Profiled cases[] = {
      {Profiling::kCycles, cycles_before, cycles_after},
      {Profiling::kTime, time_before, time_after},
      {Profiling::kBoth, both(cycles_before, time_before), both(cycles_after, time_after)}};
  JobStreamArgs args{.stream = {0x7f12'3450'0000},
                     .bytes = 0x40,
                     .flush_id = 0,
                     .sync_object = {0x7fff'f000'1000},
                     .registers = 96,
                     .scoreboards = 8};
  const JobStream plain(args);
  for (const Profiled& with : cases) {
    args.profiling = with.profiling;
    args.profile = {0x7fff'e000'0020};
    const JobStream stream(args);
    std::vector<std::uint64_t> expected(plain.words().begin(), plain.words().begin() + 11);
    expected.insert(expected.begin() + 6, with.after.begin(), with.after.end());
    expected.insert(expected.begin() + 2, with.before.begin(), with.before.end());
    expected.resize(with.profiling == Profiling::kBoth ? 24 : 16);
    EXPECT_THAT(stream.words(), ElementsAreArray(expected));
  }
}

// The uAPI asks for an alignment only, so a client can name any address.
TEST(JobStream, AnAddressBeyond48BitsIsNoConcernOfTheDriver) {
  const JobStream stream({.stream = {0xff01'0000'0000'0040},
                          .bytes = 8,
                          .flush_id = 0,
                          .sync_object = {0x2000},
                          .registers = 96,
                          .scoreboards = 8});
  EXPECT_EQ(stream.words()[2], 0xff5d'0000'0000'0040u);
}

}  // namespace
}  // namespace pantry::driver
