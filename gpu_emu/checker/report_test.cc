// SPDX-License-Identifier: MIT
#include "gpu_emu/checker/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace pantry::emu {
namespace {

using testing::HasSubstr;

CheckerReport full_report() {
  CheckerReport report;
  report.mistake = Mistake::kFreedFrameAccess;
  report.as = {3};
  report.times = 2;
  report.va = GpuVa{0x1234'5000};
  report.cause = Mistake::kMissingFlush;
  report.level = 3;
  report.difference = Difference::kUnmapped;
  report.was = FetchedEntry{{0x4010'0008}, 0x6000'0f47};
  report.frame = PhysAddr{0x6000'0000};
  report.owner_then = 17;
  report.commands[0] = {41, {3}, CommandRecord::Command::kLock, {{0}, {0x7fff}}};
  report.commands[1] = {42, {3}, CommandRecord::Command::kUnlock, {{0}, {0x7fff}}};
  report.command_count = 2;
  report.unchanged_at = 42;
  return report;
}

TEST(CheckerReport, TextNamesEverything) {
  const std::string text = text_of(full_report());
  for (const char* part :
       {"freed-frame-access", "address space 3", "0x12345000", "2 times", "level 3", "0x40100008",
        "0x0000000060000f47", "unmapped", "0x60000000", "owner 17 then, 0 now", "missing-flush",
        "#41 AS 3 LOCK 0x0 to 0x7fff", "#42 AS 3 UNLOCK 0x0 to 0x7fff  <- unchanged until here"})
    EXPECT_THAT(text, HasSubstr(part));
  EXPECT_EQ(text.back(), '\n');
}

TEST(CheckerReport, TextStopsWhereTheRoomEnds) {
  std::array<char, 64> room;
  room.fill('#');
  EXPECT_EQ(write_text(full_report(), std::span(room).first(20)), 20u);
  EXPECT_EQ(room[20], '#');
}

TEST(CheckerReport, Json) {
  const CheckerReport report = full_report();
  EXPECT_EQ(json_of(std::span(&report, 1)),
            "[{\"mistake\": \"freed-frame-access\", \"explanation\": \"a cached translation leads "
            "to a frame that was given back\", \"as\": 3, \"times\": 2, \"va\": \"0x12345000\", "
            "\"cause\": \"missing-flush\", \"level\": 3, \"difference\": \"unmapped\", \"entry\": "
            "{\"place\": \"0x40100008\", \"was\": \"0x60000f47\", \"is\": \"0x0\"}, \"frame\": "
            "\"0x60000000\", \"owner_then\": 17, \"owner_now\": null, \"commands\": [{\"number\": "
            "41, \"as\": 3, \"command\": \"LOCK\", \"first\": \"0x0\", \"last\": \"0x7fff\"}, "
            "{\"number\": 42, \"as\": 3, \"command\": \"UNLOCK\", \"first\": \"0x0\", \"last\": "
            "\"0x7fff\"}]}]\n");
  EXPECT_EQ(json_of({}), "[]\n");
}

TEST(Mistake, NamesAreDifferent) {
  std::set<std::string_view> names;
  for (std::size_t n = 0; n < kMistakes; ++n) {
    EXPECT_FALSE(explain(static_cast<Mistake>(n)).empty());
    names.insert(name_of(static_cast<Mistake>(n)));
  }
  EXPECT_EQ(names.size(), kMistakes);
}

}  // namespace
}  // namespace pantry::emu
