// SPDX-License-Identifier: MIT
#include "gpu_emu/cs/deferral.h"

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

// Endpoint work on entry 3 that takes endpoint_time, and the registers that the tests use:
// d80 = object, r82 = 1, r83 = 2.
Program busy_entry_3() {
  return program(isa::SetSbEntry{.endpoint = {3}, .other = {0}}, isa::ReqResource{.compute = true},
                 isa::RunCompute{.task_increment = 1}, isa::Move48{.dst = d(80), .imm = kData},
                 isa::Move32{.dst = r(82), .imm = 1}, isa::Move32{.dst = r(83), .imm = 2});
}

void let_endpoints_finish(StreamRig& rig) {
  rig.services.time = rig.services.time + rig.quirks.endpoint_time;
}

TEST(Deferral, WaitsForItsMaskWhileTheStreamGoesOn) {
  StreamRig rig{Quirks{}};
  rig.ring(busy_entry_3() +
           program(isa::SyncAdd32{.address = d(80), .data = r(82), .wait = {0x8}, .signal = {1}},
                   isa::Move32{.dst = r(82), .imm = 100},  // sampled at issue
                   isa::Move32{.dst = r(1), .imm = 1}, isa::Wait{.mask = {2}}));
  EXPECT_EQ(rig.run(), StreamStop::kBlocked);
  EXPECT_EQ(rig.reg(1), 1u);
  EXPECT_EQ(rig.stream.state.scoreboard.busy(), 0b1010u);
  EXPECT_EQ(rig.data32(0), 0u);
  let_endpoints_finish(rig);
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.data32(0), 1u);
  EXPECT_TRUE(rig.stream.drained());
}

TEST(Deferral, WithAClearMaskItIsPerformedAtOnce) {
  StreamRig rig{Quirks{}};
  rig.ring(program(isa::Move48{.dst = d(80), .imm = kData}, isa::Move32{.dst = r(82), .imm = 1},
                   isa::SyncAdd32{.address = d(80), .data = r(82), .wait = {8}, .signal = {1}}));
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.data32(0), 1u);
  EXPECT_EQ(rig.stream.state.scoreboard.busy(), 0u);
}

TEST(Deferral, OperationsOnTheSameEntriesKeepIssueOrder) {
  for (const auto order : {Quirks::DeferredOrder::kIssueOrder, Quirks::DeferredOrder::kReversed}) {
    Quirks quirks;
    quirks.deferred_order = order;
    StreamRig rig{quirks};
    rig.ring(busy_entry_3() +
             program(isa::SyncSet32{.address = d(80), .data = r(82), .wait = {8}, .signal = {1}},
                     isa::SyncSet32{.address = d(80), .data = r(83), .wait = {8}, .signal = {1}}));
    EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
    EXPECT_FALSE(rig.stream.drained());
    let_endpoints_finish(rig);
    EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
    EXPECT_EQ(rig.data32(0), order == Quirks::DeferredOrder::kIssueOrder ? 2u : 1u);
  }
}

TEST(Deferral, ChainsThroughSignalEntries) {
  StreamRig rig{Quirks{}};
  rig.services.timestamp_value = 4711;
  // The endpoint (3) -> set to 2 (signals 1) -> add 1 (signals 2) -> store the time (signals 4)
  rig.ring(busy_entry_3() +
           program(isa::SyncSet32{.address = d(80), .data = r(83), .wait = {8}, .signal = {1}},
                   isa::SyncAdd32{.address = d(80), .data = r(82), .wait = {2}, .signal = {2}},
                   isa::StoreState{.address = d(80), .offset = 16, .wait = {4}, .signal = {4}},
                   isa::Wait{.mask = {0x10}}));
  EXPECT_EQ(rig.run(), StreamStop::kBlocked);
  EXPECT_EQ(rig.stream.state.scoreboard.busy(), 0b11110u);
  EXPECT_EQ(rig.data64(16), 0u);
  let_endpoints_finish(rig);
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.data32(0), 3u);
  EXPECT_EQ(rig.data64(16), 4711u);
}

