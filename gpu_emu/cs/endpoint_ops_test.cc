// SPDX-License-Identifier: MIT
#include "gpu_emu/cs/endpoint_ops.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gpu_emu/cs/stream_fixture.h"

namespace pantry::emu {
namespace {

using datasheet::Exception;
using datasheet::cs::BlockedReason;
using isa::d;
using isa::r;

struct EndpointCase {
  const char* name;
  std::uint64_t word;
  isa::ReqResource wanted;
};

class EndpointWork : public testing::TestWithParam<EndpointCase> {};
class RunInstruction : public EndpointWork {};

TEST_P(EndpointWork, KeepsItsEntryBusyForItsTime) {
  Quirks quirks;
  quirks.work_time = nanoseconds(0);
  StreamRig rig{quirks};
  rig.ring(program(isa::SetSbEntry{.endpoint = {6}, .other = {0}}, GetParam().wanted) +
           Program{GetParam().word} + program(isa::Wait{.mask = {1 << 6}}));
  EXPECT_EQ(rig.run(), StreamStop::kBlocked);
  EXPECT_EQ(rig.stream.state.scoreboard.busy(), 1u << 6);
  rig.services.time = rig.services.time + (rig.quirks.endpoint_time - nanoseconds(1));
  EXPECT_EQ(rig.run(), StreamStop::kBlocked);
  rig.services.time = rig.services.time + nanoseconds(1);
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_TRUE(rig.stream.drained());
  EXPECT_EQ(rig.stream.state.progress, 1u) << "progress_increment counts at completion";
}

TEST_P(RunInstruction, NeedsItsResource) {
  StreamRig rig{Quirks{}};
  rig.ring(Program{GetParam().word});
  EXPECT_EQ(rig.run(), StreamStop::kFatal);
  EXPECT_EQ(rig.stream.exception.type, Exception::kCsEndpointFault);

  Quirks quirks;
  quirks.unrequested_run = Quirks::UnrequestedRun::kExecuted;
  StreamRig lax{quirks};
  lax.ring(Program{GetParam().word});
  EXPECT_EQ(lax.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(lax.stream.state.scoreboard.busy(), 1u);
}

TEST_P(RunInstruction, IsDroppedInErrorState) {
  for (const auto rule : {Quirks::RunInErrorState::kSkipped, Quirks::RunInErrorState::kExecuted}) {
    Quirks quirks;
    quirks.run_in_error_state = rule;
    StreamRig rig{quirks};
    rig.stream.state.in_error = 1;
    rig.ring(program(GetParam().wanted) + Program{GetParam().word});
    EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
    EXPECT_EQ(rig.stream.state.in_flight.empty(), rule == Quirks::RunInErrorState::kSkipped);
  }
}

const std::vector<EndpointCase> kRuns = {
    {"RunCompute",
     isa::encode(isa::RunCompute{.task_increment = 4, .progress_increment = true}),
     {.compute = true}},
    {"RunComputeIndirect",
     isa::encode(isa::RunComputeIndirect{.progress_increment = true}),
     {.compute = true}},
    {"RunTiling", isa::encode(isa::RunTiling{.progress_increment = true}), {.tiler = true}},
    {"RunIdvs", isa::encode(isa::RunIdvs{.progress_increment = true}), {.idvs = true}},
    {"RunFragment", isa::encode(isa::RunFragment{.progress_increment = true}), {.fragment = true}},
    {"RunFullscreen",
     isa::encode(isa::RunFullscreen{.dcd = d(2), .progress_increment = true}),
     {.tiler = true}},
};
const EndpointCase kFinishTiling = {
    "FinishTiling", isa::encode(isa::FinishTiling{.progress_increment = true}), {}};

std::string name_of_case(const testing::TestParamInfo<EndpointCase>& info) {
  return info.param.name;
}
INSTANTIATE_TEST_SUITE_P(All, RunInstruction, testing::ValuesIn(kRuns), name_of_case);
INSTANTIATE_TEST_SUITE_P(All, EndpointWork, testing::ValuesIn(kRuns), name_of_case);
INSTANTIATE_TEST_SUITE_P(Finish, EndpointWork, testing::Values(kFinishTiling), name_of_case);

struct SizedWork {
  const char* name;
  Program setup;
  std::uint64_t word;
  std::int64_t units;
};
class WorkOfASize : public testing::TestWithParam<SizedWork> {};

Program set32(unsigned reg, std::uint32_t value) {
  return program(isa::Move32{.dst = r(reg), .imm = value});
}

TEST_P(WorkOfASize, TakesItsTimeForEachUnit) {
  Quirks quirks;
  quirks.work_time = nanoseconds(7);
  quirks.endpoint_time = nanoseconds(100);
  quirks.tiler_bytes_per_vertex = 0;
  quirks.endpoint_reads = Quirks::EndpointReads::kNothing;
  StreamRig rig{quirks};
  rig.ring(
      program(isa::ReqResource{.compute = true, .fragment = true, .tiler = true, .idvs = true}) +
      GetParam().setup + Program{GetParam().word});
  ASSERT_EQ(rig.run(), StreamStop::kRingEmpty);
  ASSERT_EQ(rig.stream.state.in_flight.size(), 1u);
  const InFlightOp& work = rig.stream.state.in_flight[0];
  EXPECT_EQ(work.work_ns, 100 + 7 * GetParam().units);
}

constexpr std::int64_t kADay = std::int64_t{24} * 3600 * 1'000'000'000;
INSTANTIATE_TEST_SUITE_P(
    All, WorkOfASize,
    testing::Values(
        SizedWork{"Compute", set32(37, 3) + set32(38, 5) + set32(39, 2),
                  isa::encode(isa::RunCompute{.task_increment = 1}), 30},
        SizedWork{"ComputeOfNothing", set32(37, 3) + set32(38, 5),
                  isa::encode(isa::RunCompute{.task_increment = 1}), 0},
        SizedWork{"NothingEvenWhereTheRestOverflows", set32(37, ~0u) + set32(38, ~0u),
                  isa::encode(isa::RunCompute{.task_increment = 1}), 0},
        SizedWork{"Idvs", set32(33, 36) + set32(34, 10), isa::encode(isa::RunIdvs{}), 360},
        SizedWork{"Tiling", set32(33, 36) + set32(34, 1), isa::encode(isa::RunTiling{}), 36},
        SizedWork{"FragmentOfOnePixel", set32(42, 5 | 5 << 16) + set32(43, 5 | 5 << 16),
                  isa::encode(isa::RunFragment{}), 1},
        SizedWork{"Fragment", set32(42, 0) + set32(43, 1919 | 1079 << 16),
                  isa::encode(isa::RunFragment{}), 120 * 68},
        SizedWork{"FragmentAcrossTiles", set32(42, 15 | 15 << 16) + set32(43, 16 | 16 << 16),
                  isa::encode(isa::RunFragment{}), 4},
        SizedWork{"FragmentInsideOut", set32(42, 100) + set32(43, 99),
                  isa::encode(isa::RunFragment{}), 0},
        SizedWork{"Indirect", set32(37, 3) + set32(38, 5) + set32(39, 2),
                  isa::encode(isa::RunComputeIndirect{}), 0}),
    [](const auto& about) { return std::string(about.param.name); });

TEST(WorkPastAllTimeouts, TakesADay) {
  StreamRig rig{Quirks{}};
  rig.ring(program(isa::ReqResource{.compute = true}) + set32(37, ~0u) + set32(38, ~0u) +
           set32(39, ~0u) + program(isa::RunCompute{.task_increment = 1}));
  ASSERT_EQ(rig.run(), StreamStop::kRingEmpty);
  const InFlightOp& work = rig.stream.state.in_flight[0];
  EXPECT_EQ(work.work_ns, kADay + rig.quirks.endpoint_time.ns);
}

TEST(EndpointQueue, WhenFullTheStreamWaitsForRoom) {
  StreamRig rig{Quirks{}};
  rig.ring(program(isa::ReqResource{.compute = true}));
  for (int i = 0; i < 17; ++i) rig.ring(program(isa::RunCompute{.task_increment = 1}));
  EXPECT_EQ(rig.run(), StreamStop::kBlocked);
  EXPECT_EQ(rig.stream.blocked, BlockedReason::kDeferred);
  EXPECT_EQ(rig.stream.state.extract, 8u * 17);
  rig.services.time = rig.services.time + rig.quirks.endpoint_time;
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
}

TEST(ErrorBarrier, WaitsForOutstandingWork) {
  StreamRig rig{Quirks{}};
  rig.ring(program(isa::ReqResource{.compute = true}, isa::RunCompute{.task_increment = 1},
                   isa::ErrorBarrier{}));
  EXPECT_EQ(rig.run(rig.stream, 2), StreamStop::kLimit);
  rig.stream.state.in_error = 1;
  EXPECT_EQ(rig.run(), StreamStop::kBlocked);
  EXPECT_EQ(rig.stream.blocked, BlockedReason::kScoreboardWait);
  EXPECT_EQ(rig.stream.state.in_error, 1);
  rig.services.time = rig.services.time + rig.quirks.endpoint_time;
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.stream.state.in_error, 0);
}

}  // namespace
}  // namespace pantry::emu
