// SPDX-License-Identifier: MIT
//
// Words that real drivers and real tests have sent to hardware, and hand-made ones for the rest.

#include "igt_tests/lib/assembler.h"

#include <gtest/gtest.h>

namespace gpu {
namespace {

uint64_t only_word(const Assembler& stream) {
  EXPECT_EQ(stream.words().size(), 1u);
  return stream.words().empty() ? ~uint64_t{0} : stream.words()[0];
}

// The stream of a published test: 0xDEADBEEF to VA 0x1001000, then a flush.
TEST(Assembler, GoldenStore) {
  Assembler stream;
  stream.move48(68, 0x1001000)
      .move32(70, 0xDEADBEEF)
      .store(70, 1, 68, 0)
      .wait_all()
      .move32(70, 0)
      .flush_cache(70, 1)
      .wait_all();
  const std::vector<uint64_t> golden = {
      0x0144000001001000, 0x02460000DEADBEEF, 0x1546440000010000, 0x0300000000FF0000,
      0x0246000000000000, 0x2401460000000233, 0x0300000000FF0000,
  };
  EXPECT_EQ(stream.words(), golden);
  EXPECT_EQ(stream.size_bytes(), 56u);
}

// The wrapper that the kernel puts around a job uses the same instructions.
TEST(Assembler, GoldenWrapper) {
  EXPECT_EQ(only_word(Assembler().move32(94, 0)), 0x025E000000000000u);
  EXPECT_EQ(only_word(Assembler().move48(92, 0x7F1234500000)), 0x015C7F1234500000u);
  EXPECT_EQ(only_word(Assembler().wait(1)), 0x0300000000010000u);
  EXPECT_EQ(only_word(Assembler().call(92, 94)), 0x20005C5E00000000u);
  EXPECT_EQ(only_word(Assembler().sync_add64(92, 94, SyncScope::kSystem)) | 1, 0x33005C5E00000001u);
  EXPECT_EQ(only_word(Assembler().error_barrier()), 0x2F00000000000000u);
  EXPECT_EQ(only_word(Assembler().nop()), 0u);
}

TEST(Assembler, MesaWords) {
  EXPECT_EQ(only_word(Assembler().select_scoreboards(3, 0)), 0x1700000000000003u);
  EXPECT_EQ(only_word(Assembler().move48(72, 0)), 0x0148000000000000u);
  EXPECT_EQ(only_word(Assembler().load(94, 2, 76, 68)), 0x145E4C0000030044u);
  EXPECT_EQ(only_word(Assembler().store(40, 16, 94, 0)), 0x15285E00FFFF0000u);
  EXPECT_EQ(only_word(Assembler().heap_set(72)), 0x3000480000000000u);
  EXPECT_EQ(only_word(Assembler().heap_operation(Pass::kBegun)), 0x3100000000000000u);
  EXPECT_EQ(only_word(Assembler().heap_operation(Pass::kTiled)), 0x3100000100000000u);
  EXPECT_EQ(only_word(Assembler().finish_fragment(86, 88)), 0x0B00565800000001u);
  EXPECT_EQ(only_word(Assembler().finish_tiling()), 0x0900000000000000u);
  EXPECT_EQ(only_word(Assembler().set_exception_handler(86, 88)), 0x1900565800000002u);
}

TEST(Assembler, Fields) {
  EXPECT_EQ(only_word(Assembler().add32(5, 7, -1)), 0x10050700FFFFFFFFu);
  EXPECT_EQ(only_word(Assembler().add64(4, 6, 16)), 0x1104060000000010u);
  EXPECT_EQ(only_word(Assembler().umin32(1, 2, 3)), 0x1201020300000000u);
  EXPECT_EQ(only_word(Assembler().load(8, 16, 64, -4)), 0x14084000FFFFFFFCu);
  EXPECT_EQ(only_word(Assembler().jump(64, 66)), 0x2100404200000000u);
  EXPECT_EQ(only_word(Assembler().sync_set32(64, 68, SyncScope::kGroup)), 0x2600404400000004u);
  EXPECT_EQ(only_word(Assembler().sync_set64(64, 68, SyncScope::kSystem)), 0x3400404400000000u);
  EXPECT_EQ(only_word(Assembler().sync_add32(64, 68, SyncScope::kSystem)), 0x2500404400000000u);
  EXPECT_EQ(only_word(Assembler().sync_wait32(WaitUntil::kGreater, 64, 68)), 0x2700404410000000u);
  EXPECT_EQ(only_word(Assembler().sync_wait64(WaitUntil::kLessOrEqual, 64, 68)),
            0x3500404400000000u);
  EXPECT_EQ(only_word(Assembler().store_state(State::kCycleCount, 64, 8)), 0x2800400100000008u);
}

TEST(Assembler, Branches) {
  Assembler self;
  self.branch_back(Condition::kAlways, 0, self.here());
  EXPECT_EQ(only_word(self), 0x160000006000FFFFu);

  Assembler forward;
  const auto skip = forward.branch_forward(Condition::kNotEqual, 66);
  forward.nop().nop().nop();
  forward.land(skip);
  EXPECT_EQ(forward.words()[0], 0x1600420030000003u);
}

TEST(Assembler, Move64UsesBothHalves) {
  Assembler stream;
  stream.move64(10, 0x1122334455667788);
  const std::vector<uint64_t> expected = {0x020A000055667788, 0x020B000011223344};
  EXPECT_EQ(stream.words(), expected);
}

}  // namespace
}  // namespace gpu