TEST(Deferral, DeferredFlushHoldsItsEntryUntilTheFlushIsDone) {
  Quirks quirks;
  quirks.cache_flush_time = microseconds(2);
  StreamRig rig{quirks};
  rig.ring(busy_entry_3() + program(isa::FlushCache2{.flush_id = r(70), .wait = {8}, .signal = {2}},
                                    isa::Wait{.mask = {4}}));
  EXPECT_EQ(rig.run(), StreamStop::kBlocked);
  let_endpoints_finish(rig);
  EXPECT_EQ(rig.run(), StreamStop::kBlocked);
  EXPECT_EQ(rig.stream.state.scoreboard.busy(), 4u);
  EXPECT_EQ(rig.services.flush_id, 1u);
  rig.services.time = rig.services.time + microseconds(2);
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.services.flush_id, 2u);
}

TEST(Deferral, AFullListBlocksTheStream) {
  StreamRig rig{Quirks{}};
  Program adds;
  for (int i = 0; i < 20; ++i) {
    adds =
        adds + program(isa::SyncAdd32{.address = d(80), .data = r(82), .wait = {8}, .signal = {1}});
  }
  rig.ring(busy_entry_3() + adds);
  EXPECT_EQ(rig.run(), StreamStop::kBlocked);
  EXPECT_EQ(rig.stream.blocked, BlockedReason::kDeferred);
  EXPECT_EQ(rig.stream.state.deferred.size(), 16u);
  let_endpoints_finish(rig);
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.data32(0), 20u);
  EXPECT_TRUE(rig.stream.drained());
}

TEST(Deferral, AStalledOperationHoldsItsEntryAndTheStreamGoesOn) {
  StreamRig rig{Quirks{}};
  rig.memory.answer_page(kAs, StreamRig::kData, MemoryStatus::kStall);
  rig.ring(program(isa::Move48{.dst = d(80), .imm = kData}, isa::Move32{.dst = r(82), .imm = 1},
                   isa::SyncAdd32{.address = d(80), .data = r(82), .wait = {8}, .signal = {1}},
                   isa::Move32{.dst = r(1), .imm = 1}));
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_TRUE(rig.stream.deferred_stalled);
  EXPECT_EQ(rig.reg(1), 1u);
  EXPECT_EQ(rig.stream.state.scoreboard.busy(), 2u);
  rig.memory.answer_page(kAs, StreamRig::kData, MemoryStatus::kOk);
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_FALSE(rig.stream.deferred_stalled);
  EXPECT_EQ(rig.data32(0), 1u);
}

TEST(Deferral, AFaultStopsTheStreamWhereItIs) {
  StreamRig rig{Quirks{}};
  rig.ring(busy_entry_3() +
           program(isa::AddImm64{.dst = d(80), .src = d(80), .imm = 2},  // misaligned
                   isa::SyncAdd32{.address = d(80), .data = r(82), .wait = {8}, .signal = {1}},
                   isa::Wait{.mask = {2}}, isa::Move32{.dst = r(1), .imm = 1}));
  EXPECT_EQ(rig.run(), StreamStop::kBlocked);
  const std::uint64_t wait = rig.stream.state.extract;
  let_endpoints_finish(rig);
  EXPECT_EQ(rig.run(), StreamStop::kFault);
  EXPECT_EQ(rig.stream.exception.type, Exception::kDataInvalidFault);
  EXPECT_EQ(rig.stream.state.extract, wait);
  rig.stream.state.faulted = 0;
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty) << "the WAIT was not skipped, it was satisfied";
  EXPECT_EQ(rig.reg(1), 1u);
  EXPECT_EQ(rig.stream.state.scoreboard.busy(), 0u);
}

TEST(Deferral, InOrderQuirkLeavesNothingOutstanding) {
  Quirks quirks;
  quirks.overlap = Quirks::Overlap::kInOrder;
  quirks.cache_flush_time = microseconds(2);
  StreamRig rig{quirks};
  rig.ring(busy_entry_3() +
           program(isa::SyncSet32{.address = d(80), .data = r(83), .wait = {8}, .signal = {1}},
                   isa::FlushCache2{.flush_id = r(70), .wait = {2}, .signal = {2}}));
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_TRUE(rig.stream.drained());
  EXPECT_EQ(rig.data32(0), 2u);
  EXPECT_EQ(rig.services.flush_id, 2u);
}

}  // namespace
}  // namespace pantry::emu
