// SPDX-License-Identifier: MIT
//
// Endpoint work of several queues and groups, as the host sees it. Who gets what is tested in
// endpoint_arbiter_test.cc.
#include <gtest/gtest.h>

#include "gpu_emu/mcu/firmware_rig.h"

namespace pantry::emu {
namespace {

using datasheet::csg::EndpointReq;
using datasheet::csg::Request;
using datasheet::csg::State;
using isa::d;
using isa::r;

constexpr Duration kWork = microseconds(100);
constexpr Duration kSlack = microseconds(2);

Quirks quirks_for_work() {
  Quirks quirks;
  quirks.endpoint_time = kWork;
  quirks.endpoint_reads = Quirks::EndpointReads::kNothing;
  quirks.tiler_bytes_per_vertex = 0;
  return quirks;
}

Program compute() { return program(isa::ReqResource{.compute = true}, isa::RunCompute{}); }
Program draw() { return program(isa::ReqResource{.idvs = true}, isa::RunIdvs{}); }

class SharedEndpoints : public testing::Test {
 protected:
  SharedEndpoints() : rig_(quirks_for_work()) {
    rig_.boot();
    began_ = rig_.services.time;
  }

  // Group `n` has queue `n` alone.
  InterfaceHost::Group group(std::uint32_t n, std::uint8_t priority) {
    queues_[n] = {FirmwareRig::queue(n)};
    return {.queues = queues_[n],
            .address_space = FirmwareRig::kAs,
            .priority = priority,
            .suspend_buffer = FirmwareRig::suspend_buffer(n)};
  }
  void start(std::uint32_t n) { rig_.start(n, group(n, 3)); }
  void submit(std::uint32_t n, const Program& words) { rig_.submit_job(n, n, words); }
  // Since the beginning, at the end of the first job of queue `n`; within a second.
  Duration finished(std::uint32_t n) {
    const TimePoint limit = rig_.services.time + seconds(1);
    while (rig_.services.time < limit) {
      const RunState state = rig_.settle();
      if (rig_.seqno(n) != 0) return rig_.services.time - began_;
      rig_.services.time = std::max(rig_.services.time + nanoseconds(1), state.until);
    }
    return seconds(1);
  }
  void request(std::uint32_t n, State state) {
    rig_.host.request_state(n, state);
    rig_.host.ring_groups(1u << n);
    rig_.settle();
    ASSERT_TRUE(rig_.host.is_acknowledged(n));
  }
  std::uint32_t held_now(std::uint32_t n) {
    rig_.host.toggle_group(n, Request::StatusUpdate::kMask);
    rig_.host.ring_groups(1u << n);
    rig_.settle();
    return rig_.host.csg_output(n).load(datasheet::csg::output::kStatusEndpointCurrent);
  }

