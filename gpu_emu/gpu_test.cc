// SPDX-License-Identifier: MIT
#include "gpu_emu/gpu.h"

#include <gtest/gtest.h>

#include "gpu_emu/gpu_host.h"
#include "gpu_emu/mcu/layout.h"

namespace pantry::emu {
namespace {

using datasheet::csg::Request;
using datasheet::csg::State;
using isa::d;
using isa::r;
namespace regs = datasheet::gpu_control;
namespace as_regs = datasheet::address_space;
namespace job_int = datasheet::job_int;
namespace mmu_int = datasheet::mmu_int;

// Stores `value` to data + 0, as IGT's group_submit does.
Program store_value(GpuVa where, std::uint32_t value) {
  return program(isa::Move48{.dst = d(68), .imm = where.value},
                 isa::Move32{.dst = r(70), .imm = value},
                 isa::StoreMultiple{.base = r(70), .address = d(68), .mask = 1},
                 isa::Wait{.mask = isa::kAllScoreboards});
}
const Program kForEver = program(isa::Branch{.offset = -1});

TEST(Probe, FindsAG610PoweredOff) {
  GpuHost rig(StreamPolicy::kAll);
  EXPECT_EQ(rig.read(regs::kGpuId.offset), 0xa867'0005u);
  EXPECT_EQ(rig.read(regs::kMmuFeatures.offset), 0x2830u);
  EXPECT_EQ(rig.read(regs::kAsPresent.offset), 0xffu);
  EXPECT_EQ(rig.read(regs::kCsfId.offset), 0x040a'0412u);
  EXPECT_EQ(rig.gpu.read64(regs::kShaderPresent.offset), 0x5'0005u);
  EXPECT_EQ(rig.gpu.read64(regs::kTilerPresent.offset), 1u);
  EXPECT_EQ(rig.gpu.read64(regs::kL2Present.offset), 1u);
  EXPECT_EQ(rig.gpu.read64(regs::kGpuFeatures.offset), 0u);
  EXPECT_EQ(rig.read(regs::kThreadMaxThreads.offset), 2048u);
  EXPECT_EQ(rig.read(regs::kThreadFeatures.offset), 0x0401'0000u);
  for (const datasheet::Register& reg :
       {regs::kIrqRawstat, regs::kIrqMask, regs::kStatus, regs::kL2Ready, regs::kMcuStatus,
        job_int::kRawstat, job_int::kMask, mmu_int::kRawstat, mmu_int::kMask}) {
    EXPECT_EQ(rig.read(reg.offset), 0u) << reg.name;
  }
  EXPECT_FALSE(rig.gpu_line.level || rig.job_line.level || rig.mmu_line.level);
  EXPECT_EQ(rig.gpu.run(100).kind, RunState::Kind::kIdle);
  const GpuDump dump = rig.gpu.dump();
  EXPECT_EQ(dump.misses, RegisterFile::Misses{});
  EXPECT_EQ(dump.address_spaces.size(), 8u);
}

TEST(Probe, BringsTheMcuUp) {
  GpuHost rig(StreamPolicy::kAll);
  rig.bring_up();
  EXPECT_EQ(rig.read(regs::kMcuStatus.offset), 1u);
  EXPECT_EQ(rig.host.glb_control().load(datasheet::glb::control::kVersion), 0x0101'0000u);
  EXPECT_EQ(rig.gpu.dump().l2_ready, 1u);
  EXPECT_EQ(rig.gpu.dump().misses, RegisterFile::Misses{});
  EXPECT_EQ(rig.gpu.dump().mmu_counters.mistakes, 0u);
}

TEST(Probe, TheMcuNeedsTheL2AndItsAddressSpace) {
  GpuHost rig(StreamPolicy::kAll);
  rig.unmask_mmu();
  ASSERT_TRUE(rig.enable_as(0, rig.mcu_root));
  EXPECT_FALSE(rig.boot_mcu()) << "no L2";
  EXPECT_EQ(rig.read(regs::kMcuStatus.offset), 0u);
  ASSERT_TRUE(rig.power_l2_on());
  ASSERT_TRUE(rig.disable_as(0));
  EXPECT_FALSE(rig.boot_mcu());
  EXPECT_EQ(rig.read(regs::kMcuStatus.offset), 3u);
  EXPECT_TRUE(rig.mmu_line.level) << "its first access faulted";
  EXPECT_EQ(rig.read(as_regs::offset_of(0, as_regs::kFaultStatus)) & 0xff, 0xc0u);
}

class Running : public testing::Test {
 protected:
  explicit Running(const Quirks& quirks) : rig(quirks, StreamPolicy::kAll) {}
  Running() : Running(Quirks{}) {}
  void SetUp() override {
    rig.bring_up();
    ASSERT_TRUE(rig.enable_as(1, rig.user_root));
    ASSERT_TRUE(rig.start(0, rig.group(2, 1), State::kStart));
    rig.take_job_interrupts();
  }

  GpuHost rig;
};

TEST_F(Running, AJobStoresSignalsItsFenceAndInterrupts) {
  for (std::uint32_t job = 1; job <= 50; ++job) {
    rig.submit_job(0, 1, store_value(GpuHost::kData, 0xdead'beef + job));
    ASSERT_TRUE(rig.poll(microseconds(10), milliseconds(100), [&] { return rig.job_line.level; }));
    EXPECT_EQ(rig.take_job_interrupts(), 1u);
    EXPECT_FALSE(rig.job_line.level);
    EXPECT_EQ(rig.user32(GpuHost::kData), 0xdead'beef + job);
    EXPECT_EQ(rig.seqno(1), job);
    EXPECT_EQ(rig.host.answer_events(0).group, Request::SyncUpdate::kMask);
    rig.settle();
    EXPECT_EQ(rig.take_job_interrupts(), 0u);
  }
  const GpuDump dump = rig.gpu.dump();
  EXPECT_TRUE(dump.firmware.groups[0].running);
  EXPECT_EQ(dump.firmware.groups[0].address_space, AsIndex{1});
  EXPECT_EQ(dump.mmu_counters.faults, 0u);
  EXPECT_EQ(dump.mmu_counters.mistakes, 0u);
}

TEST_F(Running, APageFaultStopsItsGroupAndNothingElse) {
  constexpr GpuVa kNowhere{0x6'6666'6000};
  ASSERT_TRUE(rig.enable_as(2, rig.user_root));
  rig.submit_job(0, 0, store_value(kNowhere, 1));
  ASSERT_TRUE(rig.poll(microseconds(10), milliseconds(100), [&] { return rig.mmu_line.level; }));

  // The driver's handler, and what it sees.
  EXPECT_EQ(rig.read(mmu_int::kStatus.offset), 1u << 1);
  const std::uint32_t status = rig.read(as_regs::offset_of(1, as_regs::kFaultStatus));
  EXPECT_EQ(status & 0xff, 0xc1u) << "translation fault, level 1";
  EXPECT_EQ(status >> 8 & 3, 3u) << "a write";
  EXPECT_EQ(rig.gpu.read64(as_regs::offset_of(1, as_regs::kFaultAddress)), kNowhere.value);
  EXPECT_EQ(rig.read(regs::kStatus.offset) & 1u << 4, 1u << 4);
  rig.write(mmu_int::kMask.offset, 0xffff & ~2u);
  EXPECT_FALSE(rig.mmu_line.level);
  const GpuDump stuck = rig.gpu.dump();
  EXPECT_EQ(stuck.address_spaces[1].fault, AddressSpaceDump::Fault::kUnanswered);
  EXPECT_EQ(stuck.address_spaces[1].fault_address, kNowhere);
  EXPECT_EQ(stuck.mmu_counters.faults, 1u);

  ASSERT_TRUE(rig.disable_as(1));
  rig.pass(milliseconds(2));
  EXPECT_EQ(rig.take_job_interrupts(), 1u);
  EXPECT_EQ(rig.host.answer_events(0).streams[0], datasheet::cs::Request::Fault::kMask);
  EXPECT_EQ(rig.host.cs_output(0, 0).load(datasheet::cs::output::kFault), 0x48u);
  EXPECT_TRUE(rig.request(0, State::kTerminate));
  EXPECT_EQ(rig.seqno(0), 0u);

  // Another address space on the same tables goes on, and so does this one after it was armed
  // again.
  rig.host.stop_streams(0);
  rig.write(mmu_int::kClear.offset, 1u << 1);
  rig.write(mmu_int::kMask.offset, 0xffff);
  ASSERT_TRUE(rig.enable_as(1, rig.user_root));
  for (std::uint8_t as = 1; as <= 2; ++as) {
    ASSERT_TRUE(rig.start(as, rig.group(2, as), State::kStart));
    rig.submit_job(as, 1, store_value(GpuHost::kData, as));
    rig.settle();
    EXPECT_EQ(rig.user32(GpuHost::kData), as);
    EXPECT_EQ(rig.seqno(1), as);
    ASSERT_TRUE(rig.request(as, State::kTerminate));
    rig.host.stop_streams(as);
  }
  EXPECT_FALSE(rig.mmu_line.level);
}

TEST_F(Running, ALockedRegionHoldsAJobUntilItsNewPageIsThere) {
  // As Linux 7.3 remaps: LOCK, edit, flush of the GPU's caches, UNLOCK.
  rig.submit_job(0, 0, store_value(GpuHost::kData, 1));
  rig.settle();
  rig.gpu.write64(as_regs::offset_of(1, as_regs::kLockaddr),
                  datasheet::lock_region::encode(GpuRange::of_size(GpuHost::kData, kPageSize)));
  ASSERT_TRUE(rig.as_command(1, 2));
  rig.submit_job(0, 0, store_value(GpuHost::kData, 2));
  rig.pass(milliseconds(5));
  EXPECT_EQ(rig.seqno(0), 1u);
  const std::uint64_t page = rig.new_frame();
  rig.map(rig.user_root, GpuHost::kData.value, page, kPageRw);
  ASSERT_TRUE(rig.command_and_wait(0x2'3304, 1u << 17));
  EXPECT_EQ(rig.seqno(0), 1u) << "still locked";
  const int wakes = rig.wakes;
  ASSERT_TRUE(rig.as_command(1, 3));
  EXPECT_EQ(rig.wakes, wakes + 1) << "there is work again";
  rig.settle();
  EXPECT_EQ(rig.seqno(0), 2u);
  EXPECT_EQ(rig.user32(GpuHost::kData), 1u) << "the old page";
  EXPECT_EQ(rig.word32(page).load(), 2u);
  EXPECT_EQ(rig.gpu.dump().mmu_counters.faults, 0u);
  EXPECT_EQ(rig.gpu.dump().mmu_counters.mistakes, 0u);
}

TEST_F(Running, AnUnmapWithoutFlushIsServedStaleAndWithOneFaults) {
  rig.submit_job(0, 0, store_value(GpuHost::kData, 1));
  rig.settle();
  rig.entry(rig.user_root, GpuHost::kData.value) = 0;
  rig.submit_job(0, 0, store_value(GpuHost::kData, 2));
  rig.settle();
  EXPECT_EQ(rig.user32(GpuHost::kData), 2u) << "the TLB still has it";
  // As Linux 6.12: LOCK, FLUSH_PT.
  rig.gpu.write64(as_regs::offset_of(1, as_regs::kLockaddr),
                  datasheet::lock_region::encode(GpuRange::of_size(GpuHost::kData, kPageSize)));
  ASSERT_TRUE(rig.as_command(1, 2));
  ASSERT_TRUE(rig.as_command(1, 4));
  rig.submit_job(0, 0, store_value(GpuHost::kData, 3));
  rig.settle();
  EXPECT_TRUE(rig.mmu_line.level);
  EXPECT_EQ(rig.read(as_regs::offset_of(1, as_regs::kFaultStatus)) & 0xff, 0xc3u);
  EXPECT_EQ(rig.user32(GpuHost::kData), 2u);
}

TEST_F(Running, ABusFaultIsTheGpusOwnInterrupt) {
  rig.map(rig.user_root, GpuHost::kData.value, 0x80'0000'0000 - kPageSize, kPageRw);
  ASSERT_TRUE(rig.enable_as(1, rig.user_root));
  rig.submit_job(0, 0, store_value(GpuHost::kData, 1));
  rig.settle();
  EXPECT_TRUE(rig.gpu_line.level);
  EXPECT_EQ(rig.read(regs::kIrqRawstat.offset) & 1, 1u);
  EXPECT_EQ(rig.read(regs::kFaultStatus.offset) & 0xff, 0x80u);
  EXPECT_EQ(rig.gpu.read64(regs::kFaultAddress.offset), 0x80'0000'0000 - kPageSize);
  rig.write(regs::kIrqClear.offset, 1);
  EXPECT_FALSE(rig.gpu_line.level);
}

TEST_F(Running, SoftResetLosesAllButTheGpuMask) {
  const std::uint32_t flush_id = rig.read(0x1'0000);
  rig.submit_job(0, 0, kForEver);
  rig.gpu.run(500);
  ASSERT_TRUE(rig.soft_reset());
  EXPECT_EQ(rig.read(regs::kIrqMask.offset), GpuHost::kGpuMask);
  EXPECT_EQ(rig.read(regs::kL2Ready.offset), 0u);
  EXPECT_EQ(rig.read(regs::kMcuStatus.offset), 0u);
  EXPECT_EQ(rig.read(regs::kMcuControl.offset), 0u);
  EXPECT_EQ(rig.read(job_int::kMask.offset), 0u);
  EXPECT_EQ(rig.read(mmu_int::kMask.offset), 0u);
  EXPECT_EQ(rig.gpu.read64(as_regs::offset_of(1, as_regs::kTranstab)), 0u);
  EXPECT_GE(rig.read(0x1'0000), flush_id) << "clients hold old values";
  EXPECT_EQ(rig.settle().kind, RunState::Kind::kIdle);
  EXPECT_EQ(rig.gpu.dump().resets, 1u);
  EXPECT_EQ(rig.gpu.dump().recoveries, 1u);
  EXPECT_FALSE(rig.gpu.dump().firmware.groups[0].running);
}

// As 6.12 does when the GPU hangs: groups are suspended, everything is lost, the firmware's
// sections are loaded anew (the shared one is zero), and the groups go on from their buffers.
TEST_F(Running, AFullResetLosesNoJob) {
  rig.submit_job(0, 0, kForEver);
  const Program count =
      program(isa::Move32{.dst = r(1), .imm = 0}, isa::AddImm32{.dst = r(1), .src = r(1), .imm = 1},
              isa::AddImm32{.dst = r(2), .src = r(1), .imm = -20'000},
              isa::Branch{.value = r(2), .condition = isa::BranchCondition::kLess, .offset = -3}) +
      store_value(GpuHost::kData, 77);
  rig.put_user(GpuHost::kCode + 0x800, count);
  rig.submit(0, 1,
             wrapped(0, GpuHost::kCode + 0x800, static_cast<std::uint32_t>(8 * count.size()),
                     GpuHost::sync(1)));
  rig.gpu.run(10'000);
  ASSERT_TRUE(rig.request(0, State::kSuspend));
  rig.host.stop_streams(0);
  ASSERT_TRUE(rig.flush_caches());
  rig.write(job_int::kMask.offset, 0);
  ASSERT_TRUE(rig.stop_mcu());
  rig.write(mmu_int::kMask.offset, 0);
  ASSERT_TRUE(rig.soft_reset());
  EXPECT_EQ(rig.gpu.dump().recoveries, 1u) << "the firmware was stopped, but not halted";

  ASSERT_TRUE(rig.power_l2_on());
  rig.unmask_mmu();
  ASSERT_TRUE(rig.enable_as(0, rig.mcu_root));
  for (std::uint32_t at = 0; at < layout::kSectionBytes; at += 4)
    rig.store(GpuHost::kMcuVa + at, 0);
  ASSERT_TRUE(rig.boot_mcu());
  ASSERT_TRUE(rig.enable_as(3, rig.user_root));
  rig.host.program_group(2, rig.group(2, 3), State::kResume);
  EXPECT_EQ(rig.host.csg_input(2).load(datasheet::csg::input::kReq), 0x13u);
  rig.host.ring_groups(1u << 2);
  for (int i = 0; i < 200; ++i) rig.gpu.run(1000);
  ASSERT_TRUE(rig.host.is_acknowledged(2));
  EXPECT_EQ(rig.user32(GpuHost::kData), 77u);
  EXPECT_EQ(rig.seqno(1), 1u);
  EXPECT_EQ(rig.gpu.dump().firmware.groups[2].streams[0].depth, 2) << "and the loop is a loop";
  EXPECT_TRUE(rig.request(2, State::kTerminate));
}

// The exact order of Linux 6.12, from the last event to the next job.
TEST_F(Running, RuntimeSuspendAndResume) {
  rig.submit_job(0, 0, store_value(GpuHost::kData, 1));
  rig.settle();
  rig.take_job_interrupts();
  rig.host.answer_events(0);
  rig.pass(milliseconds(1));
  EXPECT_EQ(rig.take_job_interrupts(), 1u | 1u << 31) << "IDLE of the group and of all";
  rig.host.answer_events(0);
  const HostBlock glb = rig.host.glb_input();
  glb.store(datasheet::glb::input::kReq, rig.host.glb_output().load(datasheet::glb::output::kAck));
  rig.host.toggle_group(0, Request::StatusUpdate::kMask);
  rig.host.ring_groups(1);
  ASSERT_TRUE(
      rig.poll(microseconds(10), milliseconds(100), [&] { return rig.host.is_acknowledged(0); }));
  EXPECT_EQ(rig.host.csg_output(0).load(datasheet::csg::output::kStatusState), 1u);
  rig.time = rig.time + milliseconds(50);

  ASSERT_TRUE(rig.request(0, State::kSuspend));
  rig.host.stop_streams(0);
  ASSERT_TRUE(rig.flush_caches());
  using datasheet::glb::Request;
  glb.store(datasheet::glb::input::kReq,
            glb.load(datasheet::glb::input::kReq) | Request::Halt::kMask);
  rig.ring(0);
  ASSERT_TRUE(rig.poll(microseconds(10), milliseconds(100),
                       [&] { return rig.read(regs::kMcuStatus.offset) == 2; }));
  EXPECT_EQ(rig.host.glb_output().load(datasheet::glb::output::kHaltStatus), 0u);
  glb.store(datasheet::glb::input::kReq,
            glb.load(datasheet::glb::input::kReq) & ~Request::Halt::kMask);
  rig.write(job_int::kMask.offset, 0);
  ASSERT_TRUE(rig.stop_mcu());
  for (std::uint32_t as = 0; as < 2; ++as) ASSERT_TRUE(rig.disable_as(as));
  rig.write(mmu_int::kMask.offset, 0);
  ASSERT_TRUE(rig.soft_reset());
  rig.write(regs::kIrqMask.offset, 0);
  rig.user_page = 1;  // what clients see while it sleeps
  EXPECT_EQ(rig.settle().kind, RunState::Kind::kIdle);
  rig.time = rig.time + seconds(10);
  EXPECT_EQ(rig.user_page, 1u);

  rig.unmask_gpu();
  ASSERT_TRUE(rig.power_l2_on());
  EXPECT_EQ(rig.user_page, rig.read(0x1'0000)) << "awake";
  rig.unmask_mmu();
  ASSERT_TRUE(rig.enable_as(0, rig.mcu_root));
  ASSERT_TRUE(rig.boot_mcu());
  EXPECT_EQ(rig.host.pending_events(0), InterfaceHost::Events{});
  ASSERT_TRUE(rig.enable_as(1, rig.user_root));
  ASSERT_TRUE(rig.start(0, rig.group(2, 1), State::kResume));
  rig.submit_job(0, 0, store_value(GpuHost::kData, 2));
  rig.settle();
  EXPECT_EQ(rig.user32(GpuHost::kData), 2u);
  EXPECT_EQ(rig.seqno(0), 2u);
  EXPECT_EQ(rig.gpu.dump().mmu_counters.mistakes, 0u);
  EXPECT_EQ(rig.gpu.dump().resets, 1u);
  EXPECT_EQ(rig.gpu.dump().recoveries, 0u) << "the firmware was halted first";
}

TEST_F(Running, TheFirmwareSwitchesShaderCoresOnAndOff) {
  const auto ready = [&] { return rig.gpu.read64(regs::kShaderReady.offset); };
  EXPECT_EQ(ready(), 0u);
  rig.submit_job(0, 0, program(isa::ReqResource{.compute = true}, isa::RunCompute{}));
  const RunState state = rig.settle();
  EXPECT_EQ(state.kind, RunState::Kind::kIdleUntil);
  EXPECT_GE(state.until, rig.time) << "hosts sleep for what is left until then";
  rig.pass(milliseconds(1));
  EXPECT_EQ(rig.seqno(0), 1u);
  EXPECT_EQ(ready(), 0x5'0005u);
  EXPECT_EQ(rig.gpu.read64(regs::kTilerReady.offset), 1u);
  EXPECT_NE(rig.read(regs::kIrqRawstat.offset) & regs::GpuIrq::PowerChangedAll::kMask, 0u);
  rig.pass(milliseconds(11));
  EXPECT_EQ(ready(), 0u);
  rig.submit_job(0, 0, program(isa::ReqResource{.compute = true}, isa::RunCompute{}));
  rig.pass(milliseconds(1));
  EXPECT_EQ(ready(), 0x5'0005u);
  ASSERT_TRUE(rig.stop_mcu());
  rig.pass(milliseconds(1));
  EXPECT_EQ(ready(), 0u) << "there is nobody who needs them";
}

TEST_F(Running, EachFlushMovesTheIdThatClientsRead) {
  const std::uint32_t before = rig.user_page;
  EXPECT_NE(before, 0u);
  EXPECT_EQ(rig.read(0x1'0000), before);
  ASSERT_TRUE(rig.flush_caches());
  EXPECT_EQ(rig.user_page, before + 1);
  rig.submit_job(0, 0, program(isa::Nop{}));  // the wrapper flushes
  rig.settle();
  EXPECT_EQ(rig.user_page, before + 2);
  EXPECT_EQ(rig.read(0x1'0000), before + 2);
}

TEST_F(Running, SleepsAndIsWokenByWhatGivesItWork) {
  rig.pass(milliseconds(2));  // the idle events are out
  ASSERT_EQ(rig.settle().kind, RunState::Kind::kIdle);
  const int before = rig.wakes;
  rig.read(regs::kGpuId.offset);
  rig.write(job_int::kMask.offset, ~0u);
  EXPECT_EQ(rig.wakes, before) << "nothing to do";
  rig.submit_job(0, 0, program(isa::Nop{}));
  EXPECT_EQ(rig.wakes, before + 1);
  rig.ring(0);
  EXPECT_EQ(rig.wakes, before + 1) << "it is awake";
  rig.settle();
  EXPECT_EQ(rig.seqno(0), 1u);
}

TEST_F(Running, CountsTimeAndCycles) {
  const std::uint64_t ticks = rig.gpu.read64(regs::kTimestamp.offset);
  const std::uint64_t cycles = rig.gpu.read64(regs::kCycleCount.offset);
  rig.time = rig.time + milliseconds(1);
  EXPECT_EQ(rig.gpu.read64(regs::kTimestamp.offset), ticks + 24'000);
  EXPECT_EQ(rig.gpu.read64(regs::kCycleCount.offset), cycles) << "not switched on";
  rig.write(regs::kCommand.offset, 0x103);
  rig.time = rig.time + milliseconds(1);
  EXPECT_EQ(rig.gpu.read64(regs::kCycleCount.offset), cycles + 800'000);
  EXPECT_EQ(rig.read(regs::kStatus.offset) & 1u << 6, 1u << 6);
}

// The command and the firmware both can want them; they are counted once, and while anybody does.
TEST_F(Running, CountsCyclesForTheFirmwareToo) {
  const auto cycles = [&] { return rig.gpu.read64(regs::kCycleCount.offset); };
  const auto wanted_by_firmware = [&] {
    rig.host.toggle_global(datasheet::glb::Request::CounterEn::kMask);
    rig.ring(0);
    rig.settle();
  };
  const std::uint64_t before = cycles();
  const auto pass = [&] { rig.time = rig.time + milliseconds(1); };
  wanted_by_firmware();
  pass();
  EXPECT_EQ(cycles(), before + 800'000);
  EXPECT_EQ(rig.read(regs::kStatus.offset) & 1u << 6, 1u << 6);
  rig.write(regs::kCommand.offset, 0x103);
  pass();
  EXPECT_EQ(cycles(), before + 1'600'000);
  wanted_by_firmware();  // no longer
  pass();
  EXPECT_EQ(cycles(), before + 2'400'000);
  rig.write(regs::kCommand.offset, 0x003);
  pass();
  EXPECT_EQ(cycles(), before + 2'400'000);
  EXPECT_EQ(rig.read(regs::kStatus.offset) & 1u << 6, 0u);
}

TEST(Slow, CommandsThatTakeTimeAreWaitedFor) {
  Quirks quirks;
  quirks.as_command_time = microseconds(35);
  quirks.cache_flush_time = microseconds(120);
  quirks.power_transition_time = milliseconds(2);
  quirks.reset_time = milliseconds(3);
  GpuHost rig(quirks, StreamPolicy::kAll);
  rig.bring_up();
  ASSERT_TRUE(rig.enable_as(1, rig.user_root));
  ASSERT_TRUE(rig.start(0, rig.group(1, 1), State::kStart));
  rig.submit_job(0, 0, store_value(GpuHost::kData, 5));
  rig.pass(milliseconds(1));
  EXPECT_EQ(rig.seqno(0), 1u);
  EXPECT_EQ(rig.user32(GpuHost::kData), 5u);
  ASSERT_TRUE(rig.flush_caches());
  ASSERT_TRUE(rig.soft_reset());
  EXPECT_EQ(rig.gpu.dump().mmu_counters.mistakes, 0u);
}

TEST(Slow, ACommandThatEndsDuringARunHasItsEffectInTheNextOne) {
  Quirks quirks;
  quirks.as_command_time = microseconds(35);
  GpuHost rig(quirks, StreamPolicy::kAll);
  rig.bring_up();
  ASSERT_TRUE(rig.enable_as(1, rig.user_root));
  ASSERT_TRUE(rig.start(0, rig.group(1, 1), State::kStart));
  rig.gpu.write64(as_regs::offset_of(1, as_regs::kLockaddr), 0x3f);
  ASSERT_TRUE(rig.as_command(1, 2));
  rig.pass(microseconds(35));
  rig.submit_job(0, 0, store_value(GpuHost::kData, 5));
  rig.settle();
  ASSERT_TRUE(rig.as_command(1, 3));
  rig.per_look = microseconds(20);
  const RunState state = rig.gpu.run(1000);
  EXPECT_LE(state.until, rig.time) << "the stream that waited for the region has its turn at once";
  rig.per_look = {};
  rig.settle();
  EXPECT_EQ(rig.seqno(0), 1u);
}

TEST(Deaf, JobsCompleteWithoutTheirEffect) {
  GpuHost rig(StreamPolicy::kRingOnly);
  rig.bring_up();
  ASSERT_TRUE(rig.enable_as(1, rig.user_root));
  ASSERT_TRUE(rig.start(0, rig.group(1, 1), State::kStart));
  rig.submit_job(0, 0, store_value(GpuHost::kData, 0xdead'beef));
  rig.settle();
  EXPECT_EQ(rig.seqno(0), 1u);
  EXPECT_NE(rig.take_job_interrupts() & 1, 0u);
  EXPECT_EQ(rig.user32(GpuHost::kData), 0u);
}

// One script, twice: the same time, the same accesses, the same device.
TEST(Determinism, TheSameScriptLeavesTheSameDevice) {
  const auto play = [](GpuHost& rig) {
    rig.bring_up();
    ASSERT_TRUE(rig.enable_as(1, rig.user_root));
    ASSERT_TRUE(rig.start(0, rig.group(2, 1), State::kStart));
    for (std::uint32_t i = 0; i < 20; ++i) {
      rig.submit_job(0, i % 2, store_value(GpuHost::kData + 4 * std::uint64_t{i}, i));
      for (int n = 0; n < 3; ++n) {
        rig.gpu.run(7);
        rig.time = rig.time + microseconds(3);
      }
      rig.settle();
    }
  };
  GpuHost one(StreamPolicy::kAll), two(StreamPolicy::kAll);
  play(one);
  play(two);
  EXPECT_EQ(one.time, two.time);
  EXPECT_EQ(one.wakes, two.wakes);
  const GpuDump a = one.gpu.dump(), b = two.gpu.dump();
  EXPECT_EQ(a.firmware.instructions, b.firmware.instructions);
  EXPECT_EQ(a.mmu_counters.hits, b.mmu_counters.hits);
  EXPECT_EQ(a.mmu_counters.walks, b.mmu_counters.walks);
  EXPECT_EQ(a.job.rawstat, b.job.rawstat);
  for (std::uint64_t at = 0; at < GpuHost::kWindow; at += 4) {
    ASSERT_EQ(one.word32(GpuHost::kMcuPa + at), two.word32(GpuHost::kMcuPa + at)) << at;
    ASSERT_EQ(one.word32(GpuHost::kUserPa + at), two.word32(GpuHost::kUserPa + at)) << at;
  }
}

}  // namespace
}  // namespace pantry::emu
