// SPDX-License-Identifier: MIT
#include "gpu_emu/mcu/cs_slot.h"

#include <gtest/gtest.h>

#include "gpu_emu/cs/tiler_setup.h"
#include "gpu_emu/mcu/firmware_rig.h"

namespace pantry::emu {
namespace {

using datasheet::cs::Request;
using datasheet::csg::State;
using isa::d;
using isa::r;
namespace in = datasheet::cs::input;
namespace out = datasheet::cs::output;

// d80 = data(n) + offset, d82 = value
Program operands(std::uint32_t n, std::uint64_t offset, std::uint64_t value) {
  return program(isa::Move48{.dst = d(80), .imm = FirmwareRig::data(n).value + offset}) +
         set64(d(82), value);
}

TEST(Fault, HoldsTheQueueInsideTheJobUntilAcknowledged) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  rig.start(0, rig.group(1));
  rig.memory.poke<std::uint32_t>(FirmwareRig::kAs, rig.data(0) + 8, 1);  // the object's error
  const Program inherits =
      operands(0, 0, 0) +
      program(isa::SyncWait64{
          .address = d(80), .reference = d(82), .condition = isa::SyncCondition::kLessEqual});
  rig.submit_job(0, 0, inherits);
  rig.submit(0, 0, wrapped(0, rig.code(0), 8, rig.sync(0)));  // a second job behind it
  rig.settle();
  EXPECT_EQ(rig.services.take_interrupts(), 1u);
  EXPECT_EQ(rig.host.pending_events(0).streams[0], Request::Fault::kMask);
  EXPECT_EQ(rig.host.cs_output(0, 0).load(out::kFault), 0x4bu);
  EXPECT_EQ(rig.host.cs_output(0, 0).load64(out::kFaultInfo), rig.data(0).value);
  EXPECT_EQ(rig.host.extract_of(rig.queue(0)), 5 * 8u) << "the host finds the job by this";
  EXPECT_EQ(rig.seqno(0), 0u);

  // Doorbells do not get it going.
  rig.ring(0);
  rig.ring(1);
  rig.pass(milliseconds(20));
  EXPECT_EQ(rig.seqno(0), 0u);
  EXPECT_TRUE(rig.firmware.dump().groups[0].streams[0].held_by_fault);

  rig.host.answer_events(0);
  rig.settle();
  EXPECT_EQ(rig.seqno(0), 2u) << "both jobs are through";
  EXPECT_EQ(rig.sync_status(0), 0u) << "the error ended at the job's ERROR_BARRIER";
  EXPECT_EQ(rig.host.cs_input(0, 0).load(in::kReq), rig.host.cs_output(0, 0).load(out::kAck));
}

TEST(Fault, PropagatesToTheFenceOfItsJob) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  rig.start(0, rig.group(1));
  rig.submit_job(0, 0,
                 operands(0, 2, 0) +  // not aligned
                     program(isa::LoadMultiple{.base = r(0), .address = d(80), .mask = 1}));
  rig.settle();
  EXPECT_EQ(rig.host.cs_output(0, 0).load(out::kFault), 0x58u);
  rig.host.answer_events(0);
  rig.settle();
  EXPECT_EQ(rig.seqno(0), 1u);
  EXPECT_EQ(rig.sync_status(0), 1u);
}

TEST(Fault, OfAnotherQueueDoesNotHoldThisOne) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  rig.start(0, rig.group(2));
  rig.submit_job(
      0, 0,
      operands(0, 2, 0) + program(isa::LoadMultiple{.base = r(0), .address = d(80), .mask = 1}));
  rig.submit_job(0, 1, program(isa::Nop{}));
  rig.settle();
  EXPECT_EQ(rig.seqno(0), 0u);
  EXPECT_EQ(rig.seqno(1), 1u);
}

TEST(Fault, SurvivesSuspensionAsAcknowledged) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  rig.start(0, rig.group(1));
  rig.submit_job(
      0, 0,
      operands(0, 2, 0) + program(isa::LoadMultiple{.base = r(0), .address = d(80), .mask = 1}));
  rig.settle();
  rig.host.request_state(0, State::kSuspend);
  rig.host.ring_groups(1);
  rig.settle();
  rig.host.stop_streams(0);
  rig.host.start_group(1, rig.group(1), State::kResume);
  rig.settle();
  EXPECT_EQ(rig.seqno(0), 1u);
  EXPECT_EQ(rig.sync_status(0), 1u) << "the error state is part of what is saved";
}