  FirmwareRig rig_;
  TimePoint began_;
  std::array<std::array<InterfaceHost::Queue, 1>, FirmwareRig::kQueues> queues_;
};

void expect_close(Duration is, Duration should_be) {
  EXPECT_GE(is.ns, should_be.ns);
  EXPECT_LE(is.ns, (should_be.ns + kSlack.ns));
}

TEST_F(SharedEndpoints, ComputeOfTwoGroupsTakesTwiceAsLongAsOfOne) {
  start(0);
  start(1);
  submit(0, compute());
  submit(1, compute());
  expect_close(finished(0), kWork);
  expect_close(finished(1), kWork * 2);
}

TEST_F(SharedEndpoints, AloneItTakesItsTime) {
  start(0);
  start(1);
  submit(1, compute());
  expect_close(finished(1), kWork);
}

TEST_F(SharedEndpoints, TheTilerDrawsForOneGroupAfterTheOther) {
  start(0);
  start(1);
  submit(0, draw());
  submit(1, draw());
  rig_.settle();
  EXPECT_EQ(held_now(0), EndpointReq::Tiler::of(1u));
  EXPECT_EQ(held_now(1), 0u);
  expect_close(finished(0), kWork);
  EXPECT_EQ(held_now(0), 0u);
  EXPECT_EQ(held_now(1), EndpointReq::Tiler::of(1u));
  expect_close(finished(1), kWork * 2);
}

TEST_F(SharedEndpoints, DrawingAndComputeGoTogether) {
  start(0);
  start(1);
  submit(0, draw());
  submit(1, compute());
  expect_close(finished(0), kWork);
  expect_close(finished(1), kWork);
}

TEST_F(SharedEndpoints, QueuesOfOneGroupShareThemToo) {
  rig_.start(0, rig_.group(2));
  rig_.submit_job(0, 0, compute());
  rig_.submit_job(0, 1, compute());
  expect_close(finished(0), kWork);
  expect_close(finished(1), kWork * 2);
}

TEST_F(SharedEndpoints, AStreamGoesOnWhileItsWorkWaitsForItsTurn) {
  start(0);
  start(1);
  submit(0, compute());
  submit(1, compute() + program(isa::Move48{.dst = d(70), .imm = FirmwareRig::data(1).value},
                                isa::Move32{.dst = r(72), .imm = 77},
                                isa::StoreMultiple{.base = r(72), .address = d(70), .mask = 1}));
  rig_.settle();
  EXPECT_EQ(rig_.data32(1, 0), 77u);
  EXPECT_EQ(rig_.seqno(1), 0u);
}

TEST_F(SharedEndpoints, TheHigherPriorityGoesFirst) {
  start(0);
  rig_.start(1, group(1, 9));
  submit(0, compute());
  rig_.settle();
  submit(1, compute());
  expect_close(finished(1), kWork);
  expect_close(finished(0), kWork * 2);
}

TEST_F(SharedEndpoints, SuspendGivesThemBackAndResumeGoesOnWhereItWas) {
  start(0);
  start(1);
  submit(0, compute());
  rig_.settle();
  EXPECT_EQ(held_now(0), EndpointReq::Compute::of(4u));
  rig_.pass(microseconds(75));
  request(0, State::kSuspend);
  EXPECT_EQ(rig_.host.csg_output(0).load(datasheet::csg::output::kStatusEndpointCurrent), 0u);
  rig_.host.stop_streams(0);
  began_ = rig_.services.time;
  submit(1, compute());
  expect_close(finished(1), kWork);
  began_ = rig_.services.time;
  rig_.host.start_group(2, group(0, 3), State::kResume);
  expect_close(finished(0), microseconds(25));
}

TEST_F(SharedEndpoints, AGroupThatIsTerminatedLeavesNothingHeld) {
  start(0);
  start(1);
  submit(0, compute());
  submit(1, compute());
  rig_.settle();
  request(0, State::kTerminate);
  expect_close(finished(1), kWork);
}

TEST_F(SharedEndpoints, AStreamThatDiesLeavesNothingHeld) {
  start(0);
  start(1);
  submit(0, compute() + Program{std::uint64_t{0x3f} << 56});
  submit(1, compute());
  rig_.settle();
  ASSERT_TRUE(rig_.firmware.dump().groups[0].streams[0].dead);
  EXPECT_EQ(held_now(0), 0u);
  expect_close(finished(1), kWork);
}

TEST_F(SharedEndpoints, AStoppedFirmwareLeavesNothingHeld) {
  start(0);
  submit(0, compute());
  rig_.settle();
  rig_.firmware.stop();
  EXPECT_EQ(rig_.settle().until, TimePoint::never());
  rig_.boot();
  start(1);
  submit(1, compute());
  began_ = rig_.services.time;
  expect_close(finished(1), kWork);
}

TEST_F(SharedEndpoints, OnlyCoresOfTheAllocationMaskWork) {
  using GlbRequest = datasheet::glb::Request;
  start(0);
  rig_.host.glb_input().store64(datasheet::glb::input::kCoreEnMask, 0x1);
  rig_.host.toggle_global(GlbRequest::CfgAllocEn::kMask);
  rig_.firmware.doorbell(0);
  rig_.settle();
  submit(0, compute());
  expect_close(finished(0), kWork * 4);
}

TEST_F(SharedEndpoints, WhoWantsThemForItselfIsToldThatTheyAreShared) {
  testing::internal::CaptureStderr();
  start(0);
  rig_.host.csg_input(0).store(
      datasheet::csg::input::kEndpointReq,
      0x0001'0404 | EndpointReq::ExclusiveCompute::kMask | EndpointReq::Priority::of(3u));
  for (int i = 0; i < 2; ++i) {
    rig_.host.toggle_group(0, Request::EndpointConfig::kMask);
    rig_.host.ring_groups(1);
    rig_.settle();
  }
  const std::string log = testing::internal::GetCapturedStderr();
  const std::size_t first = log.find("are shared like all others");
  ASSERT_NE(first, std::string::npos) << log;
  EXPECT_EQ(log.find("are shared", first + 1), std::string::npos) << log;
  start(1);
  submit(0, compute());
  submit(1, compute());
  expect_close(finished(1), kWork * 2);
}

// The host's timer says 10.03 ms.
TEST_F(SharedEndpoints, TheyHavePowerWhileThereIsWorkAndForTheirTimer) {
  constexpr std::uint64_t kCores = 0x5'0005;
  const ScriptedServices& device = rig_.services;
  start(0);
  rig_.pass(milliseconds(20));
  EXPECT_EQ(device.powered_cores, 0u) << "nobody has asked for any";
  submit(0, compute());
  rig_.settle();
  EXPECT_EQ(device.powered_cores, kCores);
  EXPECT_EQ(device.powered_tilers, 1u);
  rig_.pass(kWork + milliseconds(9));
  ASSERT_EQ(rig_.seqno(0), 1u);
  EXPECT_EQ(device.powered_cores, kCores) << "the timer has not run out";
  submit(0, compute());  // it begins anew
  rig_.pass(kWork + milliseconds(9));
  EXPECT_EQ(device.powered_cores, kCores);
  rig_.pass(milliseconds(2));
  EXPECT_EQ(device.powered_cores, 0u);
  EXPECT_EQ(device.powered_tilers, 0u);
  EXPECT_EQ(rig_.settle().until, TimePoint::never()) << "and then there is nothing to do";

  using GlbRequest = datasheet::glb::Request;
  rig_.host.glb_input().store64(datasheet::glb::input::kCoreEnMask, 0x4);
  rig_.host.glb_input().store(datasheet::glb::input::kPoweroffTimer, 0);
  rig_.host.toggle_global(GlbRequest::CfgAllocEn::kMask | GlbRequest::CfgPoweroffTimer::kMask);
  rig_.firmware.doorbell(0);
  submit(0, compute());
  rig_.settle();
  EXPECT_EQ(device.powered_cores, 0x4u) << "of the allocation mask only";
  rig_.pass(kWork * 4);
  ASSERT_EQ(rig_.seqno(0), 3u);
  EXPECT_EQ(device.powered_cores, 0u) << "at once";
  submit(0, compute());
  rig_.settle();
  EXPECT_NE(device.powered_cores, 0u);
  rig_.firmware.stop();
  EXPECT_EQ(device.powered_cores, 0u);
}

TEST_F(SharedEndpoints, WaitingForOthersIsNoLackOfProgress) {
  rig_.quirks.endpoint_time = seconds(1);
  FirmwareRig rig(rig_.quirks);
  rig.boot();
  for (std::uint32_t n = 0; n < 4; ++n) rig.start(n, group(n, static_cast<std::uint8_t>(9 - n)));
  for (std::uint32_t n = 0; n < 4; ++n) rig.submit_job(n, n, compute());
  rig.pass(milliseconds(3900));  // the progress timer is at 3.3 s
  EXPECT_EQ(rig.seqno(2), 1u);
  EXPECT_EQ(rig.seqno(3), 0u);
  EXPECT_EQ(rig.host.pending_events(3).group & Request::ProgressTimerEvent::kMask, 0u);
  rig.pass(milliseconds(200));
  EXPECT_EQ(rig.seqno(3), 1u);
}

}  // namespace
}  // namespace pantry::emu
