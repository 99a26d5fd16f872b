// SPDX-License-Identifier: MIT
//
// Words that real clients wrote: the context start and one clear of Mesa's OpenGL ES driver, each
// with what Mesa's own disassembler makes of it, and the first stream that the kernel's own tests
// run.
#include <gtest/gtest.h>

#include <cstdint>

#include "gpu_emu/datasheet/cs_instruction.h"

namespace pantry::datasheet::isa {
namespace {

struct Vector {
  std::uint64_t word;
  Instruction meaning;
};

void expect_both_ways(const Vector& vector) {
  EXPECT_EQ(encode(vector.meaning), vector.word) << name_of(opcode_of(vector.meaning));
  const auto decoded = decode(vector.word);
  ASSERT_TRUE(decoded) << std::hex << vector.word;
  EXPECT_TRUE(*decoded == vector.meaning) << std::hex << vector.word;
  EXPECT_TRUE(are_operands_defined(*decoded)) << std::hex << vector.word;
  EXPECT_EQ(unused_bits(vector.word), 0u) << std::hex << vector.word;
}

TEST(CsVectors, OpenGlEsClear) {
  static constexpr Vector kVectors[] = {
      {0x0148000000000000, Move48{.dst = d(72), .imm = 0x0}},
      {0x3000480000000000, HeapSet{.address = d(72)}},
      {0x01567ffffffe9000, Move48{.dst = d(86), .imm = 0x7ffffffe9000}},
      {0x0258000000000140, Move32{.dst = r(88), .imm = 0x140}},
      {0x1900565800000002, SetExceptionHandler{.address = d(86), .length = r(88)}},
      {0x145e4c0000030044,
       LoadMultiple{.base = r(94), .address = d(76), .mask = 0x3, .offset = 68}},
      {0x0300000000010000, Wait{.mask = {0x1}}},
      {0x15285e00ffff0000,
       StoreMultiple{.base = r(40), .address = d(94), .mask = 0xffff, .offset = 0}},
      {0x142f4c0000010000, LoadMultiple{.base = r(47), .address = d(76), .mask = 0x1, .offset = 0}},
      {0x16002f0000000002,
       Branch{.value = r(47), .condition = BranchCondition::kLessEqual, .offset = 2}},
      {0x14284c000003001c,
       LoadMultiple{.base = r(40), .address = d(76), .mask = 0x3, .offset = 28}},
      {0x1600000060000001,
       Branch{.value = r(0), .condition = BranchCondition::kAlways, .offset = 1}},
      {0x14284c000003000c,
       LoadMultiple{.base = r(40), .address = d(76), .mask = 0x3, .offset = 12}},
      {0x142a4c0000010034,
       LoadMultiple{.base = r(42), .address = d(76), .mask = 0x1, .offset = 52}},
      {0x142b4c0000010038,
       LoadMultiple{.base = r(43), .address = d(76), .mask = 0x1, .offset = 56}},
      {0x012c000000000000, Move48{.dst = d(44), .imm = 0x0}},
      {0x022e000000000000, Move32{.dst = r(46), .imm = 0x0}},
      {0x1700000000000003, SetSbEntry{.endpoint = {3}, .other = {0}}},
      {0x0700000000000000, RunFragment{.tile_order = TileOrder::kZOrder}},
      {0x0300000000080000, Wait{.mask = {0x8}}},
      {0x102f2f0000000001, AddImm32{.dst = r(47), .src = r(47), .imm = 1}},
      {0x152f4c0000010000,
       StoreMultiple{.base = r(47), .address = d(76), .mask = 0x1, .offset = 0}},
      {0x14324c000003003c,
       LoadMultiple{.base = r(50), .address = d(76), .mask = 0x3, .offset = 60}},
      {0x14343200000f0028,
       LoadMultiple{.base = r(52), .address = d(50), .mask = 0xf, .offset = 40}},
      {0x0b00343600000000, FinishFragment{.increment_fragment_completed = false,
                                          .first_chunk = d(52),
                                          .last_chunk = d(54),
                                          .wait = {0},
                                          .signal = {0}}},
      {0x0130000000000000, Move48{.dst = d(48), .imm = 0x0}},
      {0x1530320000030000,
       StoreMultiple{.base = r(48), .address = d(50), .mask = 0x3, .offset = 0}},
      {0x1530320000030028,
       StoreMultiple{.base = r(48), .address = d(50), .mask = 0x3, .offset = 40}},
      {0x1530320000030030,
       StoreMultiple{.base = r(48), .address = d(50), .mask = 0x3, .offset = 48}},
      {0x2400300000000200, FlushCache2{.l2 = CacheFlush::kNone,
                                       .load_store = CacheFlush::kNone,
                                       .other = CacheFlush::kInvalidate,
                                       .flush_id = r(48),
                                       .wait = {0},
                                       .signal = {0}}},
      {0x1700000000000002, SetSbEntry{.endpoint = {2}, .other = {0}}},
      {0x14285e00ffff0000,
       LoadMultiple{.base = r(40), .address = d(94), .mask = 0xffff, .offset = 0}},
      {0x0000000000000000, Nop{}},
      {0x220000000000000f,
       ReqResource{.compute = true, .fragment = true, .tiler = true, .idvs = true}},
      {0x01287ffffffd5003, Move48{.dst = d(40), .imm = 0x7ffffffd5003}},
      {0x022a000000000000, Move32{.dst = r(42), .imm = 0x0}},
      {0x022b0000003f003f, Move32{.dst = r(43), .imm = 0x3f003f}},
      {0x0300000000040000, Wait{.mask = {0x4}}},
      {0x0300000000ff0000, Wait{.mask = {0xff}}},
      {0x024a000000000000, Move32{.dst = r(74), .imm = 0x0}},
      {0x24004a0000000211, FlushCache2{.l2 = CacheFlush::kClean,
                                       .load_store = CacheFlush::kClean,
                                       .other = CacheFlush::kInvalidate,
                                       .flush_id = r(74),
                                       .wait = {0},
                                       .signal = {0}}},
      {0x014c7ffffffd52a0, Move48{.dst = d(76), .imm = 0x7ffffffd52a0}},
      {0x3100000000000000,
       HeapOperation{.kind = HeapOperationKind::kVertexTilerStarted, .wait = {0}, .signal = {0}}},
      {0x01007ffffffd5687, Move48{.dst = d(0), .imm = 0x7ffffffd5687}},
      {0x02080000fffd5220, Move32{.dst = r(8), .imm = 0xfffd5220}},
      {0x0209000003007fff, Move32{.dst = r(9), .imm = 0x3007fff}},
      {0x01107fffffffd140, Move48{.dst = d(16), .imm = 0x7fffffffd140}},
      {0x01047ffffffd5707, Move48{.dst = d(4), .imm = 0x7ffffffd5707}},
      {0x010c000000000000, Move48{.dst = d(12), .imm = 0x0}},
      {0x01147fffffffd0a0, Move48{.dst = d(20), .imm = 0x7fffffffd0a0}},
      {0x01127fffffffd160, Move48{.dst = d(18), .imm = 0x7fffffffd160}},
      {0x01187ffffffd5100, Move48{.dst = d(24), .imm = 0x7ffffffd5100}},
      {0x011e7ffffffd5100, Move48{.dst = d(30), .imm = 0x7ffffffd5100}},
      {0x0220000000000000, Move32{.dst = r(32), .imm = 0x0}},
      {0x0225000000000000, Move32{.dst = r(37), .imm = 0x0}},
      {0x0226000000000000, Move32{.dst = r(38), .imm = 0x0}},
      {0x01287ffffffd5300, Move48{.dst = d(40), .imm = 0x7ffffffd5300}},
      {0x012a000000000000, Move48{.dst = d(42), .imm = 0x0}},
      {0x022c0000bf800000, Move32{.dst = r(44), .imm = 0xbf800000}},
      {0x022d00003f800000, Move32{.dst = r(45), .imm = 0x3f800000}},
      {0x0230000000000010, Move32{.dst = r(48), .imm = 0x10}},
      {0x01327ffffffd5141, Move48{.dst = d(50), .imm = 0x7ffffffd5141}},
      {0x01347ffffffd5120, Move48{.dst = d(52), .imm = 0x7ffffffd5120}},
      {0x0238000000438000, Move32{.dst = r(56), .imm = 0x438000}},
      {0x02390000000021ab, Move32{.dst = r(57), .imm = 0x21ab}},
      {0x023a00000001ffff, Move32{.dst = r(58), .imm = 0x1ffff}},
      {0x013c000000000000, Move48{.dst = d(60), .imm = 0x0}},
      {0x0221000000000004, Move32{.dst = r(33), .imm = 0x4}},
      {0x0222000000000001, Move32{.dst = r(34), .imm = 0x1}},
      {0x0223000000000000, Move32{.dst = r(35), .imm = 0x0}},
      {0x0224000000000000, Move32{.dst = r(36), .imm = 0x0}},
      {0x0227000000000000, Move32{.dst = r(39), .imm = 0x0}},
      {0x060000420004000c, RunIdvs{.flags_override = 0x4000c,
                                   .malloc_enable = true,
                                   .draw_id = r(0),
                                   .varying_srt_select = 0,
                                   .varying_fau_select = 0,
                                   .varying_tsd_select = 0,
                                   .fragment_srt_select = 1,
                                   .fragment_tsd_select = 0}},
      {0x0900000000000000, FinishTiling{}},
      {0x3100000100000000,
       HeapOperation{.kind = HeapOperationKind::kVertexTilerCompleted, .wait = {0}, .signal = {0}}},
      {0x022b000000000000, Move32{.dst = r(43), .imm = 0x0}},
      {0x144e4c0000010000, LoadMultiple{.base = r(78), .address = d(76), .mask = 0x1, .offset = 0}},
      {0x16004e0000000001,
       Branch{.value = r(78), .condition = BranchCondition::kLessEqual, .offset = 1}},
      {0x015a7ffffffd5300, Move48{.dst = d(90), .imm = 0x7ffffffd5300}},
      {0x14565a00000f0028,
       LoadMultiple{.base = r(86), .address = d(90), .mask = 0xf, .offset = 40}},
      {0x0b00565800000001, FinishFragment{.increment_fragment_completed = true,
                                          .first_chunk = d(86),
                                          .last_chunk = d(88),
                                          .wait = {0},
                                          .signal = {0}}},
  };
  for (const Vector& vector : kVectors) expect_both_ways(vector);
}

// Stores 0xdead'beef to 0x100'1000 and flushes it out.
TEST(CsVectors, StoreOfTheGroupSubmitTest) {
  static constexpr Vector kVectors[] = {
      {0x0144000001001000, Move48{.dst = d(68), .imm = 0x100'1000}},
      {0x02460000DEADBEEF, Move32{.dst = r(70), .imm = 0xdead'beef}},
      {0x1546440000010000, StoreMultiple{.base = r(70), .address = d(68), .mask = 1, .offset = 0}},
      {0x0300000000FF0000, Wait{.mask = kAllScoreboards}},
      {0x0246000000000000, Move32{.dst = r(70), .imm = 0}},
      {0x2401460000000233, FlushCache2{.l2 = CacheFlush::kCleanInvalidate,
                                       .load_store = CacheFlush::kCleanInvalidate,
                                       .other = CacheFlush::kInvalidate,
                                       .flush_id = r(70),
                                       .wait = {0},
                                       .signal = {1}}},
  };
  for (const Vector& vector : kVectors) expect_both_ways(vector);
}

}  // namespace
}  // namespace pantry::datasheet::isa
