// SPDX-License-Identifier: MIT
#include "gpu_emu/mcu/csg_slot.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "gpu_emu/mcu/firmware_rig.h"

namespace pantry::emu {
namespace {

using datasheet::csg::Request;
using datasheet::csg::State;
using isa::d;
using isa::r;
namespace in = datasheet::csg::input;
namespace out = datasheet::csg::output;
namespace cs_out = datasheet::cs::output;

// The wrapper for flush 0, stream 0x7f1234500000 of 0x40 bytes, sync object 0x7ffff0001000.
const Program kGoldenWrapper = {0x025E'0000'0000'0000,
                                0x2400'5E00'0000'0233,
                                0x015C'7F12'3450'0000,
                                0x025E'0000'0000'0040,
                                0x0300'0000'0001'0000,
                                0x2000'5C5E'0000'0000,
                                0x015C'7FFF'F000'1000,
                                0x015E'0000'0000'0001,
                                0x0300'0000'00FF'0000,
                                0x3300'5C5E'0000'0001,
                                0x2F00'0000'0000'0000,
                                0,
                                0,
                                0,
                                0,
                                0};
// Stores 0xDEADBEEF to 0x1001000.
const Program kGoldenStream = {0x0144'0000'0100'1000, 0x0246'0000'DEAD'BEEF, 0x1546'4400'0001'0000,
                               0x0300'0000'00FF'0000, 0x0246'0000'0000'0000, 0x2401'4600'0000'0233,
                               0x0300'0000'00FF'0000};

// r1 counts up to `limit`, then data word 0 gets it.
Program count_to(std::uint32_t n, std::uint32_t limit) {
  return program(isa::Move32{.dst = r(1), .imm = 0},
                 isa::AddImm32{.dst = r(1), .src = r(1), .imm = 1},
                 isa::AddImm32{.dst = r(2), .src = r(1), .imm = -static_cast<std::int32_t>(limit)},
                 isa::Branch{.value = r(2), .condition = isa::BranchCondition::kLess, .offset = -3},
                 isa::Move48{.dst = d(4), .imm = FirmwareRig::data(n).value},
                 isa::StoreMultiple{.base = r(1), .address = d(4), .mask = 1},
                 isa::Wait{.mask = isa::kAllScoreboards});
}
const Program kForEver = program(isa::Branch{.offset = -1});

TEST(Start, RunsTheGoldenJobAndSignalsItsFence) {
  FirmwareRig rig{Quirks{}};
  constexpr GpuVa kSync{0x7fff'f000'1000};
  constexpr GpuVa kStream{0x7f12'3450'0000};
  rig.memory.map(FirmwareRig::kAs, kSync, 16);
  rig.memory.map(FirmwareRig::kAs, kStream, kPageSize);
  rig.memory.map(FirmwareRig::kAs, GpuVa{0x100'1000}, kPageSize);
  rig.memory.poke_words(FirmwareRig::kAs, kStream, kGoldenStream);
  rig.boot();

  rig.host.start_group(3, rig.group(1), State::kStart);
  EXPECT_EQ(rig.host.csg_input(3).load(in::kReq), 0x11u) << "as Panthor's";
  EXPECT_EQ(rig.host.cs_input(3, 0).load(datasheet::cs::input::kReq), 0x511u);
  rig.settle();
  EXPECT_EQ(rig.services.take_interrupts(), 1u << 3);
  EXPECT_EQ(rig.host.csg_output(3).load(out::kAck), 0x11u);
  EXPECT_EQ(rig.host.cs_output(3, 0).load(cs_out::kAck), 0x511u);
  EXPECT_EQ(rig.host.csg_output(3).load(out::kDoorbellAck), 1u);
  EXPECT_EQ(rig.host.glb_output().load(datasheet::glb::output::kDoorbellAck), 1u << 3);
  EXPECT_TRUE(rig.host.is_active(rig.queue(0)));

  for (std::uint64_t job = 1; job <= 70; ++job) {  // the ring wraps
    rig.memory.poke<std::uint32_t>(FirmwareRig::kAs, GpuVa{0x100'1000}, 0);
    rig.submit(3, 0, kGoldenWrapper);
    rig.settle();
    ASSERT_EQ(rig.services.take_interrupts(), 1u << 3) << job;
    EXPECT_EQ(rig.memory.peek<std::uint32_t>(FirmwareRig::kAs, GpuVa{0x100'1000}), 0xdead'beefu);
    EXPECT_EQ(rig.memory.peek<std::uint64_t>(FirmwareRig::kAs, kSync), job);
    EXPECT_EQ(rig.host.extract_of(rig.queue(0)), 128 * job);
    EXPECT_EQ(rig.host.answer_events(3).group, Request::SyncUpdate::kMask);
    rig.settle();
    EXPECT_EQ(rig.services.take_interrupts(), 0u) << "an answer is no news";
  }
}

TEST(Start, TakesExactlyTheStreamsThatSayStart) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  rig.start(0, rig.group(4));
  rig.host.request_state(0, State::kTerminate);
  rig.host.ring_groups(1);
  rig.settle();
  rig.host.stop_streams(0);
  // Leftovers of the former group stay in the other slots, but say STOP.
  rig.start(0, rig.group(2));
  const FirmwareDump dump = rig.firmware.dump();
  for (std::uint32_t i = 0; i < 8; ++i) {
    EXPECT_EQ(dump.groups[0].streams[i].started, i < 2) << i;
    EXPECT_EQ(rig.host.cs_output(0, i).load(cs_out::kAck) & 7, i < 2 ? 1u : 0u) << i;
  }
}

TEST(Start, ForgetsWhatAFormerGroupNeverHadAnswered) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  rig.start(0, rig.group(4));
  rig.submit(0, 3, Program{std::uint64_t{60} << 56});
  rig.settle();
  ASSERT_EQ(rig.host.pending_events(0).streams[3], datasheet::cs::Request::Fatal::kMask);
  rig.host.request_state(0, State::kTerminate);
  rig.host.ring_groups(1);
  rig.settle();
  rig.host.stop_streams(0);
  rig.start(0, rig.group(2));
  EXPECT_EQ(rig.host.pending_events(0), InterfaceHost::Events{});
}

TEST(Start, BeginsAtExtractInit) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  rig.start(0, rig.group(1));
  rig.submit_job(0, 0, program(isa::Nop{}));
  rig.settle();
  rig.host.request_state(0, State::kTerminate);
  rig.host.ring_groups(1);
  rig.settle();
  rig.host.stop_streams(0);
  rig.start(5, rig.group(1));
  EXPECT_EQ(rig.firmware.dump().groups[5].streams[0].extract, 128u);
  rig.submit_job(5, 0, program(isa::Nop{}));
  rig.settle();
  EXPECT_EQ(rig.seqno(0), 2u) << "the first job is not run again";
}

TEST(Requests, StatusUpdateTellsHowTheStreamsStand) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  rig.start(1, rig.group(2));
  const auto update = [&] {
    rig.host.toggle_group(1, Request::StatusUpdate::kMask);
    rig.host.ring_groups(2);
    rig.run(100);
    EXPECT_TRUE(rig.host.is_acknowledged(1));
    EXPECT_EQ(rig.services.take_interrupts(), 2u);
    return rig.host.csg_output(1).load(out::kStatusState) & 1;
  };
  EXPECT_EQ(update(), 1u) << "nothing to do yet";
  rig.submit_job(1, 1, kForEver);
  EXPECT_EQ(update(), 0u) << "the doorbell counts even before it was looked at";
  EXPECT_EQ(update(), 0u);
  EXPECT_EQ(rig.host.cs_output(1, 1).load64(cs_out::kStatusCmdPtr), FirmwareRig::code(1).value);
  EXPECT_EQ(rig.host.cs_output(1, 1).load(cs_out::kStatusBlockedReason), 0u);
  EXPECT_EQ(rig.host.extract_of(rig.queue(1)), 5 * 8u) << "at the CALL, inside the job";
}

TEST(Requests, AreFoundWithoutTheirDoorbellBit) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  rig.start(0, rig.group(1));
  rig.host.toggle_group(0, Request::StatusUpdate::kMask);
  rig.ring(0);
  rig.settle();
  EXPECT_TRUE(rig.host.is_acknowledged(0));
}

TEST(Requests, AStateThatDoesNotExistIsNotAcknowledged) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  rig.start(0, rig.group(1));
  const HostBlock input = rig.host.csg_input(0);
  input.store(in::kReq, (input.load(in::kReq) & ~7u) | 5);
  rig.host.ring_groups(1);
  rig.settle();
  EXPECT_EQ(rig.host.csg_output(0).load(out::kAck) & 7, 1u);
  rig.submit_job(0, 0, program(isa::Nop{}));
  rig.settle();
  EXPECT_EQ(rig.seqno(0), 1u) << "and changes nothing";
}

TEST(Terminate, StopsAnEndlessLoop) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  rig.start(0, rig.group(1));
  rig.submit_job(0, 0, kForEver);
  EXPECT_EQ(rig.run(1000).kind, RunState::Kind::kBusy);
  rig.host.request_state(0, State::kTerminate);
  rig.host.ring_groups(1);
  EXPECT_EQ(rig.run(1000).kind, RunState::Kind::kIdle);
  EXPECT_TRUE(rig.host.is_acknowledged(0));
  EXPECT_EQ(rig.services.take_interrupts(), 1u);
  EXPECT_FALSE(rig.host.is_active(rig.queue(0)));
  EXPECT_EQ(rig.seqno(0), 0u);
  EXPECT_EQ(rig.host.extract_of(rig.queue(0)), 5 * 8u) << "inside the job that did not end";
  rig.pass(milliseconds(5));
  EXPECT_EQ(rig.services.take_interrupts(), 0u);
}

TEST(Suspend, ResumesInAnotherSlotAndAddressSpaceFromTheBufferAlone) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  rig.start(0, rig.group(2));
  rig.submit_job(0, 0, count_to(0, 1000));
  rig.submit_job(0, 1, count_to(1, 3000));
  EXPECT_EQ(rig.run(700).kind, RunState::Kind::kBusy);
  rig.host.request_state(0, State::kSuspend);
  rig.host.ring_groups(1);
  EXPECT_EQ(rig.run(700).kind, RunState::Kind::kIdle);
  EXPECT_TRUE(rig.host.is_acknowledged(0));
  EXPECT_FALSE(rig.host.is_active(rig.queue(0)));
  rig.host.stop_streams(0);

