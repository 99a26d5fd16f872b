// SPDX-License-Identifier: MIT
#include "gpu_emu/datasheet/cs_instruction.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdint>
#include <cstring>
#include <iterator>
#include <variant>

namespace pantry::datasheet::isa {
namespace {

// An operand as the data sheet's table has it: the value and the number of its lowest bit.
struct Placed {
  std::uint64_t value;
  unsigned lowest_bit;
};
struct Row {
  unsigned opcode;
  const char* name;
  std::uint64_t operand_bits;
  Instruction instruction;
  Placed operands[10];  // unused ones are 0
};

constexpr std::uint64_t bits(unsigned hi, unsigned lo) {
  return (~std::uint64_t{0} >> (63 - hi)) & (~std::uint64_t{0} << lo);
}

constexpr std::uint64_t kWaits = bits(31, 16);
constexpr std::uint64_t kSignal = bits(51, 48);
constexpr std::uint64_t kAddress = bits(47, 40);

// Every row of the opcode table, with an example in which no two operands are alike.
constexpr Row kRows[] = {
    {0, "NOP", bits(55, 0), Nop{.ignored = 0xab'cdef}, {{0xab'cdef, 0}}},
    {1, "MOVE48", bits(55, 0), Move48{d(66), 0x8765'4321'0fed}, {{66, 48}, {0x8765'4321'0fed, 0}}},
    {2,
     "MOVE32",
     bits(55, 48) | bits(31, 0),
     Move32{r(71), 0xffff'0001},
     {{71, 48}, {0xffff'0001, 0}}},
    {3, "WAIT", bits(32, 16), Wait{{0x80fe}, true}, {{1, 32}, {0x80fe, 16}}},
    {4,
     "RUN_COMPUTE",
     bits(47, 40) | bits(32, 32) | bits(15, 0),
     RunCompute{.task_increment = 0x2345,
                .task_axis = TaskAxis::kZ,
                .progress_increment = true,
                .srt_select = 1,
                .spd_select = 2,
                .tsd_select = 3,
                .fau_select = 0},
     {{1, 40}, {2, 42}, {3, 44}, {0, 46}, {1, 32}, {2, 14}, {0x2345, 0}}},
    {5,
     "RUN_TILING",
     bits(47, 40) | bits(32, 0),
     RunTiling{.flags_override = 0x8004'000c,
               .progress_increment = false,
               .srt_select = 0,
               .spd_select = 3,
               .tsd_select = 1,
               .fau_select = 2},
     {{0, 40}, {3, 42}, {1, 44}, {2, 46}, {0x8004'000c, 0}}},
    {6,
     "RUN_IDVS",
     bits(47, 0),
     RunIdvs{.flags_override = 0x4'000c,
             .progress_increment = false,
             .malloc_enable = true,
             .draw_id_enable = true,
             .draw_id = r(53),
             .varying_srt_select = 1,
             .varying_fau_select = 0,
             .varying_tsd_select = 1,
             .fragment_srt_select = 0,
             .fragment_tsd_select = 1},
     {{53, 40},
      {1, 39},
      {0, 38},
      {1, 37},
      {0, 36},
      {1, 35},
      {1, 34},
      {1, 33},
      {0, 32},
      {0x4'000c, 0}}},
    {7,
     "RUN_FRAGMENT",
     bits(32, 32) | bits(7, 4) | bits(0, 0),
     RunFragment{true, TileOrder::kReverseVertical, true},
     {{1, 32}, {6, 4}, {1, 0}}},
    {8,
     "RUN_FULLSCREEN",
     kAddress | bits(32, 0),
     RunFullscreen{d(56), 0x1234'5678, true},
     {{56, 40}, {1, 32}, {0x1234'5678, 0}}},
    {9, "FINISH_TILING", bits(32, 32), FinishTiling{true}, {{1, 32}}},
    {11,
     "FINISH_FRAGMENT",
     kSignal | bits(47, 16) | bits(0, 0),
     FinishFragment{true, d(86), d(88), {0x81}, {5}},
     {{5, 48}, {86, 40}, {88, 32}, {0x81, 16}, {1, 0}}},
    {16,
     "ADD_IMM32",
     bits(55, 40) | bits(31, 0),
     AddImm32{r(67), r(66), -2},
     {{67, 48}, {66, 40}, {0xffff'fffe, 0}}},
    {17,
     "ADD_IMM64",
     bits(55, 40) | bits(31, 0),
     AddImm64{d(66), d(88), 192},
     {{66, 48}, {88, 40}, {192, 0}}},
    {18, "UMIN32", bits(55, 32), Umin32{r(1), r(2), r(3)}, {{1, 48}, {2, 40}, {3, 32}}},
    {20,
     "LOAD_MULTIPLE",
     bits(55, 40) | bits(31, 0),
     LoadMultiple{r(66), d(90), 0x8003, 120},
     {{66, 48}, {90, 40}, {0x8003, 16}, {120, 0}}},
    {21,
     "STORE_MULTIPLE",
     bits(55, 40) | bits(31, 0),
     StoreMultiple{r(68), d(66), 3, -192},
     {{68, 48}, {66, 40}, {3, 16}, {0xff40, 0}}},
    {22,
     "BRANCH",
     kAddress | bits(30, 28) | bits(15, 0),
     Branch{r(69), BranchCondition::kGreaterEqual, -7},
     {{69, 40}, {5, 28}, {0xfff9, 0}}},
    {23, "SET_SB_ENTRY", bits(7, 0), SetSbEntry{.endpoint = {3}, .other = {6}}, {{6, 4}, {3, 0}}},
    {24, "PROGRESS_WAIT", kAddress | bits(4, 0), ProgressWait{d(84), 19}, {{84, 40}, {19, 0}}},
    {25,
     "SET_EXCEPTION_HANDLER",
     bits(47, 32) | bits(7, 0),
     SetExceptionHandler{d(86), r(88), ExceptionHandlerKind::kTilerOom},
     {{86, 40}, {88, 32}, {2, 0}}},
    {32, "CALL", bits(47, 32), Call{d(92), r(94)}, {{92, 40}, {94, 32}}},
    {33, "JUMP", bits(47, 32), Jump{d(94), r(93)}, {{94, 40}, {93, 32}}},
    {34,
     "REQ_RESOURCE",
     bits(3, 0),
     ReqResource{.compute = false, .fragment = true, .tiler = false, .idvs = true},
     {{1, 1}, {1, 3}}},
    {36,
     "FLUSH_CACHE2",
     kSignal | kAddress | kWaits | bits(11, 0),
     FlushCache2{CacheFlush::kClean,
                 CacheFlush::kCleanInvalidate,
                 CacheFlush::kInvalidate,
                 r(70),
                 {0x10},
                 {2}},
     {{2, 48}, {70, 40}, {0x10, 16}, {2, 8}, {3, 4}, {1, 0}}},
    {37,
     "SYNC_ADD32",
     kSignal | bits(47, 16) | bits(2, 0),
     SyncAdd32{d(66), r(69), true, SyncScope::kGroup, {8}, {1}},
     {{1, 48}, {66, 40}, {69, 32}, {8, 16}, {2, 1}, {1, 0}}},
    {38,
     "SYNC_SET32",
     kSignal | bits(47, 16) | bits(2, 0),
     SyncSet32{d(68), r(71), false, SyncScope::kGroup, {0x20}, {3}},
     {{3, 48}, {68, 40}, {71, 32}, {0x20, 16}, {2, 1}}},
    {39,
     "SYNC_WAIT32",
     bits(47, 28) | bits(0, 0),
     SyncWait32{d(68), r(71), SyncCondition::kGreater, true},
     {{68, 40}, {71, 32}, {1, 28}, {1, 0}}},
    {40,
     "STORE_STATE",
     kSignal | kAddress | bits(33, 0),
     StoreState{d(92), -8, StateKind::kErrorStatus, {4}, {7}},
     {{7, 48}, {92, 40}, {3, 32}, {4, 16}, {0xfff8, 0}}},
    {41, "PROT_REGION", bits(15, 0), ProtRegion{0x1234}, {{0x1234, 0}}},
    {42, "PROGRESS_STORE", kAddress, ProgressStore{d(84)}, {{84, 40}}},
    {43, "PROGRESS_LOAD", bits(55, 48), ProgressLoad{d(86)}, {{86, 48}}},
    {44,
     "RUN_COMPUTE_INDIRECT",
     bits(47, 40) | bits(32, 32) | bits(15, 0),
     RunComputeIndirect{.workgroups_per_task = 0xfedc,
                        .progress_increment = true,
                        .srt_select = 3,
                        .spd_select = 0,
                        .tsd_select = 2,
                        .fau_select = 1},
     {{3, 40}, {0, 42}, {2, 44}, {1, 46}, {1, 32}, {0xfedc, 0}}},
    {47, "ERROR_BARRIER", 0, ErrorBarrier{}, {}},
    {48, "HEAP_SET", kAddress, HeapSet{d(72)}, {{72, 40}}},
    {49,
     "HEAP_OPERATION",
     kSignal | bits(33, 16),
     HeapOperation{HeapOperationKind::kFragmentCompleted, {0x18}, {4}},
     {{4, 48}, {3, 32}, {0x18, 16}}},
    {50,
     "TRACE_POINT",
     kSignal | bits(47, 16),
     TracePoint{r(66), 12, {2}, {6}},
     {{6, 48}, {12, 40}, {66, 32}, {2, 16}}},
    {51,
     "SYNC_ADD64",
     kSignal | bits(47, 16) | bits(2, 0),
     SyncAdd64{d(92), d(94), true, SyncScope::kSystem, {0}, {0}},
     {{92, 40}, {94, 32}, {1, 0}}},
    {52,
     "SYNC_SET64",
     kSignal | bits(47, 16) | bits(2, 0),
     SyncSet64{d(90), d(88), false, SyncScope::kGroup, {0x40}, {5}},
     {{5, 48}, {90, 40}, {88, 32}, {0x40, 16}, {2, 1}}},
    {53,
     "SYNC_WAIT64",
     bits(47, 28) | bits(0, 0),
     SyncWait64{d(70), d(72), SyncCondition::kGreater, false},
     {{70, 40}, {72, 32}, {1, 28}}},
};
TEST(CsInstruction, OperandsStandWhereTheDataSheetSays) {
  for (const Row& row : kRows) {
    std::uint64_t word = std::uint64_t{row.opcode} << 56;
    for (const Placed& operand : row.operands) word |= operand.value << operand.lowest_bit;
    EXPECT_EQ(encode(row.instruction), word) << row.name;
    const auto decoded = decode(word);
    ASSERT_TRUE(decoded) << row.name;
    EXPECT_TRUE(*decoded == row.instruction) << row.name;
    EXPECT_TRUE(are_operands_defined(row.instruction)) << row.name;
    EXPECT_EQ(static_cast<unsigned>(opcode_of(*decoded)), row.opcode);
    EXPECT_STREQ(name_of(opcode_of(*decoded)), row.name);
  }
  EXPECT_EQ(std::size(kRows), std::variant_size_v<Instruction>);
}

TEST(CsInstruction, OperandsCoverNoOtherBits) {
  for (const Row& row : kRows) {
    const std::uint64_t all_ones = std::uint64_t{row.opcode} << 56 | bits(55, 0);
    EXPECT_EQ(unused_bits(all_ones), bits(55, 0) & ~row.operand_bits) << row.name;
    // Bits outside of the operands change nothing.
    const std::uint64_t word = encode(row.instruction);
    EXPECT_TRUE(*decode(word | (bits(55, 0) & ~row.operand_bits)) == row.instruction) << row.name;
  }
}

TEST(CsInstruction, OpcodesThatV10DoesNotDefine) {
  const auto is_undefined = [](unsigned opcode) {
    return opcode == 10 || (12 <= opcode && opcode <= 15) || opcode == 19 ||
           (26 <= opcode && opcode <= 31) || opcode == 35 || opcode == 45 || opcode == 46 ||
           opcode >= 54;
  };
  for (unsigned opcode = 0; opcode < 256; ++opcode) {
    const std::uint64_t word = std::uint64_t{opcode} << 56 | 0x12'3456;
    EXPECT_EQ(decode(word).has_value(), !is_undefined(opcode)) << opcode;
    const bool has_name = std::strcmp(name_of(static_cast<Opcode>(opcode)), "UNDEFINED") != 0;
    EXPECT_EQ(has_name, !is_undefined(opcode)) << opcode;
    if (is_undefined(opcode)) {
      EXPECT_EQ(unused_bits(word), word);
    }
  }
}

RC_GTEST_PROP(CsInstructionProperty, AnyWordComesBackButForItsUnusedBits, (std::uint64_t noise)) {
  const Row& row = kRows[*rc::gen::inRange<std::size_t>(0, std::size(kRows))];
  const std::uint64_t word = (noise & bits(55, 0)) | std::uint64_t{row.opcode} << 56;
  const auto decoded = decode(word);
  RC_ASSERT(decoded.has_value());
  RC_ASSERT(decoded->index() == row.instruction.index());
  RC_ASSERT(encode(*decoded) == (word & ~unused_bits(word)));
  RC_ASSERT(*decode(encode(*decoded)) == *decoded);
}

// Against the rules in plain words, for the instructions in which every kind of operand occurs.
RC_GTEST_PROP(CsInstructionProperty, UndefinedRegistersAreFound, ()) {
  const auto any_register = rc::gen::arbitrary<std::uint8_t>();
  const std::uint8_t base = *any_register;
  const std::uint8_t address = *any_register;
  const auto mask = *rc::gen::arbitrary<std::uint16_t>();
  bool exists = base < 96 && address < 96 && address % 2 == 0;
  for (unsigned i = 0; i < 16; ++i) {
    if ((mask >> i & 1) != 0 && base + i >= 96) exists = false;
  }
  RC_ASSERT(are_operands_defined(LoadMultiple{{base}, {address}, mask, 0}) == exists);
  RC_ASSERT(are_operands_defined(StoreMultiple{{base}, {address}, mask, 0}) == exists);
}

TEST(CsInstruction, UndefinedModesAreFound) {
  EXPECT_FALSE(are_operands_defined(Branch{r(0), static_cast<BranchCondition>(7), 0}));
  EXPECT_FALSE(are_operands_defined(*decode(0x2700'4042'2000'0000)));  // SYNC_WAIT32, condition 2
  EXPECT_TRUE(are_operands_defined(*decode(0x2700'4042'1000'0000)));
  EXPECT_FALSE(are_operands_defined(*decode(0x3300'4042'0000'0002)));  // SYNC_ADD64, scope 1
  EXPECT_FALSE(are_operands_defined(*decode(0x0400'0000'0000'c001)));  // RUN_COMPUTE, axis 3
  EXPECT_FALSE(are_operands_defined(*decode(0x0700'0000'0000'0030)));  // RUN_FRAGMENT, tile order 3
  EXPECT_FALSE(are_operands_defined(*decode(0x3100'0002'0000'0000)));  // HEAP_OPERATION 2
  EXPECT_FALSE(are_operands_defined(*decode(0x1900'5658'0000'0000)));  // handler of kind 0
  EXPECT_FALSE(are_operands_defined(*decode(0x2408'4600'0000'0233)));  // signals scoreboard 8
  EXPECT_FALSE(are_operands_defined(*decode(0x2400'4600'0000'0004)));  // flush mode 4
  EXPECT_FALSE(are_operands_defined(*decode(0x0143'0000'0000'0000)));  // MOVE48 to an odd pair
  EXPECT_FALSE(are_operands_defined(*decode(0x0260'0000'0000'0000)));  // MOVE32 to r96
  EXPECT_TRUE(are_operands_defined(*decode(0x0300'0000'ffff'0000)));   // WAIT with IGT's high bits
}

TEST(CsInstructionDeathTest, RegisterNamesAreChecked) {
  EXPECT_DEATH(r(96), "kRegisterCount");
  EXPECT_DEATH(d(67), "index % 2");
  EXPECT_DEATH(encode(Move48{d(0), std::uint64_t{1} << 48}), "raw <= kMax");
  EXPECT_DEATH(decode_as<Move32>(0x0100'0000'0000'0000), "kOpcode");
}

}  // namespace
}  // namespace pantry::datasheet::isa
