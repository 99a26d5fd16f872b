// SPDX-License-Identifier: MIT
#include "driver/csf/job_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