  // The VM has moved: the same pages in another address space.
  for (std::uint32_t n = 0; n < 2; ++n) {
    for (const GpuVa va : {rig.queue(n).ring_base, rig.code(n), rig.data(n)}) {
      rig.memory.alias(FirmwareRig::kOtherAs, va, FirmwareRig::kAs, va);
    }
  }
  rig.memory.answer_all(FirmwareRig::kAs, MemoryStatus::kAborted);
  // Nothing may be kept in the firmware: it is another one now, after a reset that cleared the
  // section.
  for (std::uint32_t at = 0; at < layout::kSectionBytes; at += 4) rig.store(0x0400'0000 + at, 0);
  rig.firmware.reset();
  rig.services.take_interrupts();
  rig.services.time = rig.services.time + seconds(100);
  rig.boot();

  InterfaceHost::Group moved = rig.group(2);
  moved.address_space = FirmwareRig::kOtherAs;
  rig.host.start_group(7, moved, State::kResume);
  EXPECT_EQ(rig.host.csg_input(7).load(in::kReq), 0x13u);
  rig.use_address_space(FirmwareRig::kOtherAs);
  rig.settle();
  EXPECT_TRUE(rig.host.is_acknowledged(7));
  EXPECT_EQ(rig.data32(0, 0), 1000u);
  EXPECT_EQ(rig.data32(1, 0), 3000u);
  EXPECT_EQ(rig.seqno(0), 1u);
  EXPECT_EQ(rig.seqno(1), 1u);
}

TEST(Suspend, TellsHowTheQueuesStood) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  rig.start(0, rig.group(1));
  rig.submit_job(0, 0,
                 program(isa::Move48{.dst = d(80), .imm = FirmwareRig::data(0).value},
                         isa::Move48{.dst = d(82), .imm = 5},
                         isa::SyncWait64{.address = d(80),
                                         .reference = d(82),
                                         .condition = isa::SyncCondition::kGreater}));
  rig.settle();
  rig.host.request_state(0, State::kSuspend);
  rig.host.ring_groups(1);
  rig.settle();
  // The host evaluates the wait of a group that has left.
  const HostBlock status = rig.host.cs_output(0, 0);
  EXPECT_EQ(status.load(cs_out::kStatusBlockedReason), 3u);
  EXPECT_EQ(status.load(cs_out::kStatusScoreboards), 0u);
  EXPECT_EQ(status.load(cs_out::kStatusWait), 0xc100'0000u);
  EXPECT_EQ(status.load64(cs_out::kStatusWaitSyncPtr), FirmwareRig::data(0).value);
  EXPECT_EQ(status.load(cs_out::kStatusWaitSyncValue), 5u);
  EXPECT_EQ(rig.host.csg_output(0).load(out::kStatusState), 1u);
}

TEST(Suspend, ABufferThatWasWrittenOverIsFatal) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  rig.start(0, rig.group(1));
  rig.host.request_state(0, State::kSuspend);
  rig.host.ring_groups(1);
  rig.settle();
  rig.host.stop_streams(0);
  const std::uint32_t victim = FirmwareRig::suspend_buffer(0) + 0x40;
  rig.store(victim, rig.load(victim) ^ 1);
  rig.host.start_group(0, rig.group(1), State::kResume);
  rig.settle();
  EXPECT_TRUE(rig.host.is_acknowledged(0));
  EXPECT_EQ(rig.host.pending_events(0).streams[0], datasheet::cs::Request::Fatal::kMask);
  EXPECT_EQ(rig.host.cs_output(0, 0).load(cs_out::kFatal), 0x68u);
}

TEST(Events, ASecondOneWaitsForTheAnswerToTheFirst) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  rig.start(0, rig.group(1));
  rig.submit_job(0, 0, program(isa::Nop{}));
  rig.settle();
  EXPECT_EQ(rig.services.take_interrupts(), 1u);
  rig.submit_job(0, 0, program(isa::Nop{}));
  rig.settle();
  EXPECT_EQ(rig.services.take_interrupts(), 0u);
  EXPECT_EQ(rig.host.pending_events(0).group, Request::SyncUpdate::kMask)
      << "a second toggle would have taken the first one back";
  rig.host.answer_events(0);
  rig.settle();
  EXPECT_EQ(rig.services.take_interrupts(), 1u) << "the second one";
  rig.host.answer_events(0);
  rig.settle();
  EXPECT_EQ(rig.services.take_interrupts(), 0u);
  EXPECT_EQ(rig.host.pending_events(0).group, 0u);
}

