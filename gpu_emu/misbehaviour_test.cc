// SPDX-License-Identifier: MIT
//
// What a driver sees of hardware that fails, and that a reset of the GPU ends it.
#include "gpu_emu/misbehaviour.h"

#include <gtest/gtest.h>

#include <utility>

#include "gpu_emu/datasheet/address_space.h"
#include "gpu_emu/gpu_host.h"

namespace pantry::emu {
namespace {

namespace regs = datasheet::gpu_control;
namespace as_regs = datasheet::address_space;
using datasheet::csg::State;
using isa::d;
using isa::r;

Program store_value(GpuVa where, std::uint32_t value) {
  return program(isa::Move48{.dst = d(68), .imm = where.value},
                 isa::Move32{.dst = r(70), .imm = value},
                 isa::StoreMultiple{.base = r(70), .address = d(68), .mask = 1},
                 isa::Wait{.mask = isa::kAllScoreboards});
}

// Does once what a test sets.
struct Script final : Misbehaviour {
  template <class T>
  static T take(T& value) {
    return std::exchange(value, T{});
  }
  bool loses_interrupt(Line on) override { return on == line && take(lose); }
  bool as_command_sticks(std::uint32_t) override { return take(stick); }
  Duration extra_flush_time() override { return take(flush_time); }
  Duration acknowledge_delay() override { return take(delay); }
  bool firmware_hangs() override { return take(hang); }
  bool corrupts_suspend_buffer() override { return take(corrupt); }
  std::uint64_t flipped_pte_bits(std::uint32_t as) override { return as == 1 ? take(flip) : 0; }

