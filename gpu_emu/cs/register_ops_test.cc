// SPDX-License-Identifier: MIT
#include "gpu_emu/cs/register_ops.h"

#include <gtest/gtest.h>

#include "gpu_emu/cs/stream_fixture.h"

namespace pantry::emu {
namespace {

using isa::d;
using isa::r;

struct RegisterCase {
  const char* name;
  Program program;
  unsigned reg;  // of the pair
  std::uint64_t expected;
};

class RegisterOps : public testing::TestWithParam<RegisterCase> {};

TEST_P(RegisterOps, LeavesTheExpectedPair) {
  StreamRig rig{Quirks{}};
  rig.ring(GetParam().program);
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.reg64(GetParam().reg), GetParam().expected);
  EXPECT_EQ(rig.stream.state.extract, 8 * GetParam().program.size());
}

INSTANTIATE_TEST_SUITE_P(
    All, RegisterOps,
    testing::Values(
        RegisterCase{"Move48ZeroExtends",
                     set64(d(10), ~std::uint64_t{0}) +
                         program(isa::Move48{.dst = d(10), .imm = 0xffff'8765'4321}),
                     10, 0x0000'ffff'8765'4321},
        RegisterCase{"Move32LeavesTheOtherHalf",
                     set64(d(10), ~std::uint64_t{0}) + program(isa::Move32{.dst = r(10), .imm = 7}),
                     10, 0xffff'ffff'0000'0007},
        RegisterCase{"AddImm32Wraps",
                     program(isa::Move32{.dst = r(94), .imm = 0xffff'ffff},
                             isa::AddImm32{.dst = r(20), .src = r(94), .imm = 2}),
                     20, 1},
        RegisterCase{"AddImm32TakesNegative",
                     program(isa::Move32{.dst = r(21), .imm = 5},
                             isa::AddImm32{.dst = r(21), .src = r(21), .imm = -6}),
                     20, 0xffff'ffff'0000'0000},
        RegisterCase{"AddImm64Carries",
                     set64(d(30), 0x0000'0001'ffff'ffff) +
                         program(isa::AddImm64{.dst = d(32), .src = d(30), .imm = 1}),
                     32, 0x0000'0002'0000'0000},
        RegisterCase{"AddImm64SignExtends",
                     set64(d(30), 0x0000'0002'0000'0000) +
                         program(isa::AddImm64{.dst = d(30), .src = d(30), .imm = -1}),
                     30, 0x0000'0001'ffff'ffff},
        RegisterCase{"Umin32IsUnsigned",
                     program(isa::Move32{.dst = r(1), .imm = 0x8000'0000},
                             isa::Move32{.dst = r(2), .imm = 0x7fff'ffff},
                             isa::Umin32{.dst = r(40), .src0 = r(1), .src1 = r(2)}),
                     40, 0x7fff'ffff},
        RegisterCase{"NopIgnoresItsOperand",
                     Program{0x00ff'ffff'ffff'ffff} + program(isa::Move32{.dst = r(4), .imm = 9}),
                     4, 9},
        RegisterCase{"LastRegister", program(isa::Move32{.dst = r(95), .imm = 1}), 94,
                     0x1'0000'0000}),
    [](const auto& info) { return info.param.name; });

TEST(RegisterOps, SettingsOfTheStream) {
  StreamRig rig{Quirks{}};
  rig.ring(program(isa::SetSbEntry{.endpoint = {3}, .other = {5}},
                   isa::ReqResource{.compute = true, .idvs = true},
                   isa::Move48{.dst = d(8), .imm = 0x1234'5600},
                   isa::Move32{.dst = r(10), .imm = 64}, isa::HeapSet{.address = d(8)},
                   isa::SetExceptionHandler{.address = d(8), .length = r(10)}));
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.stream.state.endpoint_entry, 3);
  EXPECT_EQ(rig.stream.state.other_entry, 5);
  EXPECT_EQ(rig.stream.state.resources, 0b1001);
  EXPECT_EQ(rig.stream.state.heap_context, 0x1234'5600u);
  EXPECT_EQ(rig.stream.state.oom_handler, 0x1234'5600u);
  EXPECT_EQ(rig.stream.state.oom_handler_bytes, 64u);
  // Replaces, does not add.
  rig.ring(program(isa::ReqResource{.fragment = true}));
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  EXPECT_EQ(rig.stream.state.resources, 0b0010);
}

struct InvalidCase {
  const char* name;
  std::uint64_t word;
};
class InvalidWords : public testing::TestWithParam<InvalidCase> {};

TEST_P(InvalidWords, AreFatalAndStayWhereTheyAre) {
  StreamRig rig{Quirks{}};
  rig.ring(program(isa::Nop{}) + Program{GetParam().word});
  EXPECT_EQ(rig.run(), StreamStop::kFatal);
  EXPECT_EQ(rig.stream.exception.type, datasheet::Exception::kCsInstrInvalid);
  EXPECT_EQ(rig.stream.exception.info, GetParam().word);
  EXPECT_EQ(rig.stream.state.extract, 8u);
  EXPECT_EQ(rig.stream.state.dead, 1);
}

INSTANTIATE_TEST_SUITE_P(
    All, InvalidWords,
    testing::Values(InvalidCase{"OddPair", 0x0145'0000'0000'0000},
                    InvalidCase{"RegisterNinetySix", 0x0260'0000'0000'0000},
                    InvalidCase{"SourceRegister", 0x1000'ff00'0000'0000},
                    InvalidCase{"BranchCondition", 0x1600'0000'7000'0000},
                    InvalidCase{"ScoreboardEntry", 0x1700'0000'0000'0008},
                    InvalidCase{"HandlerKind", 0x1900'0000'0000'0001},
                    InvalidCase{"SyncScope", 0x3300'0000'0000'0002},
                    InvalidCase{"SyncCondition", 0x3500'0000'2000'0000},
                    InvalidCase{"SignalEntry", 0x2408'0000'0000'0000},
                    InvalidCase{"HeapOperation", 0x3100'0002'0000'0000},
                    InvalidCase{"LoadPastTheLastRegister", 0x145f'0000'0003'0000},
                    InvalidCase{"OwnSignalInWait", 0x2401'0000'0002'0000},
                    InvalidCase{"TraceTooManyRegisters", 0x3200'0290'0000'0000},
                    InvalidCase{"ProgressWaitQueue", 0x1800'0000'0000'0008}),
    [](const auto& info) { return info.param.name; });

TEST(UnknownBits, AreLoggedOncePerOpcodeAndIgnored) {
  StreamRig rig{Quirks{}};
  const std::uint64_t move = isa::encode(isa::Move32{.dst = isa::r(3), .imm = 7});
  testing::internal::CaptureStderr();
  rig.ring({move | std::uint64_t{1} << 40, move | std::uint64_t{1} << 41, move});
  EXPECT_EQ(rig.run(), StreamStop::kRingEmpty);
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(rig.reg(3), 7u);
  const std::size_t first = log.find("MOVE32: bits 0x10000000000 ");
  ASSERT_NE(first, std::string::npos) << log;
  EXPECT_EQ(log.find("MOVE32", first + 1), std::string::npos) << log;
}

TEST(InvalidWords, EveryOpcodeThatV10DoesNotDefine) {
  for (std::uint64_t opcode = 0; opcode < 256; ++opcode) {
    if (isa::decode(opcode << 56).has_value()) continue;
    StreamRig rig{Quirks{}};
    rig.ring(Program{opcode << 56});
    EXPECT_EQ(rig.run(), StreamStop::kFatal) << opcode;
    EXPECT_EQ(rig.stream.exception.type, datasheet::Exception::kCsInstrInvalid) << opcode;
  }
}

}  // namespace
}  // namespace pantry::emu
