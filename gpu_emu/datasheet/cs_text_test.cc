// SPDX-License-Identifier: MIT
#include "gpu_emu/datasheet/cs_text.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <random>

#include "gpu_emu/datasheet/cs_instruction.h"

namespace pantry::datasheet::isa {
namespace {

struct Golden {
  std::uint64_t word;
  const char* text;
};

// Mesa's OpenGL ES driver: its words and what its own disassembler says of them.
constexpr Golden kOpenGlEs[] = {
    {0x0148000000000000, "MOVE d72, #0x0"},
    {0x3000480000000000, "HEAP_SET d72"},
    {0x01567ffffffe9000, "MOVE d86, #0x7FFFFFFE9000"},
    {0x0258000000000140, "MOVE32 r88, #0x140"},
    {0x1900565800000002, "SET_EXCEPTION_HANDLER d86, r88"},
    {0x145e4c0000030044, "LOAD_MULTIPLE r94:r95, [d76 + 68]"},
    {0x0300000000010000, "WAIT #1"},
    {0x15285e00ffff0000,
     "STORE_MULTIPLE [d94], r40:r41:r42:r43:r44:r45:r46:r47:r48:r49:r50:r51:r52:r53:r54:r55"},
    {0x142f4c0000010000, "LOAD_MULTIPLE r47, [d76]"},
    {0x16002f0000000002, "BRANCH.le r47, #2"},
    {0x14284c000003001c, "LOAD_MULTIPLE r40:r41, [d76 + 28]"},
    {0x1600000060000001, "BRANCH.always r0, #1"},
    {0x14284c000003000c, "LOAD_MULTIPLE r40:r41, [d76 + 12]"},
    {0x142a4c0000010034, "LOAD_MULTIPLE r42, [d76 + 52]"},
    {0x142b4c0000010038, "LOAD_MULTIPLE r43, [d76 + 56]"},
    {0x012c000000000000, "MOVE d44, #0x0"},
    {0x022e000000000000, "MOVE32 r46, #0x0"},
    {0x1700000000000003, "SET_SB_ENTRY #3, #0"},
    {0x0700000000000000, "RUN_FRAGMENT.tile_order=zorder"},
    {0x0300000000080000, "WAIT #8"},
    {0x102f2f0000000001, "ADD_IMMEDIATE32 r47, r47, #1"},
    {0x152f4c0000010000, "STORE_MULTIPLE [d76], r47"},
    {0x14324c000003003c, "LOAD_MULTIPLE r50:r51, [d76 + 60]"},
    {0x14343200000f0028, "LOAD_MULTIPLE r52:r53:r54:r55, [d50 + 40]"},
    {0x0b00343600000000, "FINISH_FRAGMENT d54, d52, #0, #0"},
    {0x0130000000000000, "MOVE d48, #0x0"},
    {0x1530320000030000, "STORE_MULTIPLE [d50], r48:r49"},
    {0x1530320000030028, "STORE_MULTIPLE [d50 + 40], r48:r49"},
    {0x1530320000030030, "STORE_MULTIPLE [d50 + 48], r48:r49"},
    {0x2400300000000200, "FLUSH_CACHE2.nop_l2.nop_lsc.invalidate_other r48, #0, #0"},
    {0x1700000000000002, "SET_SB_ENTRY #2, #0"},
    {0x14285e00ffff0000,
     "LOAD_MULTIPLE r40:r41:r42:r43:r44:r45:r46:r47:r48:r49:r50:r51:r52:r53:r54:r55, [d94]"},
    {0x0000000000000000, "NOP"},
    {0x220000000000000f, "REQ_RESOURCE.compute.fragment.tiler.idvs"},
    {0x01287ffffffd5003, "MOVE d40, #0x7FFFFFFD5003"},
    {0x022a000000000000, "MOVE32 r42, #0x0"},
    {0x022b0000003f003f, "MOVE32 r43, #0x3F003F"},
    {0x0300000000040000, "WAIT #4"},
    {0x0300000000ff0000, "WAIT #ff"},
    {0x024a000000000000, "MOVE32 r74, #0x0"},
    {0x24004a0000000211, "FLUSH_CACHE2.clean_l2.clean_lsc.invalidate_other r74, #0, #0"},
    {0x014c7ffffffd52a0, "MOVE d76, #0x7FFFFFFD52A0"},
    {0x3100000000000000, "HEAP_OPERATION.vt_start #0, #0"},
    {0x01007ffffffd5687, "MOVE d0, #0x7FFFFFFD5687"},
    {0x02080000fffd5220, "MOVE32 r8, #0xFFFD5220"},
    {0x0209000003007fff, "MOVE32 r9, #0x3007FFF"},
    {0x01107fffffffd140, "MOVE d16, #0x7FFFFFFFD140"},
    {0x01047ffffffd5707, "MOVE d4, #0x7FFFFFFD5707"},
    {0x010c000000000000, "MOVE d12, #0x0"},
    {0x01147fffffffd0a0, "MOVE d20, #0x7FFFFFFFD0A0"},
    {0x01127fffffffd160, "MOVE d18, #0x7FFFFFFFD160"},
    {0x01187ffffffd5100, "MOVE d24, #0x7FFFFFFD5100"},
    {0x011e7ffffffd5100, "MOVE d30, #0x7FFFFFFD5100"},
    {0x0220000000000000, "MOVE32 r32, #0x0"},
    {0x0225000000000000, "MOVE32 r37, #0x0"},
    {0x0226000000000000, "MOVE32 r38, #0x0"},
    {0x01287ffffffd5300, "MOVE d40, #0x7FFFFFFD5300"},
    {0x012a000000000000, "MOVE d42, #0x0"},
    {0x022c0000bf800000, "MOVE32 r44, #0xBF800000"},
    {0x022d00003f800000, "MOVE32 r45, #0x3F800000"},
    {0x0230000000000010, "MOVE32 r48, #0x10"},
    {0x01327ffffffd5141, "MOVE d50, #0x7FFFFFFD5141"},
    {0x01347ffffffd5120, "MOVE d52, #0x7FFFFFFD5120"},
    {0x0238000000438000, "MOVE32 r56, #0x438000"},
    {0x02390000000021ab, "MOVE32 r57, #0x21AB"},
    {0x023a00000001ffff, "MOVE32 r58, #0x1FFFF"},
    {0x013c000000000000, "MOVE d60, #0x0"},
    {0x0221000000000004, "MOVE32 r33, #0x4"},
    {0x0222000000000001, "MOVE32 r34, #0x1"},
    {0x0223000000000000, "MOVE32 r35, #0x0"},
    {0x0224000000000000, "MOVE32 r36, #0x0"},
    {0x0227000000000000, "MOVE32 r39, #0x0"},
    {0x060000420004000c,
     "RUN_IDVS.varying_srt0.varying_fau0.varying_tsd0.frag_srt1.frag_tsd0 r0, #4000c"},
    {0x0900000000000000, "FINISH_TILING"},
    {0x3100000100000000, "HEAP_OPERATION.vt_end #0, #0"},
    {0x022b000000000000, "MOVE32 r43, #0x0"},
    {0x144e4c0000010000, "LOAD_MULTIPLE r78, [d76]"},
    {0x16004e0000000001, "BRANCH.le r78, #1"},
    {0x015a7ffffffd5300, "MOVE d90, #0x7FFFFFFD5300"},
    {0x14565a00000f0028, "LOAD_MULTIPLE r86:r87:r88:r89, [d90 + 40]"},
    {0x0b00565800000001, "FINISH_FRAGMENT.frag_end d88, d86, #0, #0"},
};
// Vulkan: the text alone was recorded.
constexpr const char* kVulkan[] = {
    "MOVE32 r66, #0x0",
    "WAIT #ff",
    "FLUSH_CACHE2.clean_l2.clean_lsc.nop_other r66, #0, #0",
    "WAIT #1",
    "MOVE32 r68, #0x1",
    "LOAD_MULTIPLE r66:r67, [d90 + 112]",
    "ADD_IMMEDIATE64 d66, d66, #0",
    "LOAD_MULTIPLE r69, [d66 + 4]",
    "SYNC_ADD32.error_propagate.csg [d66], r68, #0, #0",
    "BRANCH.ne r69, #1",
    "BRANCH.always r0, #2",
    "STORE_MULTIPLE [d66 + 4], r69",
    "ADD_IMMEDIATE64 d66, d66, #8",
    "ADD_IMMEDIATE64 d66, d66, #16",
    "ADD_IMMEDIATE64 d88, d88, #1",
    "MOVE d0, #0xFFCCF0C1",
    "MOVE32 r8, #0xFFCCF080",
    "MOVE32 r9, #0x4000000",
    "MOVE d16, #0xFFFE8120",
    "MOVE d24, #0xFFCCF000",
    "MOVE32 r32, #0x0",
    "MOVE32 r33, #0xFF",
    "MOVE32 r34, #0x0",
    "MOVE32 r35, #0x0",
    "MOVE32 r36, #0x0",
    "MOVE32 r37, #0x40",
    "MOVE32 r38, #0x1",
    "MOVE32 r39, #0x1",
    "LOAD_MULTIPLE r66, [d90 + 8]",
    "BRANCH.ne r66, #3",
    "WAIT #8",
    "SET_SB_ENTRY #3, #0",
    "BRANCH.always r0, #19",
    "ADD_IMMEDIATE32 r67, r66, #-1",
    "BRANCH.ne r67, #3",
    "WAIT #10",
    "SET_SB_ENTRY #4, #0",
    "BRANCH.always r0, #14",
    "ADD_IMMEDIATE32 r67, r66, #-2",
    "WAIT #20",
    "SET_SB_ENTRY #5, #0",
    "BRANCH.always r0, #9",
    "ADD_IMMEDIATE32 r67, r66, #-3",
    "WAIT #40",
    "SET_SB_ENTRY #6, #0",
    "BRANCH.always r0, #4",
    "ADD_IMMEDIATE32 r67, r66, #-4",
    "BRANCH.ne r67, #2",
    "WAIT #80",
    "SET_SB_ENTRY #7, #0",
    "REQ_RESOURCE.compute",
    "LOAD_MULTIPLE r66:r67, [d90 + 120]",
    "ADD_IMMEDIATE64 d66, d66, #192",
    "STORE_MULTIPLE [d90 + 120], r66:r67",
    "MOVE d68, #0xFFCBF168",
    "RUN_COMPUTE.x_axis.srt0.spd0.tsd0.fau0 #4",
    "STORE_MULTIPLE [d66 + -192], r68:r69",
    "STORE_MULTIPLE [d66 + -184], r0:r1:r2:r3:r4:r5:r6:r7:r8:r9:r10:r11:r12:r13:r14:r15",
    "STORE_MULTIPLE [d66 + -120], r16:r17:r18:r19:r20:r21:r22:r23:r24:r25:r26:r27:r28:r29:r30:r31",
    "STORE_MULTIPLE [d66 + -56], r32:r33:r34:r35:r36:r37:r38:r39",
    "REQ_RESOURCE",
    "LOAD_MULTIPLE r66:r67:r68, [d90]",
    "ADD_IMMEDIATE64 d66, d66, #32",
    "MOVE d70, #0x1",
    "BRANCH.ne r68, #3",
    "SYNC_ADD64.error_propagate.csg [d66], d70, #8, #1",
    "ADD_IMMEDIATE32 r69, r68, #-1",
    "BRANCH.ne r69, #3",
    "SYNC_ADD64.error_propagate.csg [d66], d70, #10, #1",
    "MOVE32 r68, #0x2",
    "ADD_IMMEDIATE32 r69, r68, #-2",
    "SYNC_ADD64.error_propagate.csg [d66], d70, #20, #1",
    "MOVE32 r68, #0x3",
    "ADD_IMMEDIATE32 r69, r68, #-3",
    "SYNC_ADD64.error_propagate.csg [d66], d70, #40, #1",
    "MOVE32 r68, #0x4",
    "ADD_IMMEDIATE32 r69, r68, #-4",
    "BRANCH.ne r69, #2",
    "SYNC_ADD64.error_propagate.csg [d66], d70, #80, #1",
    "MOVE32 r68, #0x0",
    "STORE_MULTIPLE [d90 + 8], r68",
    "MOVE d90, #0xFFFE40C0",
    "MOVE d66, #0x0",
    "HEAP_SET d66",
    "MOVE d90, #0xFFFE4140",
    "MOVE d90, #0xFFFE41C0",
};

TEST(CsText, IsWhatMesaWrites) {
  for (const Golden& golden : kOpenGlEs) {
    EXPECT_EQ(disassemble(golden.word), golden.text);
    EXPECT_EQ(assemble(golden.text), golden.word) << golden.text;
  }
  for (const char* const text : kVulkan) {
    const auto word = assemble(text);
    ASSERT_TRUE(word) << text << ": " << word.error();
    EXPECT_EQ(disassemble(*word), text);
  }
}

TEST(CsText, WhatDeviatesIsSaid) {
  constexpr Golden kGolden[] = {
      {0x2000'5c5e'0000'0001, "CALL d92, r94 | #0x1"},
      {0x1600'0000'7000'0000, "BRANCH.?7 r0, #0"},
      {0x1428'4c00'0006'fff8, "LOAD_MULTIPLE r40&0x6, [d76 + -8]"},
      {0x1428'4c00'0000'0000, "LOAD_MULTIPLE r40&0x0, [d76]"},
      {0x1428'4c00'8005'0000, "LOAD_MULTIPLE r40:r42:r55, [d76]"},
      {0x02ff'0000'0000'0000, "MOVE32 r255, #0x0"},
      {0x0a00'0000'0000'0000, ".word 0x0a00000000000000"},
      {0x0000'0000'0000'00ab, "NOP #0xab"},
      {0x1900'5658'0000'0000, "SET_EXCEPTION_HANDLER.kind0x0 d86, r88"},
      {0x0600'2f05'8000'0000,
       "RUN_IDVS.progress_inc.no_malloc.draw_id.varying_srt0.varying_fau0.varying_tsd0.frag_srt0."
       "frag_tsd0 r47, #80000000"},
      {0x2400'0000'0000'0733,
       "FLUSH_CACHE2.clean_invalidate_l2.clean_invalidate_lsc.?7_other r0, #0, #0"},
      {0x2700'4042'1000'0001, "SYNC_WAIT32.reject.gt [d64], r66"},
  };
  for (const Golden& golden : kGolden) {
    EXPECT_EQ(disassemble(golden.word), golden.text);
    EXPECT_EQ(assemble(golden.text), golden.word) << golden.text;
  }
}

// Any opcode, any operands, any bits beside them.
RC_GTEST_PROP(CsText, NoWordIsLost, (std::uint64_t seed, bool sparse)) {
  std::mt19937_64 random(seed);
  for (std::uint64_t opcode = 0; opcode < 256; ++opcode) {
    const std::uint64_t noise = sparse ? random() & random() & random() : random();
    const std::uint64_t word = noise >> 8 | opcode << 56;
    const auto again = assemble(disassemble(word));
    RC_ASSERT(again.has_value());
    RC_ASSERT(*again == word);
  }
}
TEST(CsText, NoBitOfAnyOpcodeIsLost) {
  for (std::uint64_t opcode = 0; opcode < 256; ++opcode) {
    for (unsigned bit = 0; bit < 56; ++bit) {
      for (const std::uint64_t word :
           {std::uint64_t{1} << bit, (~std::uint64_t{0} >> 8) ^ std::uint64_t{1} << bit}) {
        const std::string text = disassemble(word | opcode << 56);
        EXPECT_EQ(assemble(text), word | opcode << 56) << text;
      }
    }
  }
}

TEST(CsText, BadTextIsRefusedWithAReason) {
  const std::array<std::pair<const char*, const char*>, 13> kBad = {{
      {"", "no instruction is called"},
      {"MOVE64 d0, #0x1", "\"MOVE64\""},
      {"MOVE r0, #0x1", "\"d\" is missing"},
      {"MOVE d0, #0x1000000000000", "no room"},
      {"MOVE d256, #0x1", "no number that fits"},
      {"ADD_IMMEDIATE32 r0, r0, #2147483648", "no number that fits"},
      {"WAIT #1ffff", "no number that fits"},
      {"SET_SB_ENTRY #16, #0", "no room"},
      {"LOAD_MULTIPLE r4:r3, [d76]", "cannot follow"},
      {"LOAD_MULTIPLE r4:r20, [d76]", "cannot follow"},
      {"CALL d92, r94 | #0x10000000000", "belong to operands"},
      {"CALL d92, r94 twice", "too much"},
      {".word 0x12 34", "too much"},
  }};
  for (const auto& [text, reason] : kBad) {
    const auto word = assemble(text);
    ASSERT_FALSE(word) << text;
    EXPECT_NE(word.error().find(reason), std::string::npos) << text << ": " << word.error();
  }
}

TEST(CsText, CommentsAndIndentAreNoMatter) {
  EXPECT_EQ(assemble("  WAIT #1  // all of it\r\n"), 0x0300'0000'0001'0000u);
}

TEST(CsText, ABufferHasLabels) {
  constexpr std::array<std::uint64_t, 3> kWords = {0x1600'4500'3000'0001, 0x0300'0000'0001'0000,
                                                   0x1600'0000'6000'fffe};
  EXPECT_EQ(disassemble_buffer(kWords, GpuVa{0xffcaf000}),
            "  01 00 00 30 00 45 00 16    BRANCH.ne r69, #1 // label_ffcaf010\n"
            "label_ffcaf008:\n"
            "  00 00 01 00 00 00 00 03    WAIT #1\n"
            "label_ffcaf010:\n"
            "  fe ff 00 60 00 00 00 16    BRANCH.always r0, #-2 // label_ffcaf008\n");
  constexpr std::array<std::uint64_t, 1> kEnd = {0x1600'0000'6000'0000};
  EXPECT_EQ(disassemble_buffer(kEnd, GpuVa{0}),
            "  00 00 00 60 00 00 00 16    BRANCH.always r0, #0 // end_of_cs\n");
}

}  // namespace
}  // namespace pantry::datasheet::isa
