// SPDX-License-Identifier: MIT
//
// Each descriptor on a page that is missing: the instruction stalls with one fault and nothing
// begun, and goes on when the page has come. And what is not used is not read.
#include "gpu_emu/cs/descriptor_reads.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gpu_emu/cs/stream_fixture.h"

namespace pantry::emu {
namespace {

using isa::d;
using isa::r;

constexpr std::uint64_t kMissing = StreamRig::kUnmapped.value;
constexpr std::uint64_t kPresent = StreamRig::kData.value;

struct DescriptorCase {
  const char* name;
  std::uint64_t word;
  unsigned pair;        // the register that names the descriptor
  std::uint64_t value;  // its content, with the descriptor at kMissing
};

constexpr isa::ReqResource kEverything{
    .compute = true, .fragment = true, .tiler = true, .idvs = true};
constexpr std::uint64_t kCompute = isa::encode(isa::RunCompute{
    .task_increment = 1, .srt_select = 1, .spd_select = 2, .tsd_select = 3, .fau_select = 1});
constexpr std::uint64_t kIndirect = isa::encode(
    isa::RunComputeIndirect{.srt_select = 1, .spd_select = 2, .tsd_select = 3, .fau_select = 1});
constexpr std::uint64_t kTiling =
    isa::encode(isa::RunTiling{.srt_select = 1, .spd_select = 2, .tsd_select = 3, .fau_select = 1});
constexpr std::uint64_t kIdvs = isa::encode(isa::RunIdvs{});
constexpr std::uint64_t kFragment = isa::encode(isa::RunFragment{});
constexpr std::uint64_t kFragmentTem = isa::encode(isa::RunFragment{.enable_tem = true});
constexpr std::uint64_t kFullscreen = isa::encode(isa::RunFullscreen{.dcd = d(56)});

class Descriptor : public testing::TestWithParam<DescriptorCase> {};

TEST_P(Descriptor, OnAMissingPageFaultsBeforeAnythingBegins) {
  StreamRig rig{Quirks{}};
  rig.ring(program(kEverything) + set64(d(GetParam().pair), GetParam().value) +
           Program{GetParam().word});
  EXPECT_EQ(rig.run(), StreamStop::kStalled);
  EXPECT_EQ(rig.memory.faults(), 1u);
  EXPECT_TRUE(rig.stream.state.in_flight.empty());
  EXPECT_EQ(rig.stream.state.scoreboard.busy(), 0u);
  rig.memory.map(StreamRig::kAs, StreamRig::kUnmapped, kPageSize);
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.stream.state.in_flight.size(), 1u);
}

TEST_P(Descriptor, IsNotReadWhereAllReadsComeLater) {
  Quirks quirks;
  quirks.endpoint_reads = Quirks::EndpointReads::kNothing;
  StreamRig rig{quirks};
  rig.ring(program(kEverything) + set64(d(GetParam().pair), GetParam().value) +
           Program{GetParam().word});
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.memory.faults(), 0u);
}

const std::vector<DescriptorCase> kCases = {
    {"ComputeResources", kCompute, 2, kMissing | 1},
    {"ComputeUniforms", kCompute, 10, kMissing | std::uint64_t{1} << 56},
    {"ComputeProgram", kCompute, 20, kMissing},
    {"ComputeStorage", kCompute, 30, kMissing},
    {"IndirectResources", kIndirect, 2, kMissing | 1},
    {"IndirectProgram", kIndirect, 20, kMissing},
    {"TilingContext", kTiling, 40, kMissing},
    {"TilingStorage", kTiling, 30, kMissing},
    {"IdvsContext", kIdvs, 40, kMissing},
    {"IdvsResources", kIdvs, 0, kMissing | 1},
    {"IdvsProgram", kIdvs, 16, kMissing},
    {"IdvsDepthStencil", kIdvs, 52, kMissing},
    {"IdvsBlend", kIdvs, 50, kMissing | 1},
    {"FragmentFramebuffer", kFragment, 40, kMissing | 3},  // with its tag
    {"FragmentTileEnableMap", kFragmentTem, 44, kMissing},
    {"FullscreenDrawDescriptor", kFullscreen, 56, kMissing},
};
INSTANTIATE_TEST_SUITE_P(All, Descriptor, testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(DescriptorReads, EndAtWhatTheInstructionUses) {
  StreamRig rig{Quirks{}};
  // No tables, no uniforms, other selects, no tile enable map, no indices.
  rig.ring(program(kEverything) + set64(d(2), kMissing) + set64(d(10), kMissing) +
           set64(d(4), kMissing | 1) + set64(d(44), kMissing) + set64(d(54), kMissing) +
           set64(d(50), kMissing) + Program{kCompute, kFragment, kIdvs});
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.memory.faults(), 0u);
}