TEST(Events, TheMaskOfTheGroupDecidesOnInterrupts) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  rig.start(0, rig.group(1));
  rig.host.csg_input(0).store(in::kAckIrqMask, ~Request::SyncUpdate::kMask);
  rig.submit_job(0, 0, program(isa::Nop{}));
  rig.settle();
  EXPECT_EQ(rig.services.take_interrupts(), 0u);
  EXPECT_EQ(rig.host.pending_events(0).group, Request::SyncUpdate::kMask);
}

TEST(Events, AFenceOfAGroupThatHasLeftIsStillTold) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  rig.start(0, rig.group(1));
  rig.pass(milliseconds(1));  // IDLE is pending
  for (int job = 0; job < 2; ++job) {
    rig.submit_job(0, 0, program(isa::Nop{}));
    rig.settle();
  }
  rig.pass(milliseconds(1));  // and waits to be told once more
  rig.host.request_state(0, State::kTerminate);
  rig.host.ring_groups(1);
  rig.settle();
  rig.host.answer_events(0);
  rig.settle();
  EXPECT_EQ(rig.host.pending_events(0).group, Request::SyncUpdate::kMask) << "but no IDLE";
}

TEST(Priority, TheHigherGroupGoesFirst) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  const std::array<InterfaceHost::Queue, 2> queues = {rig.queue(0), rig.queue(1)};
  rig.start(0, {.queues = std::span(queues).first(1),
                .address_space = FirmwareRig::kAs,
                .priority = 3,
                .suspend_buffer = FirmwareRig::suspend_buffer(0)});
  rig.start(1, {.queues = std::span(queues).last(1),
                .address_space = FirmwareRig::kAs,
                .priority = 9,
                .suspend_buffer = FirmwareRig::suspend_buffer(1)});
  rig.memory.poke_words(FirmwareRig::kAs, rig.code(0), program(isa::Nop{}));
  rig.submit_job(0, 0, kForEver);
  rig.submit_job(1, 1, count_to(1, 10));
  rig.run(100);
  EXPECT_EQ(rig.data32(1, 0), 10u) << "whole, before the endless one gets a turn";
  rig.submit_job(1, 1, count_to(1, 1000));
  rig.run(8000);
  EXPECT_EQ(rig.data32(1, 0), 1000u);
  EXPECT_EQ(rig.firmware.dump().groups[0].streams[0].depth, 2) << "and nobody starves";
}

