// SPDX-License-Identifier: MIT
#include "gpu_emu/mcu/firmware.h"

#include <gtest/gtest.h>

#include "gpu_emu/mcu/firmware_rig.h"

namespace pantry::emu {
namespace {

using datasheet::csg::State;
using GlbRequest = datasheet::glb::Request;
namespace glb_in = datasheet::glb::input;
namespace glb_out = datasheet::glb::output;
constexpr std::uint32_t kGlobal = datasheet::job_int::Global::kMask;

TEST(Boot, PublishesAnInterfaceThatPanthorAccepts) {
  FirmwareRig rig{Quirks{}};
  rig.firmware.start();
  EXPECT_EQ(rig.services.mcu_status, McuStatus::kDisabled) << "the work is done in run()";
  rig.settle();
  EXPECT_EQ(rig.services.mcu_status, McuStatus::kEnabled);
  EXPECT_EQ(rig.services.take_interrupts(), kGlobal);

  namespace limits = datasheet::firmware_interface;
  const HostBlock global = rig.host.glb_control();
  EXPECT_EQ(global.load(datasheet::glb::control::kVersion), 0x0101'0000u);
  EXPECT_EQ(global.load(datasheet::glb::control::kInstrFeatures), 0x71u);
  const std::uint32_t groups = global.load(datasheet::glb::control::kGroupNum);
  EXPECT_EQ(groups, 8u);
  std::vector<std::uint32_t> blocks = {global.load(datasheet::glb::control::kInputVa),
                                       global.load(datasheet::glb::control::kOutputVa)};
  for (std::uint32_t g = 0; g < groups; ++g) {
    const HostBlock group = rig.host.csg_control(g);
    EXPECT_EQ(group.load(datasheet::csg::control::kSuspendSize), 0x4000u);
    EXPECT_NE(group.load(datasheet::csg::control::kProtmSuspendSize), 0u);
    EXPECT_GE(group.load(datasheet::csg::control::kStreamNum), limits::kMinStreams);
    blocks.push_back(group.load(datasheet::csg::control::kInputVa));
    blocks.push_back(group.load(datasheet::csg::control::kOutputVa));
    for (std::uint32_t s = 0; s < 8; ++s) {
      const HostBlock stream = rig.host.cs_control(g, s);
      EXPECT_EQ(stream.load(datasheet::cs::control::kFeatures), 0x0007'085fu);
      blocks.push_back(stream.load(datasheet::cs::control::kInputVa));
      blocks.push_back(stream.load(datasheet::cs::control::kOutputVa));
    }
  }
  std::sort(blocks.begin(), blocks.end());
  EXPECT_EQ(std::adjacent_find(blocks.begin(), blocks.end()), blocks.end());
  EXPECT_GE(blocks.front(), 0x0400'0000u);
  EXPECT_LT(blocks.back(), 0x0400'0000u + layout::kSectionBytes);
}

TEST(Boot, GivesUpWhenTheSharedSectionCannotBeReached) {
  FirmwareRig rig{Quirks{}};
  rig.memory.unmap(FirmwareRig::kMcu, GpuVa{0x0400'3000});
  rig.firmware.start();
  rig.pass(milliseconds(99));
  EXPECT_EQ(rig.services.mcu_status, McuStatus::kDisabled) << "it may be a locked region";
  rig.pass(milliseconds(2));
  EXPECT_EQ(rig.services.mcu_status, McuStatus::kFatal);
  EXPECT_EQ(rig.services.take_interrupts(), 0u);
  rig.firmware.stop();
  EXPECT_EQ(rig.services.mcu_status, McuStatus::kDisabled);
}

TEST(Boot, WaitsForALockedRegion) {
  FirmwareRig rig{Quirks{}};
  rig.memory.answer_all(FirmwareRig::kMcu, MemoryStatus::kStall);
  rig.firmware.start();
  EXPECT_EQ(rig.run(100).kind, RunState::Kind::kIdleUntil);
  rig.memory.answer_all(FirmwareRig::kMcu, MemoryStatus::kOk);
  rig.settle();
  EXPECT_EQ(rig.services.mcu_status, McuStatus::kEnabled);
}

TEST(Boot, IsFatalAtOnceWhenTheAddressSpaceIsGone) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  rig.memory.answer_all(FirmwareRig::kMcu, MemoryStatus::kAborted);
  rig.host.init_global();
  EXPECT_EQ(rig.run(100).kind, RunState::Kind::kIdle);
  EXPECT_EQ(rig.services.mcu_status, McuStatus::kFatal);
}

TEST(Boot, NothingLooksPendingAfterAFastOne) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  rig.start(0, rig.group(1));
  rig.pass(milliseconds(5));  // IDLE and GLB IDLE are raised and never answered
  EXPECT_NE(rig.host.pending_events(0).group, 0u);
  rig.firmware.stop();
  EXPECT_EQ(rig.services.mcu_status, McuStatus::kDisabled);
  rig.services.take_interrupts();
  // Bits that the host left in any state.
  rig.host.csg_input(5).store(datasheet::csg::input::kReq, 0xffff'fff1);
  rig.host.cs_input(5, 3).store(datasheet::cs::input::kReq, 0xffff'fff1);

  rig.firmware.start();
  rig.settle();
  EXPECT_EQ(rig.services.take_interrupts(), kGlobal) << "the boot event and nothing else";
  for (std::uint32_t g = 0; g < 8; ++g) {
    EXPECT_EQ(rig.host.pending_events(g), InterfaceHost::Events{}) << g;
    EXPECT_EQ(rig.host.csg_output(g).load(datasheet::csg::output::kAck) & 7, 0u)
        << "no group is started";
  }
  const std::uint32_t request = rig.host.glb_input().load(glb_in::kReq);
  EXPECT_EQ(rig.host.glb_output().load(glb_out::kAck), request);
  // The first doorbell of the driver finds nothing to answer but what it asks for.
  rig.host.init_global();
  rig.settle();
  EXPECT_EQ(rig.services.take_interrupts() & ~kGlobal, 0u);
  for (const GroupDump& group : rig.firmware.dump().groups) EXPECT_FALSE(group.running);
}

TEST(Global, MirrorsRequestsAndInterruptsForMaskedOnesOnly) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  EXPECT_EQ(rig.host.glb_output().load(glb_out::kAck), rig.host.glb_input().load(glb_in::kReq));

  rig.host.toggle_global(GlbRequest::Ping::kMask);
  rig.ring(0);
  rig.settle();
  EXPECT_EQ(rig.services.take_interrupts(), kGlobal);
  EXPECT_EQ(rig.host.glb_output().load(glb_out::kAck), rig.host.glb_input().load(glb_in::kReq));

  rig.host.toggle_global(GlbRequest::FwcfgUpdate::kMask);  // not in the mask
  rig.ring(0);
  rig.settle();
  EXPECT_EQ(rig.services.take_interrupts(), 0u);
  EXPECT_EQ(rig.host.glb_output().load(glb_out::kAck), rig.host.glb_input().load(glb_in::kReq));

  rig.ring(0);  // nothing new
  rig.settle();
  EXPECT_EQ(rig.services.take_interrupts(), 0u);
}

TEST(Global, RequestsWithoutEffectAreLoggedOnce) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  testing::internal::CaptureStderr();
  for (int i = 0; i < 2; ++i) {
    rig.host.toggle_global(datasheet::glb::Request::Sleep::kMask |
                           datasheet::glb::Request::Ping::kMask);
    rig.ring(0);
    rig.settle();
  }
  const std::string log = testing::internal::GetCapturedStderr();
  const std::size_t first = log.find("GLB_REQ bits 0x1000 ");
  ASSERT_NE(first, std::string::npos) << log;
  EXPECT_EQ(log.find("GLB_REQ", first + 1), std::string::npos) << log;
}

// What they ask is not documented, so an acknowledge would be a lie.
TEST(Global, DebugRequestsStayUnansweredAndAreLoggedOnce) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  constexpr std::uint32_t kDebug = GlbRequest::DebugCsf::kMask | GlbRequest::DebugHost::kMask;
  const std::uint32_t before = rig.host.glb_output().load(glb_out::kAck) & kDebug;
  testing::internal::CaptureStderr();
  rig.host.toggle_global(kDebug | GlbRequest::Ping::kMask);
  for (int i = 0; i < 2; ++i) {
    rig.ring(0);
    rig.settle();
  }
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(rig.services.take_interrupts(), kGlobal) << "for PING alone";
  EXPECT_EQ(rig.host.glb_output().load(glb_out::kAck) & kDebug, before);
  EXPECT_EQ((rig.host.glb_output().load(glb_out::kAck) ^ rig.host.glb_input().load(glb_in::kReq)) &
                GlbRequest::Ping::kMask,
            0u);
  const std::size_t first = log.find("GLB_REQ bits 0xc0000000: debug");
  ASSERT_NE(first, std::string::npos) << log;
  EXPECT_EQ(log.find("GLB_REQ", first + 1), std::string::npos) << log;
}

TEST(Global, DoorbellsOfAStoppedFirmwareAreLost) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  rig.firmware.stop();
  rig.host.toggle_global(GlbRequest::Ping::kMask);
  rig.ring(0);
  EXPECT_EQ(rig.run(100).kind, RunState::Kind::kIdle);
  EXPECT_EQ(rig.services.take_interrupts(), 0u);
}

TEST(Global, IdleIsToldOncePerIdlePeriodAfterItsTimer) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  rig.pass(milliseconds(100));
  EXPECT_EQ(rig.services.take_interrupts(), 0u) << "no group, no event";
  rig.start(2, rig.group(1));

  const Duration timer = nanoseconds(0x13 * 1024 * 1'000'000'000LL / 24'000'000);  // 810.6 us
  rig.pass(timer - microseconds(1));
  EXPECT_EQ(rig.services.take_interrupts(), 0u);
  rig.pass(microseconds(2));
  EXPECT_EQ(rig.services.take_interrupts(), kGlobal | 1u << 2);
  EXPECT_EQ(rig.host.pending_events(2).group, datasheet::csg::Request::Idle::kMask);
  const auto is_pending = [&] {
    return GlbRequest::Idle::get(rig.host.glb_input().load(glb_in::kReq) ^
                                 rig.host.glb_output().load(glb_out::kAck));
  };
  EXPECT_TRUE(is_pending());

  // Panthor answers the CSG event, and the global one by copying the bit.
  rig.host.answer_events(2);
  rig.host.glb_input().store(glb_in::kReq, rig.host.glb_output().load(glb_out::kAck));
  rig.ring(0);
  rig.pass(milliseconds(50));
  EXPECT_EQ(rig.services.take_interrupts(), 0u) << "still the same idle period";
  EXPECT_FALSE(is_pending());

  rig.submit_job(2, 0, program(isa::Nop{}));
  rig.settle();
  EXPECT_EQ(rig.services.take_interrupts(), 1u << 2) << "SYNC_UPDATE";
  rig.host.answer_events(2);
  rig.pass(milliseconds(1));
  EXPECT_EQ(rig.services.take_interrupts(), kGlobal | 1u << 2) << "idle anew";
}

TEST(Global, NoIdleEventWithoutIdleEn) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  const HostBlock input = rig.host.glb_input();
  input.store(glb_in::kReq, input.load(glb_in::kReq) & ~GlbRequest::IdleEn::kMask);
  rig.ring(0);
  rig.start(0, rig.group(1));
  rig.pass(milliseconds(5));
  EXPECT_EQ(rig.services.take_interrupts(), 1u) << "the group's own event";
}

TEST(Global, AnIdleDeviceAsksForNoTime) {
  FirmwareRig rig{Quirks{}};
  EXPECT_EQ(rig.run(10).kind, RunState::Kind::kIdle);
  rig.boot();
  EXPECT_EQ(rig.settle().kind, RunState::Kind::kIdle);
  rig.start(0, rig.group(2));
  EXPECT_EQ(rig.settle().kind, RunState::Kind::kIdleUntil) << "for the idle event";
  rig.pass(milliseconds(2));
  EXPECT_EQ(rig.settle().kind, RunState::Kind::kIdle);
}

TEST(Halt, SavesGroupsAndSurvivesARestart) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  rig.start(0, rig.group(1));
  rig.submit_job(0, 0, program(isa::Branch{.offset = -1}));
  rig.run(1000);
  rig.host.request_state(0, State::kSuspend);
  rig.host.ring_groups(1);
  rig.run(1000);
  ASSERT_TRUE(rig.host.is_acknowledged(0));
  rig.host.stop_streams(0);

  const HostBlock input = rig.host.glb_input();
  input.store(glb_in::kReq, input.load(glb_in::kReq) | GlbRequest::Halt::kMask);
  rig.ring(0);
  rig.settle();
  EXPECT_EQ(rig.services.mcu_status, McuStatus::kHalted);
  EXPECT_EQ(rig.host.glb_output().load(glb_out::kHaltStatus), 0u);
  // Cleared in memory only, then the MCU is switched off and on.
  input.store(glb_in::kReq, input.load(glb_in::kReq) & ~GlbRequest::Halt::kMask);
  rig.firmware.stop();
  rig.services.take_interrupts();
  rig.boot();
  EXPECT_EQ(rig.services.mcu_status, McuStatus::kEnabled);
  EXPECT_TRUE(rig.host.is_acknowledged(0)) << "still suspended, and nothing asked";

  rig.host.start_group(0, rig.group(1), State::kResume);
  rig.run(1000);
  EXPECT_TRUE(rig.host.is_acknowledged(0));
  const FirmwareDump dump = rig.firmware.dump();
  EXPECT_EQ(dump.groups[0].streams[0].depth, 2) << "in the loop again";
  EXPECT_EQ(dump.groups[0].streams[0].pc, FirmwareRig::code(0));
}

TEST(Halt, OfRunningGroupsSavesThemToo) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  rig.start(0, rig.group(1));
  rig.submit_job(0, 0,
                 program(isa::AddImm32{.dst = isa::r(1), .src = isa::r(1), .imm = 1},
                         isa::Branch{.offset = -2}));
  rig.run(1000);
  const HostBlock input = rig.host.glb_input();
  input.store(glb_in::kReq, input.load(glb_in::kReq) | GlbRequest::Halt::kMask);
  rig.ring(0);
  rig.run(1000);
  EXPECT_EQ(rig.services.mcu_status, McuStatus::kHalted);
  EXPECT_EQ(rig.run(1000).kind, RunState::Kind::kIdle);
  EXPECT_FALSE(rig.host.is_active(rig.queue(0)));
  input.store(glb_in::kReq, input.load(glb_in::kReq) & ~GlbRequest::Halt::kMask);
  rig.host.request_state(0, State::kTerminate);
  rig.firmware.stop();
  rig.firmware.start();
  rig.settle();
  rig.host.start_group(0, rig.group(1), State::kResume);
  rig.run(1000);
  EXPECT_EQ(rig.firmware.dump().groups[0].streams[0].depth, 2);
}

TEST(Halt, NewerDriversClearTheBitOnlyBeforeTheNextBoot) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  const HostBlock input = rig.host.glb_input();
  input.store(glb_in::kReq, input.load(glb_in::kReq) | GlbRequest::Halt::kMask);
  rig.ring(0);
  rig.settle();
  ASSERT_EQ(rig.services.mcu_status, McuStatus::kHalted);
  rig.firmware.stop();
  rig.firmware.start();  // the bit still stands: no edge
  rig.settle();
  rig.ring(0);
  rig.settle();
  EXPECT_EQ(rig.services.mcu_status, McuStatus::kEnabled);
}

TEST(Global, CountersRunWhileTheyAreWanted) {
  using Counters = DeviceServices::Counters;
  FirmwareRig rig{Quirks{}};
  rig.boot();
  EXPECT_EQ(rig.services.counters, Counters::kOff);
  rig.host.toggle_global(GlbRequest::CounterEn::kMask);
  rig.ring(0);
  rig.settle();
  EXPECT_EQ(rig.services.counters, Counters::kOn);
  EXPECT_EQ(rig.host.glb_output().load(glb_out::kAck), rig.host.glb_input().load(glb_in::kReq));
  // A fast boot finds the level in the section.
  rig.firmware.stop();
  rig.services.counters = Counters::kOff;
  rig.firmware.start();
  rig.settle();
  EXPECT_EQ(rig.services.counters, Counters::kOn);
  rig.host.toggle_global(GlbRequest::CounterEn::kMask);
  rig.ring(0);
  rig.settle();
  EXPECT_EQ(rig.services.counters, Counters::kOff);
}

}  // namespace
}  // namespace pantry::emu