// RUN_IDVS with a select of its own for the varying or the fragment shader, and the pair it names.
struct SelectedCase {
  const char* name;
  isa::RunIdvs op;
  std::uint8_t pair;
  std::uint64_t value;
};
class SelectedDescriptor : public testing::TestWithParam<SelectedCase> {};

TEST_P(SelectedDescriptor, IsReadWhereAllAre) {
  const Program setup = program(kEverything) + set64(d(GetParam().pair), GetParam().value);
  Quirks quirks;
  StreamRig lazy{quirks};
  lazy.ring(setup + Program{isa::encode(GetParam().op)});
  EXPECT_EQ(lazy.run(), StreamStop::kRingEmpty);
  quirks.endpoint_reads = Quirks::EndpointReads::kAllSelected;
  StreamRig rig{quirks};
  rig.ring(setup + Program{isa::encode(GetParam().op)});
  EXPECT_EQ(rig.run(), StreamStop::kStalled);
  EXPECT_EQ(rig.memory.faults(), 1u);
  StreamRig unselected{quirks};
  unselected.ring(setup + Program{kIdvs});
  EXPECT_EQ(unselected.run(), StreamStop::kRingEmpty);
}

constexpr std::uint64_t kOneUniform = std::uint64_t{1} << 56;
INSTANTIATE_TEST_SUITE_P(
    Idvs, SelectedDescriptor,
    testing::Values(SelectedCase{"VaryingResources", {.varying_srt_select = 1}, 2, kMissing | 1},
                    SelectedCase{
                        "VaryingUniforms", {.varying_fau_select = 1}, 10, kMissing | kOneUniform},
                    SelectedCase{"VaryingStorage", {.varying_tsd_select = 1}, 26, kMissing},
                    SelectedCase{"FragmentResources", {.fragment_srt_select = 1}, 4, kMissing | 1},
                    SelectedCase{"FragmentStorage", {.fragment_tsd_select = 1}, 28, kMissing}),
    [](const auto& about) { return std::string(about.param.name); });

TEST(DescriptorReads, TheLastByteOfATableCounts) {
  StreamRig rig{Quirks{}};
  // 63 entries of 16 bytes begin 64 bytes before the end of what is mapped.
  const std::uint64_t end = kPresent + 4 * kPageSize;
  rig.ring(program(kEverything) + set64(d(2), (end - 64) | 63) + Program{kCompute});
  EXPECT_EQ(rig.run(), StreamStop::kStalled);
  EXPECT_EQ(rig.memory.faults(), 1u);
  StreamRig fits{Quirks{}};
  fits.ring(program(kEverything) + set64(d(2), (end - 64) | 4) + Program{kCompute});
  EXPECT_EQ(fits.run(), StreamStop::kRingEmpty);
}

TEST(DescriptorReads, IndicesAreReadAtBothEnds) {
  StreamRig rig{Quirks{}};
  rig.ring(program(kEverything, isa::Move32{.dst = r(39), .imm = 4 * kPageSize + 1}) +
           set64(d(54), kPresent) + Program{kIdvs});
  EXPECT_EQ(rig.run(), StreamStop::kStalled);
  EXPECT_EQ(rig.memory.faults(), 1u);
}

TEST(DescriptorReads, AProgramLeadsToItsCode) {
  StreamRig rig{Quirks{}};
  rig.memory.poke(StreamRig::kAs, StreamRig::kData + 8, kMissing);
  rig.ring(program(kEverything) + set64(d(20), kPresent) + Program{kCompute});
  EXPECT_EQ(rig.run(), StreamStop::kStalled);
  EXPECT_EQ(rig.memory.faults(), 1u);
}

TEST(DescriptorReads, AnAbortedReadEndsTheStream) {
  StreamRig rig{Quirks{}};
  rig.memory.map(StreamRig::kAs, StreamRig::kUnmapped, kPageSize);
  rig.memory.answer_page(StreamRig::kAs, StreamRig::kUnmapped, MemoryStatus::kAborted);
  rig.ring(program(kEverything) + set64(d(40), kMissing) + Program{kFragment});
  EXPECT_EQ(rig.run(), StreamStop::kAborted);
  EXPECT_EQ(rig.stream.exception.info, kMissing);
}

}  // namespace
}  // namespace pantry::emu