TEST(Fatal, StopsTheQueueForGood) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  rig.start(0, rig.group(1));
  const std::uint64_t undefined = std::uint64_t{60} << 56;
  rig.submit_job(0, 0, Program{undefined});
  rig.settle();
  EXPECT_EQ(rig.services.take_interrupts(), 1u);
  EXPECT_EQ(rig.host.pending_events(0).streams[0], Request::Fatal::kMask);
  EXPECT_EQ(rig.host.cs_output(0, 0).load(out::kFatal), 0x49u);
  EXPECT_EQ(rig.host.cs_output(0, 0).load64(out::kFatalInfo), undefined);
  EXPECT_EQ(rig.host.cs_output(0, 0).load64(out::kStatusCmdPtr), rig.code(0).value);
  rig.host.answer_events(0);
  rig.ring(1);
  rig.pass(milliseconds(20));
  EXPECT_EQ(rig.services.take_interrupts(), 0u) << "not idle either";
  EXPECT_EQ(rig.seqno(0), 0u);
}

TEST(Fatal, ConfigurationsThatCannotBe) {
  using Queue = InterfaceHost::Queue;
  const Queue good = FirmwareRig::queue(0);
  const auto with = [&](auto change) {
    Queue queue = good;
    change(queue);
    return queue;
  };
  for (const Queue& queue :
       {with([](Queue& q) { q.ring_bytes = 2048; }), with([](Queue& q) { q.ring_bytes = 12288; }),
        with([](Queue& q) { q.ring_bytes = 131072; }),
        with([](Queue& q) { q.ring_base = q.ring_base + 64; })}) {
    FirmwareRig rig{Quirks{}};
    rig.boot();
    const std::array<Queue, 1> queues = {queue};
    rig.host.start_group(0,
                         {.queues = queues,
                          .address_space = FirmwareRig::kAs,
                          .suspend_buffer = FirmwareRig::suspend_buffer(0)},
                         State::kStart);
    rig.settle();
    EXPECT_TRUE(rig.host.is_acknowledged(0));
    EXPECT_EQ(rig.host.pending_events(0).streams[0], Request::Fatal::kMask);
    EXPECT_EQ(rig.host.cs_output(0, 0).load(out::kFatal), 0x40u);
  }
}

TEST(Fatal, AnInsertThatIsNotInTheRing) {
  for (const std::uint64_t insert :
       {std::uint64_t{FirmwareRig::kRingBytes + 64 + 8}, std::uint64_t{4}, ~std::uint64_t{7}}) {
    FirmwareRig rig{Quirks{}};
    rig.boot();
    rig.start(0, rig.group(1));
    rig.host.submit(0, rig.queue(0), insert);
    rig.settle();
    EXPECT_EQ(rig.host.cs_output(0, 0).load(out::kFatal), 0x40u) << insert;
    EXPECT_EQ(rig.host.cs_output(0, 0).load64(out::kFatalInfo), insert);
  }
}

// A host may say anything where a START begins, also half an instruction.
TEST(Fatal, AnExtractThatIsNotAligned) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  const InterfaceHost::Queue queue = rig.queue(0);
  HostBlock(rig, queue.pages + static_cast<std::uint32_t>(kPageSize))
      .store64(datasheet::cs::queue_output::kExtract, 2);
  HostBlock(rig, queue.pages).store64(datasheet::cs::queue_input::kInsert, 2 + 8);
  rig.start(0, rig.group(1));
  rig.settle();
  EXPECT_EQ(rig.host.cs_output(0, 0).load(out::kFatal), 0x40u);
  EXPECT_EQ(rig.host.extract_of(queue), 2u);
}

// Linux counts a job as over, and its room as free, when its sync object says so.
TEST(Ring, AJobMayTakeThePlaceOfOneThatIsCountedButNotThrough) {
  constexpr std::uint64_t kJobs = FirmwareRig::kRingBytes / 128;
  FirmwareRig rig{Quirks{}};
  rig.boot();
  rig.start(0, rig.group(1));
  for (std::uint64_t i = 0; i < kJobs; ++i) rig.submit_job(0, 0, program(isa::Nop{}));
  while (rig.seqno(0) == 0) rig.run(1);
  ASSERT_LT(rig.host.extract_of(rig.queue(0)), 128u);
  rig.submit_job(0, 0, program(isa::Nop{}));
  rig.settle();
  EXPECT_EQ(rig.seqno(0), kJobs + 1);
  EXPECT_EQ(rig.host.pending_events(0).streams[0], 0u);
}

