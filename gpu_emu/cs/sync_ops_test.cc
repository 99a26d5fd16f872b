// SPDX-License-Identifier: MIT
#include "gpu_emu/cs/sync_ops.h"

#include <gtest/gtest.h>

#include "gpu_emu/cs/stream_fixture.h"

namespace pantry::emu {
namespace {

using datasheet::Exception;
using datasheet::cs::BlockedReason;
using isa::d;
using isa::r;

constexpr std::uint64_t kData = StreamRig::kData.value;
constexpr AsIndex kAs = StreamRig::kAs;

// d80 = the object, d82 = `data`
Program operands(std::uint64_t object, std::uint64_t data) {
  return program(isa::Move48{.dst = d(80), .imm = object}) + set64(d(82), data);
}

TEST(SyncUpdate, AddAndSetOfBothWidths) {
  StreamRig rig{Quirks{}};
  rig.memory.poke<std::uint64_t>(kAs, StreamRig::kData, 0xffff'ffff);
  rig.memory.poke<std::uint32_t>(kAs, StreamRig::kData + 8, 5);  // old status
  rig.memory.poke<std::uint32_t>(kAs, StreamRig::kData + 64, 0xffff'ffff);
  rig.memory.poke<std::uint32_t>(kAs, StreamRig::kData + 68, 5);
  rig.ring(operands(kData, 2) + program(isa::SyncAdd64{.address = d(80), .data = d(82)}) +
           operands(kData + 64, 2) + program(isa::SyncAdd32{.address = d(80), .data = r(82)}) +
           operands(kData + 128, 0x1'0000'0007) +
           program(isa::SyncSet64{.address = d(80), .data = d(82)}) + operands(kData + 192, 9) +
           program(isa::SyncSet32{.address = d(80), .data = r(82)}));
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.data64(0), 0x1'0000'0001u);
  EXPECT_EQ(rig.data32(8), 0u) << "the status is written, not kept";
  EXPECT_EQ(rig.data32(64), 1u) << "32 bits wrap and do not carry into the status";
  EXPECT_EQ(rig.data32(68), 0u);
  EXPECT_EQ(rig.data64(128), 0x1'0000'0007u);
  EXPECT_EQ(rig.data32(192), 9u);
  EXPECT_TRUE(rig.stream.events.sync_update);
  EXPECT_TRUE(rig.stream.events.sync_written);
}

TEST(SyncUpdate, GroupScopeDoesNotTellTheHost) {
  StreamRig rig{Quirks{}};
  rig.ring(
      operands(kData, 2) +
      program(isa::SyncAdd64{.address = d(80), .data = d(82), .scope = isa::SyncScope::kGroup}));
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_FALSE(rig.stream.events.sync_update);
  EXPECT_TRUE(rig.stream.events.sync_written);
}

TEST(SyncUpdate, PropagatesTheErrorStateOnlyWhenAsked) {
  for (const bool propagates : {false, true}) {
    StreamRig rig{Quirks{}};
    rig.stream.state.in_error = 1;
    rig.ring(
        operands(kData, 1) +
        program(isa::SyncAdd64{.address = d(80), .data = d(82), .error_propagate = propagates},
                isa::ErrorBarrier{},
                isa::SyncAdd32{.address = d(80), .data = r(82), .error_propagate = propagates}));
    EXPECT_EQ(rig.run(rig.stream, 4), StreamStop::kLimit);
    EXPECT_EQ(rig.data32(8), propagates ? 1u : 0u);
    EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
    EXPECT_EQ(rig.stream.state.in_error, 0);
    EXPECT_EQ(rig.data32(4), 0u) << "after ERROR_BARRIER there is nothing to propagate";
  }
}

TEST(SyncUpdate, MisalignedObjectIsAFault) {
  StreamRig rig{Quirks{}};
  rig.ring(operands(kData + 4, 1) + program(isa::SyncAdd64{.address = d(80), .data = d(82)}));
  EXPECT_EQ(rig.run(), StreamStop::kFault);
  EXPECT_EQ(rig.stream.exception.type, Exception::kDataInvalidFault);
}

TEST(SyncUpdate, ObjectAcrossPagesIsWrittenWholeOrNotAtAll) {
  StreamRig rig{Quirks{}};
  const GpuVa object = StreamRig::kData + 4 * kPageSize - 8;  // the status lies behind the mapping
  rig.ring(operands(object.value, 1) + program(isa::SyncAdd64{.address = d(80), .data = d(82)}));
  EXPECT_EQ(rig.run(), StreamStop::kStalled);
  EXPECT_EQ(rig.data64(4 * kPageSize - 8), 0u);
  rig.memory.map(kAs, object + 8, 4);
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.data64(4 * kPageSize - 8), 1u);
}

TEST(SyncWait, BlocksUntilTheValueIsGreaterAndSaysSo) {
  StreamRig rig{Quirks{}};
  rig.ring(operands(kData, 0x1'0000'0000) +
           program(
               isa::SyncWait64{
                   .address = d(80), .reference = d(82), .condition = isa::SyncCondition::kGreater},
               isa::Move32{.dst = r(1), .imm = 1}));
  EXPECT_EQ(rig.run(), StreamStop::kBlocked);
  EXPECT_EQ(rig.stream.blocked, BlockedReason::kSyncWait);
  EXPECT_TRUE(rig.stream.wait.for_sync);
  EXPECT_TRUE(rig.stream.wait.sync_is_64_bit);
  EXPECT_EQ(rig.stream.wait.sync_condition, 1);
  EXPECT_EQ(rig.stream.wait.sync_address, StreamRig::kData);
  EXPECT_EQ(rig.stream.wait.sync_value, 0x1'0000'0000u);
  rig.memory.poke<std::uint64_t>(kAs, StreamRig::kData, 0x1'0000'0000);
  EXPECT_EQ(rig.run(), StreamStop::kBlocked);
  rig.memory.poke<std::uint64_t>(kAs, StreamRig::kData, 0x1'0000'0001);
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.stream.blocked, BlockedReason::kUnblocked);
  EXPECT_FALSE(rig.stream.wait.for_sync);
  EXPECT_EQ(rig.reg(1), 1u);
}

TEST(SyncWait, LessEqualIsUnsigned) {
  StreamRig rig{Quirks{}};
  rig.memory.poke<std::uint32_t>(kAs, StreamRig::kData, 0x8000'0000);
  rig.ring(operands(kData, 0x7fff'ffff) +
           program(isa::SyncWait32{.address = d(80), .reference = r(82)}));
  EXPECT_EQ(rig.run(), StreamStop::kBlocked);
  EXPECT_FALSE(rig.stream.wait.sync_is_64_bit);
  rig.memory.poke<std::uint32_t>(kAs, StreamRig::kData, 0x7fff'ffff);
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
}

TEST(SyncWait, InheritsTheErrorOfTheObjectUnlessItRejectsIt) {
  for (const bool one_inherits : {false, true}) {
    for (const bool reject : {false, true}) {
      Quirks quirks;
      if (one_inherits) quirks.error_reject = Quirks::ErrorReject::kOneInherits;
      StreamRig rig{quirks};
      rig.memory.poke<std::uint32_t>(kAs, StreamRig::kData + 8, 1);
      rig.ring(
          operands(kData, 0) +
          program(isa::SyncWait64{.address = d(80), .reference = d(82), .error_reject = reject},
                  isa::Move32{.dst = r(1), .imm = 1}));
      if (reject == one_inherits) {
        EXPECT_EQ(rig.run(), StreamStop::kFault);
        EXPECT_EQ(rig.stream.exception.type, Exception::kCsInheritFault);
        EXPECT_EQ(rig.stream.exception.info, kData);
        EXPECT_EQ(rig.stream.state.in_error, 1);
        rig.stream.state.faulted = 0;
      }
      EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
      EXPECT_EQ(rig.reg(1), 1u);
    }
  }
}

TEST(SyncWait, AnErrorWithoutTheValueDoesNotRelease) {
  StreamRig rig{Quirks{}};
  rig.memory.poke<std::uint32_t>(kAs, StreamRig::kData + 8, 1);
  rig.ring(operands(kData, 0) +
           program(isa::SyncWait64{
               .address = d(80), .reference = d(82), .condition = isa::SyncCondition::kGreater}));
  EXPECT_EQ(rig.run(), StreamStop::kBlocked);
}

TEST(SyncObjects, PassFromStreamToStream) {
  StreamRig rig{Quirks{}};
  rig.ring(rig.stream, operands(kData, 0) +
                           program(isa::SyncWait64{.address = d(80),
                                                   .reference = d(82),
                                                   .condition = isa::SyncCondition::kGreater},
                                   isa::LoadMultiple{.base = r(1), .address = d(84), .mask = 1}));
  rig.stream.state.registers[84] = static_cast<std::uint32_t>(kData + 32);
  rig.ring(rig.other, operands(kData + 32, 0xabc) +
                          program(isa::StoreMultiple{.base = r(82), .address = d(80), .mask = 1}) +
                          operands(kData, 1) +
                          program(isa::SyncAdd64{.address = d(80), .data = d(82)}));
  EXPECT_EQ(rig.run(), StreamStop::kBlocked);
  EXPECT_EQ(rig.run(rig.other, 100), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.reg(1), 0xabcu);
}

TEST(FlushCache2, IsSkippedOnlyWhenTheCounterMovedPastItsId) {
  struct Case {
    std::uint32_t latest, id;
    bool flushes;
  };
  for (const Case& c : {Case{5, 0, true}, Case{5, 5, true}, Case{5, 4, false}, Case{5, 6, true},
                        Case{2, 0xff'fff0, false}, Case{0xff'fff0, 2, true}}) {
    StreamRig rig{Quirks{}};
    rig.services.flush_id = c.latest;
    rig.ring(program(isa::Move32{.dst = r(70), .imm = c.id},
                     isa::FlushCache2{.flush_id = r(70), .signal = {1}},
                     isa::Wait{.mask = isa::kAllScoreboards}));
    EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
    EXPECT_EQ(rig.services.flush_id != c.latest, c.flushes) << c.latest << ' ' << c.id;
  }
}

TEST(FlushCache2, TakesItsTimeAndHoldsItsEntry) {
  Quirks quirks;
  quirks.cache_flush_time = microseconds(3);
  StreamRig rig{quirks};
  rig.ring(program(isa::FlushCache2{.flush_id = r(70), .signal = {1}}, isa::Wait{.mask = {2}}));
  EXPECT_EQ(rig.run(), StreamStop::kBlocked);
  EXPECT_EQ(rig.stream.blocked, BlockedReason::kScoreboardWait);
  EXPECT_EQ(rig.stream.state.scoreboard.busy(), 2u);
  EXPECT_EQ(rig.services.flush_id, 1u);
  rig.services.time = rig.services.time + microseconds(3);
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.services.flush_id, 2u);
}

TEST(Progress, IsStoredLoadedAndWaitedFor) {
  for (const auto rule : {Quirks::ProgressWait::kAtLeast, Quirks::ProgressWait::kGreater}) {
    Quirks quirks;
    quirks.progress_wait = rule;
    StreamRig rig{quirks};
    rig.ring(rig.stream,
             operands(0, 0x1'0000'0005) + program(isa::ProgressWait{.source = d(82), .queue = 1},
                                                  isa::Move32{.dst = r(1), .imm = 1}));
    rig.ring(rig.other, operands(0, 0x1'0000'0005) + program(isa::ProgressStore{.source = d(82)},
                                                             isa::ProgressLoad{.dst = d(60)}));
    EXPECT_EQ(rig.run(), StreamStop::kBlocked);
    EXPECT_EQ(rig.stream.blocked, BlockedReason::kProgressWait);
    EXPECT_TRUE(rig.stream.wait.for_progress);
    EXPECT_EQ(rig.run(rig.other, 100), StreamStop::kRingEmpty);
    EXPECT_EQ(rig.other.state.registers[61], 1u);
    EXPECT_TRUE(rig.other.events.progress_changed);
    if (rule == Quirks::ProgressWait::kGreater) {
      EXPECT_EQ(rig.run(), StreamStop::kBlocked);
      ++rig.other.state.progress;
    }
    EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  }
}

}  // namespace
}  // namespace pantry::emu