  Line line = Line::kJob;
  bool lose = false, stick = false, hang = false, corrupt = false;
  Duration flush_time, delay;
  std::uint64_t flip = 0;
};

class Misbehaving : public testing::Test {
 protected:
  Misbehaving() : rig_(StreamPolicy::kAll) { rig_.gpu.attach(script_); }
  void SetUp() override {
    rig_.bring_up();
    ASSERT_TRUE(rig_.enable_as(1, rig_.user_root));
    ASSERT_TRUE(rig_.start(0, rig_.group(1, 1), State::kStart));
    rig_.take_job_interrupts();
  }
  // As a driver does that has given up.
  void reset() {
    ASSERT_TRUE(rig_.stop_mcu());
    ASSERT_TRUE(rig_.soft_reset());
    for (std::uint64_t at = 0; at < 0x8'0000; at += 4) rig_.store(GpuHost::kMcuVa + at, 0);
    rig_.bring_up();
    ASSERT_TRUE(rig_.enable_as(1, rig_.user_root));
  }
  // A device that works is found by a job that does.
  void expect_works(State how) {
    rig_.take_job_interrupts();
    ASSERT_TRUE(rig_.start(0, rig_.group(1, 1), how));
    const std::uint64_t before = rig_.seqno(0);
    submit(7);
    rig_.pass(milliseconds(2));
    EXPECT_EQ(rig_.seqno(0), before + 1);
    EXPECT_EQ(rig_.user32(GpuHost::kData), 7u);
  }
  void submit(std::uint32_t value) { rig_.submit_job(0, 0, store_value(GpuHost::kData, value)); }

  Script script_;
  GpuHost rig_;
};

TEST_F(Misbehaving, AStuckCommandIsActiveUntilTheReset) {
  script_.stick = true;
  rig_.write(as_regs::offset_of(1, as_regs::kCommand), 2);
  EXPECT_FALSE(rig_.poll(milliseconds(1), seconds(10), [&] {
    return (rig_.read(as_regs::offset_of(1, as_regs::kStatus)) & 1) == 0;
  }));
  reset();
  EXPECT_EQ(rig_.read(as_regs::offset_of(1, as_regs::kStatus)) & 1, 0u);
  expect_works(State::kStart);
}

TEST_F(Misbehaving, ALostInterruptShowsInRawstatAndWithTheNextOne) {
  script_.lose = true;
  submit(5);
  rig_.settle();
  EXPECT_EQ(rig_.seqno(0), 1u);
  EXPECT_FALSE(script_.lose);
  EXPECT_FALSE(rig_.job_line.level);
  EXPECT_NE(rig_.read(datasheet::job_int::kRawstat.offset) & 1, 0u);
  rig_.pass(milliseconds(5));  // CSG_IDLE
  EXPECT_TRUE(rig_.job_line.level);
}

TEST_F(Misbehaving, ALateAcknowledgeComes) {
  script_.delay = milliseconds(150);
  EXPECT_FALSE(rig_.request(0, State::kSuspend)) << "within 100 ms";
  rig_.pass(milliseconds(60));
  EXPECT_TRUE(rig_.host.is_acknowledged(0));
  expect_works(State::kResume);
}

TEST_F(Misbehaving, AFirmwareThatHangsAnswersNothingUntilItIsSwitchedOff) {
  script_.hang = true;
  submit(5);
  rig_.pass(milliseconds(10));
  EXPECT_EQ(rig_.seqno(0), 0u);
  EXPECT_FALSE(rig_.request(0, State::kTerminate));
  EXPECT_EQ(rig_.read(regs::kMcuStatus.offset), 1u);
  reset();
  expect_works(State::kStart);
}

TEST_F(Misbehaving, ACorruptedSuspendBufferMakesItsStreamsFatal) {
  script_.corrupt = true;
  ASSERT_TRUE(rig_.request(0, State::kSuspend));
  EXPECT_FALSE(script_.corrupt);
  rig_.take_job_interrupts();
  ASSERT_TRUE(rig_.start(0, rig_.group(1, 1), State::kResume));
  rig_.settle();
  EXPECT_TRUE(rig_.gpu.dump().firmware.groups[0].streams[0].dead);
  // The next one is well.
  ASSERT_TRUE(rig_.request(0, State::kTerminate));
  expect_works(State::kStart);
}

TEST_F(Misbehaving, AFlippedBitIsReadByTheWalkAndStaysInMemory) {
  const std::uint64_t before = rig_.entry(rig_.user_root, GpuHost::kData.value);
  // The first walk of the job is for its ring or code.
  script_.flip = 1;
  submit(5);
  rig_.settle();
  EXPECT_EQ(script_.flip, 0u);
  EXPECT_TRUE(rig_.mmu_line.level);
  EXPECT_EQ(rig_.seqno(0), 0u);
  EXPECT_EQ(rig_.entry(rig_.user_root, GpuHost::kData.value), before) << "only what was walked";
  unsigned flipped = 0;
  for (std::uint64_t at = 0; at < GpuHost::kWindow; at += kPageSize)
    flipped += (rig_.entry(rig_.user_root, GpuHost::kUserVa + at) & 1) == 0;
  EXPECT_EQ(flipped, 1u);
}

TEST_F(Misbehaving, ASlowFlushEndsLate) {
  script_.flush_time = milliseconds(150);
  rig_.write(regs::kCommand.offset, 0x1104);
  const auto done = [&] { return (rig_.read(regs::kIrqRawstat.offset) & 1u << 17) != 0; };
  EXPECT_FALSE(rig_.poll(milliseconds(1), milliseconds(100), done));
  EXPECT_TRUE(rig_.poll(milliseconds(1), milliseconds(100), done));
  script_.flush_time = milliseconds(150);
  rig_.gpu.write64(as_regs::offset_of(1, as_regs::kLockaddr), 0x3f);
  ASSERT_TRUE(rig_.as_command(1, 2));
  ASSERT_TRUE(rig_.as_command(1, 5));  // FLUSH_MEM
  const auto idle = [&] { return (rig_.read(as_regs::offset_of(1, as_regs::kStatus)) & 1) == 0; };
  EXPECT_FALSE(rig_.poll(milliseconds(1), milliseconds(100), idle));
  EXPECT_TRUE(rig_.poll(milliseconds(1), milliseconds(100), idle));
  submit(5);
  rig_.pass(milliseconds(1));
  EXPECT_EQ(rig_.seqno(0), 1u);
}

}  // namespace
}  // namespace pantry::emu