TEST(Abort, IsReportedWhenTheAddressSpaceWasDisabled) {
  for (const auto report : {Quirks::AbortReport::kCsFault, Quirks::AbortReport::kNothing}) {
    Quirks quirks;
    quirks.abort_report = report;
    FirmwareRig rig{quirks};
    rig.boot();
    rig.start(0, rig.group(1));
    rig.submit_job(0, 0,
                   program(isa::Move48{.dst = d(80), .imm = 0x666'0000},
                           isa::LoadMultiple{.base = r(0), .address = d(80), .mask = 1}));
    rig.pass(milliseconds(3));
    EXPECT_GE(rig.memory.faults(), 2u) << "restarted while the fault is not answered";
    EXPECT_EQ(rig.services.take_interrupts(), 0u);
    rig.memory.answer_all(FirmwareRig::kAs, MemoryStatus::kAborted);
    rig.pass(milliseconds(2));
    const bool told = report == Quirks::AbortReport::kCsFault;
    EXPECT_EQ(rig.host.pending_events(0).streams[0], told ? Request::Fault::kMask : 0u);
    rig.host.answer_events(0);
    rig.pass(milliseconds(2));
    EXPECT_TRUE(rig.firmware.dump().groups[0].streams[0].dead);
    rig.host.request_state(0, State::kTerminate);
    rig.host.ring_groups(1);
    rig.settle();
    EXPECT_TRUE(rig.host.is_acknowledged(0));
  }
}

TEST(SyncWait, IsPublishedAndReleasedByAnotherQueue) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  rig.start(0, rig.group(2));
  rig.submit_job(
      0, 0,
      operands(0, 0x40, 6) +
          program(isa::SyncWait64{
              .address = d(80), .reference = d(82), .condition = isa::SyncCondition::kGreater}));
  rig.settle();
  rig.host.toggle_group(0, datasheet::csg::Request::StatusUpdate::kMask);
  rig.host.ring_groups(1);
  rig.settle();
  const HostBlock status = rig.host.cs_output(0, 0);
  EXPECT_EQ(status.load(out::kStatusBlockedReason), 3u);
  EXPECT_EQ(status.load(out::kStatusWait), 0xc100'0000u) << "sync wait, 64 bits, condition 1";
  EXPECT_EQ(status.load64(out::kStatusWaitSyncPtr), rig.data(0).value + 0x40);
  EXPECT_EQ(status.load(out::kStatusWaitSyncValue), 6u);
  EXPECT_EQ(status.load(out::kStatusWaitSyncValueHi), 0u);
  EXPECT_EQ(status.load(out::kStatusScoreboards), 0u);
  EXPECT_EQ(rig.host.csg_output(0).load(datasheet::csg::output::kStatusState), 1u)
      << "the host counts a blocked queue as idle";
  rig.services.take_interrupts();

  // More than one turn, so that the waiting queue has looked in vain in between.
  rig.submit_job(0, 1,
                 operands(0, 0x40, 7) + Program(400, 0) +
                     program(isa::SyncAdd64{
                         .address = d(80), .data = d(82), .scope = isa::SyncScope::kGroup}));
  rig.settle();
  EXPECT_EQ(rig.seqno(0), 1u) << "without time passing";
  EXPECT_EQ(rig.seqno(1), 1u);
}

TEST(Idle, OnlyByTheConditionsThatTheHostSet) {
  for (const std::uint32_t bit : {Request::IdleEmpty::kMask, Request::IdleSyncWait::kMask}) {
    FirmwareRig rig{Quirks{}};
    rig.boot();
    rig.start(0, rig.group(1));
    const HostBlock input = rig.host.cs_input(0, 0);
    input.store(in::kReq, input.load(in::kReq) & ~bit);
    rig.host.toggle_streams(0, 1);
    rig.host.ring_groups(1);
    rig.pass(milliseconds(2));
    const bool idle_when_empty = bit != Request::IdleEmpty::kMask;
    EXPECT_EQ(rig.firmware.dump().groups[0].idle, idle_when_empty);
    rig.submit_job(
        0, 0,
        operands(0, 0x40, 6) +
            program(isa::SyncWait32{
                .address = d(80), .reference = r(82), .condition = isa::SyncCondition::kGreater}));
    rig.pass(milliseconds(2));
    EXPECT_EQ(rig.firmware.dump().groups[0].idle, !idle_when_empty);
  }
}

// [E4.3]
TEST(SyncWait, NoticesWhatTheHostWrites) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  rig.start(0, rig.group(1));
  rig.submit_job(
      0, 0,
      operands(0, 0x40, 6) +
          program(isa::SyncWait32{
              .address = d(80), .reference = r(82), .condition = isa::SyncCondition::kGreater}));
  rig.pass(milliseconds(2));  // the idle events are out
  const RunState waiting = rig.settle();
  EXPECT_EQ(waiting.kind, RunState::Kind::kIdleUntil);
  EXPECT_LE(waiting.until - rig.services.time, milliseconds(1));
  rig.memory.poke<std::uint32_t>(FirmwareRig::kAs, rig.data(0) + 0x40, 7);
  rig.pass(milliseconds(1));
  EXPECT_EQ(rig.seqno(0), 1u);
}