TEST(Progress, EndpointWorkThatDoesNotEndTimesOut) {
  Quirks quirks;
  quirks.endpoint_time = seconds(3600);
  FirmwareRig rig{quirks};
  rig.boot();
  rig.start(0, rig.group(1));
  rig.submit_job(0, 0, program(isa::ReqResource{.compute = true}, isa::RunCompute{}));
  rig.pass(milliseconds(3276));  // 0x271000 << 10 cycles of 800 MHz are 3.2768 s
  EXPECT_EQ(rig.services.take_interrupts(), 0u);
  rig.pass(milliseconds(2));
  EXPECT_EQ(rig.services.take_interrupts(), 1u);
  EXPECT_EQ(rig.host.pending_events(0).group, Request::ProgressTimerEvent::kMask);
}

// The whole life of a group with a stall at any one translation comes to the same end as without.
TEST(Stalls, AtEveryTranslationLeaveTheSameResult) {
  const auto live = [](FirmwareRig& rig, int stall_at) {
    rig.boot();
    rig.memory.stall_once_after(stall_at);
    const auto settled = [&] {
      for (int i = 0; i < 5; ++i) rig.pass(milliseconds(1));
    };
    rig.host.start_group(0, rig.group(2), State::kStart);
    settled();
    rig.submit_job(0, 0, count_to(0, 50));
    rig.submit_job(0, 1, count_to(1, 60));
    settled();
    rig.host.request_state(0, State::kSuspend);
    rig.host.ring_groups(1);
    settled();
    ASSERT_TRUE(rig.host.is_acknowledged(0)) << stall_at;
    rig.host.stop_streams(0);
    rig.host.start_group(2, rig.group(2), State::kResume);
    settled();
    ASSERT_TRUE(rig.host.is_acknowledged(2)) << stall_at;
    rig.submit_job(2, 0, count_to(0, 70));
    settled();
    rig.host.request_state(2, State::kTerminate);
    rig.host.ring_groups(4);
    settled();
    ASSERT_TRUE(rig.host.is_acknowledged(2)) << stall_at;
    rig.memory.stall_once_after(-1);
    EXPECT_EQ(rig.seqno(0), 2u) << stall_at;
    EXPECT_EQ(rig.seqno(1), 1u) << stall_at;
    EXPECT_EQ(rig.data32(0, 0), 70u) << stall_at;
    EXPECT_EQ(rig.data32(1, 0), 60u) << stall_at;
    EXPECT_EQ(rig.host.extract_of(rig.queue(0)), 256u) << stall_at;
  };
  FirmwareRig reference{Quirks{}};
  live(reference, -1);
  const auto translations = static_cast<int>(reference.memory.translations());
  ASSERT_GT(translations, 500);
  for (int n = 0; n < translations; n += 1 + n / 100) {
    FirmwareRig rig{Quirks{}};
    live(rig, n);
  }
}

// Slicing must not matter: any budgets, any yields.
RC_GTEST_PROP(Slices, AnySequenceOfBudgets, (const std::vector<std::uint16_t>& budgets)) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  rig.start(0, rig.group(2));
  rig.submit_job(0, 0, count_to(0, 300));
  rig.submit_job(0, 1, count_to(1, 200));
  for (const std::uint16_t budget : budgets) {
    rig.services.yield = budget % 3 == 0;
    rig.run(1u + budget % 700u);
  }
  rig.services.yield = false;
  rig.settle();
  RC_ASSERT(rig.data32(0, 0) == 300u);
  RC_ASSERT(rig.data32(1, 0) == 200u);
  RC_ASSERT(rig.seqno(0) == 1u);
  RC_ASSERT(rig.seqno(1) == 1u);
}

}  // namespace
}  // namespace pantry::emu