TEST(Doorbell, IsSharedByTheQueuesOfAGroupAndNotByGroups) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  rig.start(0, rig.group(2));
  const HostBlock page(rig, rig.queue(1).pages);
  rig.memory.poke_words(FirmwareRig::kAs, rig.queue(1).ring_base,
                        wrapped(0, rig.code(1), 8, rig.sync(1)));
  page.store64(datasheet::cs::queue_input::kInsert, 128);
  rig.ring(2);  // the next slot's
  rig.settle();
  EXPECT_EQ(rig.seqno(1), 0u);
  rig.ring(1);
  rig.settle();
  EXPECT_EQ(rig.seqno(1), 1u);
}

TEST(Stop, OfOneQueueLeavesTheOthers) {
  FirmwareRig rig{Quirks{}};
  rig.boot();
  rig.start(0, rig.group(2));
  const HostBlock input = rig.host.cs_input(0, 0);
  input.store(in::kReq, input.load(in::kReq) & ~7u);
  rig.host.toggle_streams(0, 1);
  rig.host.ring_groups(1);
  rig.settle();
  EXPECT_EQ(rig.host.cs_output(0, 0).load(out::kAck), input.load(in::kReq));
  EXPECT_FALSE(rig.host.is_active(rig.queue(0)));
  rig.submit_job(0, 0, program(isa::Nop{}));
  rig.submit_job(0, 1, program(isa::Nop{}));
  rig.settle();
  EXPECT_EQ(rig.seqno(0), 0u);
  EXPECT_EQ(rig.seqno(1), 1u);

  input.store(in::kReq, input.load(in::kReq) | 1u);
  rig.host.toggle_streams(0, 1);
  rig.host.ring_groups(1);
  rig.settle();
  EXPECT_EQ(rig.host.cs_output(0, 0).load(out::kAck), input.load(in::kReq));
  EXPECT_EQ(rig.seqno(0), 1u);
}

TEST(TilerHeap, AsksTheHostAndGoesOnWithItsAnswer) {
  for (const bool has_memory : {true, false}) {
    FirmwareRig rig{Quirks{}};
    TilerSetup tiler(rig.memory, FirmwareRig::kAs, 0);
    constexpr GpuVa kChunk{0x900'0000};
    rig.memory.map(FirmwareRig::kAs, kChunk, 64);
    rig.boot();
    rig.start(0, rig.group(1));
    rig.submit_job(
        0, 0,
        program(isa::Move48{.dst = d(72), .imm = rig.data(0).value}, isa::HeapSet{.address = d(72)},
                isa::HeapOperation{}, isa::ReqResource{.idvs = true}) +
            TilerSetup::draws(1) + program(isa::RunIdvs{}));
    rig.settle();
    EXPECT_EQ(rig.services.take_interrupts(), 1u);
    EXPECT_EQ(rig.host.pending_events(0).streams[0], Request::TilerOom::kMask);
    const HostBlock output = rig.host.cs_output(0, 0);
    EXPECT_EQ(output.load(out::kHeapVtStart), 1u);
    EXPECT_EQ(output.load(out::kHeapVtEnd), 0u);
    EXPECT_EQ(output.load(out::kHeapFragEnd), 0u);
    EXPECT_EQ(output.load64(out::kHeapAddress), rig.data(0).value);
    EXPECT_EQ(rig.seqno(0), 0u);

    rig.host.answer_events(0);  // handles everything else
    rig.settle();
    EXPECT_EQ(rig.seqno(0), 0u) << "the answer is still to come";
    const std::uint64_t word = has_memory ? datasheet::tiler_heap::chunk_word(kChunk, 2 * kMiB) : 0;
    rig.host.answer_heap(0, 0, word, word);
    rig.pass(milliseconds(1));
    if (has_memory) {
      EXPECT_EQ(rig.seqno(0), 1u);
    } else {
      EXPECT_EQ(output.load(out::kFault), 0x60u) << "out of memory";
      rig.host.answer_events(0);
      rig.settle();
      EXPECT_EQ(rig.seqno(0), 1u);
      EXPECT_EQ(rig.sync_status(0), 1u);
    }
  }
}

TEST(Policy, ADeafDeviceCompletesJobsWithoutTheirStreams) {
  FirmwareRig rig{Quirks{}};
  Firmware deaf(rig.quirks, rig.memory, rig.services, StreamPolicy::kRingOnly);
  deaf.start();
  deaf.run(1, rig.services.time);
  rig.host.start_group(0, rig.group(1), State::kStart);
  rig.memory.poke_words(FirmwareRig::kAs, rig.code(0), program(isa::Branch{.offset = -1}));
  rig.host.submit(0, rig.queue(0), 0);
  rig.submit(0, 0, wrapped(0, rig.code(0), 8, rig.sync(0)));
  deaf.doorbell(0);
  EXPECT_EQ(deaf.run(1000, rig.services.time).kind, RunState::Kind::kIdle);
  EXPECT_EQ(rig.seqno(0), 1u);
}

}  // namespace
}  // namespace pantry::emu
