// SPDX-License-Identifier: MIT
#include "gpu_emu/datasheet/firmware_interface.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>

#include "gpu_emu/datasheet/sync_object.h"

namespace pantry::datasheet {
namespace {

using u32 = std::uint32_t;
using u64 = std::uint64_t;

// The blocks once more, as structs with their gaps spelled out, so that a slip in an offset shows.
struct GlbControl {
  u32 version, features, input_va, output_va, group_num, group_stride, perfcnt_size, instr_features;
};
struct GlbInput {
  u32 req, ack_irq_mask, doorbell_req, gap0, progress_timer, poweroff_timer;
  u64 core_en_mask;
  u32 gap1, perfcnt_as;
  u64 perfcnt_base;
  u32 perfcnt_extract, gap2[3], perfcnt_config, perfcnt_csg_select, perfcnt_fw, perfcnt_csg,
      perfcnt_csf, perfcnt_shader, perfcnt_tiler, perfcnt_mmu_l2, gap3[8], idle_timer;
};
struct GlbOutput {
  u32 ack, gap0, doorbell_ack, gap1, halt_status, perfcnt_status, perfcnt_insert;
};
struct CsgControl {
  u32 features, input_va, output_va, suspend_size, protm_suspend_size, stream_num, stream_stride;
};
struct CsgInput {
  u32 req, ack_irq_mask, doorbell_req, cs_irq_ack, gap0[4];
  u64 allow_compute, allow_fragment;
  u32 allow_other, endpoint_req, gap1[2];
  u64 suspend_buf, protm_suspend_buf;
  u32 config, iter_trace_config;
};
struct CsgOutput {
  u32 ack, gap0, doorbell_ack, cs_irq_req, endpoint_current, endpoint_req, state, resource_dep;
};
struct CsControl {
  u32 features, input_va, output_va;
};
struct CsInput {
  u32 req, config, gap0, ack_irq_mask;
  u64 ringbuf_base;
  u32 ringbuf_size, gap1;
  u64 heap_start, heap_end, ringbuf_input, ringbuf_output;
  u32 instr_config, instrbuf_size;
  u64 instrbuf_base, instrbuf_offset_ptr;
};
struct CsOutput {
  u32 ack, gap0[15];
  u64 cmd_ptr;
  u32 wait, req_resource;
  u64 wait_sync_ptr;
  u32 wait_sync_value, scoreboards, blocked_reason, wait_sync_value_hi, gap1[6], fault, fatal;
  u64 fault_info, fatal_info;
  u32 gap2[10], heap_vt_start, heap_vt_end, gap3, heap_frag_end;
  u64 heap_address;
};

static_assert(glb::control::kOutputVa == offsetof(GlbControl, output_va));
static_assert(glb::control::kGroupNum == offsetof(GlbControl, group_num));
static_assert(glb::control::kGroupStride == offsetof(GlbControl, group_stride));
static_assert(glb::control::kPerfcntSize == offsetof(GlbControl, perfcnt_size));
static_assert(glb::control::kInstrFeatures == offsetof(GlbControl, instr_features));
static_assert(glb::control::kBytes == sizeof(GlbControl));

static_assert(glb::input::kReq == offsetof(GlbInput, req));
static_assert(glb::input::kAckIrqMask == offsetof(GlbInput, ack_irq_mask));
static_assert(glb::input::kDoorbellReq == offsetof(GlbInput, doorbell_req));
static_assert(glb::input::kProgressTimer == offsetof(GlbInput, progress_timer));
static_assert(glb::input::kPoweroffTimer == offsetof(GlbInput, poweroff_timer));
static_assert(glb::input::kCoreEnMask == offsetof(GlbInput, core_en_mask));
static_assert(glb::input::kPerfcntAs == offsetof(GlbInput, perfcnt_as));
static_assert(glb::input::kPerfcntBase == offsetof(GlbInput, perfcnt_base));
static_assert(glb::input::kPerfcntExtract == offsetof(GlbInput, perfcnt_extract));
static_assert(glb::input::kPerfcntConfig == offsetof(GlbInput, perfcnt_config));
static_assert(glb::input::kPerfcntMmuL2Enable == offsetof(GlbInput, perfcnt_mmu_l2));
static_assert(glb::input::kIdleTimer == offsetof(GlbInput, idle_timer));

static_assert(glb::output::kDoorbellAck == offsetof(GlbOutput, doorbell_ack));
static_assert(glb::output::kHaltStatus == offsetof(GlbOutput, halt_status));
static_assert(glb::output::kPerfcntInsert == offsetof(GlbOutput, perfcnt_insert));

static_assert(csg::control::kInputVa == offsetof(CsgControl, input_va));
static_assert(csg::control::kSuspendSize == offsetof(CsgControl, suspend_size));
static_assert(csg::control::kProtmSuspendSize == offsetof(CsgControl, protm_suspend_size));
static_assert(csg::control::kStreamNum == offsetof(CsgControl, stream_num));
static_assert(csg::control::kStreamStride == offsetof(CsgControl, stream_stride));
static_assert(csg::control::kBytes == sizeof(CsgControl));

static_assert(csg::input::kDoorbellReq == offsetof(CsgInput, doorbell_req));
static_assert(csg::input::kCsIrqAck == offsetof(CsgInput, cs_irq_ack));
static_assert(csg::input::kAllowCompute == offsetof(CsgInput, allow_compute));
static_assert(csg::input::kAllowFragment == offsetof(CsgInput, allow_fragment));
static_assert(csg::input::kAllowOther == offsetof(CsgInput, allow_other));
static_assert(csg::input::kEndpointReq == offsetof(CsgInput, endpoint_req));
static_assert(csg::input::kEndpointReq2 == offsetof(CsgInput, gap1));
static_assert(csg::input::kSuspendBuf == offsetof(CsgInput, suspend_buf));
static_assert(csg::input::kProtmSuspendBuf == offsetof(CsgInput, protm_suspend_buf));
static_assert(csg::input::kConfig == offsetof(CsgInput, config));
static_assert(csg::input::kIterTraceConfig == offsetof(CsgInput, iter_trace_config));

static_assert(csg::output::kDoorbellAck == offsetof(CsgOutput, doorbell_ack));
static_assert(csg::output::kCsIrqReq == offsetof(CsgOutput, cs_irq_req));
static_assert(csg::output::kStatusEndpointCurrent == offsetof(CsgOutput, endpoint_current));
static_assert(csg::output::kStatusEndpointReq == offsetof(CsgOutput, endpoint_req));
static_assert(csg::output::kStatusState == offsetof(CsgOutput, state));
static_assert(csg::output::kResourceDep == offsetof(CsgOutput, resource_dep));
static_assert(csg::output::kBytes == sizeof(CsgOutput));

static_assert(cs::control::kOutputVa == offsetof(CsControl, output_va));
static_assert(cs::control::kBytes == sizeof(CsControl));

static_assert(cs::input::kConfig == offsetof(CsInput, config));
static_assert(cs::input::kAckIrqMask == offsetof(CsInput, ack_irq_mask));
static_assert(cs::input::kRingbufBase == offsetof(CsInput, ringbuf_base));
static_assert(cs::input::kRingbufSize == offsetof(CsInput, ringbuf_size));
static_assert(cs::input::kHeapStart == offsetof(CsInput, heap_start));
static_assert(cs::input::kHeapEnd == offsetof(CsInput, heap_end));
static_assert(cs::input::kRingbufInput == offsetof(CsInput, ringbuf_input));
static_assert(cs::input::kRingbufOutput == offsetof(CsInput, ringbuf_output));
static_assert(cs::input::kInstrConfig == offsetof(CsInput, instr_config));
static_assert(cs::input::kInstrbufSize == offsetof(CsInput, instrbuf_size));
static_assert(cs::input::kInstrbufBase == offsetof(CsInput, instrbuf_base));
static_assert(cs::input::kInstrbufOffsetPtr == offsetof(CsInput, instrbuf_offset_ptr));
static_assert(cs::input::kBytes == sizeof(CsInput));

static_assert(cs::output::kStatusCmdPtr == offsetof(CsOutput, cmd_ptr));
static_assert(cs::output::kStatusWait == offsetof(CsOutput, wait));
static_assert(cs::output::kStatusReqResource == offsetof(CsOutput, req_resource));
static_assert(cs::output::kStatusWaitSyncPtr == offsetof(CsOutput, wait_sync_ptr));
static_assert(cs::output::kStatusWaitSyncValue == offsetof(CsOutput, wait_sync_value));
static_assert(cs::output::kStatusScoreboards == offsetof(CsOutput, scoreboards));
static_assert(cs::output::kStatusBlockedReason == offsetof(CsOutput, blocked_reason));
static_assert(cs::output::kStatusWaitSyncValueHi == offsetof(CsOutput, wait_sync_value_hi));
static_assert(cs::output::kFault == offsetof(CsOutput, fault));
static_assert(cs::output::kFatal == offsetof(CsOutput, fatal));
static_assert(cs::output::kFaultInfo == offsetof(CsOutput, fault_info));
static_assert(cs::output::kFatalInfo == offsetof(CsOutput, fatal_info));
static_assert(cs::output::kHeapVtStart == offsetof(CsOutput, heap_vt_start));
static_assert(cs::output::kHeapVtEnd == offsetof(CsOutput, heap_vt_end));
static_assert(cs::output::kHeapFragEnd == offsetof(CsOutput, heap_frag_end));
static_assert(cs::output::kHeapAddress == offsetof(CsOutput, heap_address));
static_assert(cs::output::kBytes == sizeof(CsOutput));

TEST(FirmwareInterface, ControlBlocksInTheSharedSection) {
  using namespace firmware_interface;
  EXPECT_EQ(group_control(0, 0x100), 0x1000u);
  EXPECT_EQ(group_control(2, 0x100), 0x1200u);
  EXPECT_EQ(stream_control(2, 0x100, 1, 12), 0x124cu);
  // Sixteen streams of 12 bytes fit a stride of 0x100, as kbase has it.
  EXPECT_EQ(stream_control(0, 0x100, 16, 12), group_control(1, 0x100));
}

// Words seen when the real driver starts and stops slots.
TEST(FirmwareInterface, RequestsOfASlot) {
  EXPECT_EQ(cs::Request::StateField::of(cs::State::kStart) | cs::Request::ExtractEvent::kMask |
                cs::Request::IdleSyncWait::kMask | cs::Request::IdleEmpty::kMask,
            0x511u);
  EXPECT_EQ(csg::Request::StateField::of(csg::State::kStart) | csg::Request::EndpointConfig::kMask,
            0x11u);
  EXPECT_EQ(csg::Request::StateField::of(csg::State::kResume) | csg::Request::EndpointConfig::kMask,
            0x13u);
  EXPECT_EQ(csg::Request::StatusUpdate::set(0x11u, true), 0x31u);
  EXPECT_EQ(csg::Request::StateField::set(0x31u, csg::State::kSuspend), 0x32u);
  EXPECT_EQ(csg::EndpointReq::Compute::of(4) | csg::EndpointReq::Fragment::of(4) |
                csg::EndpointReq::Tiler::of(1) | csg::EndpointReq::Priority::of(15),
            0xf001'0404u);
  EXPECT_EQ(cs::Config::Priority::of(1) | cs::Config::DoorbellPage::of(3), 0x301u);
  EXPECT_EQ(cs::Features::WorkRegistersMinus1::get(0x0007'085f), 95u);
  EXPECT_EQ(cs::Features::Scoreboards::get(0x0007'085f), 8u);
  EXPECT_TRUE(cs::Features::Tiler::get(0x0007'085f));
}

TEST(FirmwareInterface, GlobalRequests) {
  EXPECT_EQ(glb::Request::CfgProgressTimer::kMask | glb::Request::CfgAllocEn::kMask |
                glb::Request::CfgPoweroffTimer::kMask | glb::Request::Ping::kMask |
                glb::Request::IdleEn::kMask | glb::Request::Idle::kMask,
            0x0400'050eu);
  EXPECT_EQ(glb::Request::kEventMask, 0x0ff0'0000u);
  EXPECT_EQ(glb::Version::Major::get(0x0101'0002), 1u);
  EXPECT_EQ(glb::Version::Minor::get(0x0101'0002), 1u);
  EXPECT_EQ(glb::Version::Patch::get(0x0101'0002), 2u);
  EXPECT_EQ(glb::Timer::Units::of(0x1e85) | glb::Timer::SourceGpuCounter::of(true), 0x8000'1e85u);
}

// The masks by which the firmware decides what to copy and what is its own must not meet.
TEST(FirmwareInterface, MirroredBitsAndEventsAreApart) {
  EXPECT_EQ(glb::Request::kMirroredMask & glb::Request::kEventMask, 0u);
  EXPECT_EQ(glb::Request::kMirroredMask & glb::Request::Halt::kMask, 0u);
  EXPECT_EQ(csg::Request::kMirroredMask,
            csg::Request::EndpointConfig::kMask | csg::Request::StatusUpdate::kMask);
  EXPECT_EQ(csg::Request::kEventMask, csg::Request::SyncUpdate::kMask | csg::Request::Idle::kMask |
                                          csg::Request::Doorbell::kMask |
                                          csg::Request::ProgressTimerEvent::kMask);
  EXPECT_EQ(cs::Request::kMirroredMask,
            cs::Request::ExtractEvent::kMask | cs::Request::IdleSyncWait::kMask |
                cs::Request::IdleProtmPending::kMask | cs::Request::IdleEmpty::kMask |
                cs::Request::IdleResourceReq::kMask | cs::Request::IdleSharedSbDec::kMask);
  EXPECT_EQ(cs::Request::kEventMask, cs::Request::TilerOom::kMask |
                                         cs::Request::ProtmPending::kMask |
                                         cs::Request::Fatal::kMask | cs::Request::Fault::kMask);
}

TEST(FirmwareInterface, StatusWords) {
  // Blocked in a 64-bit SYNC_WAIT for "greater".
  const u32 wait = cs::StatusWait::ScoreboardSource::of(cs::WaitSource::kWait) |
                   cs::StatusWait::SyncCondition::of(1) | cs::StatusWait::Sync64::of(true) |
                   cs::StatusWait::Sync::of(true);
  EXPECT_EQ(wait, 0xc108'0000u);
  EXPECT_EQ(cs::BlockedReasonField::of(cs::BlockedReason::kFlush), 6u);
  EXPECT_EQ(cs::ExceptionWord::Type::of(Exception::kCsInheritFault) |
                cs::ExceptionWord::Data::of(0x123456),
            0x1234'564bu);
}

TEST(FirmwareInterface, SyncObjectsAndQueuePages) {
  struct Object64 {
    u64 value;
    u32 status, pad;
  };
  EXPECT_EQ(sync_object::word64::kStatus, offsetof(Object64, status));
  EXPECT_EQ(sync_object::word64::kBytes, sizeof(Object64));
  EXPECT_EQ(sync_object::word32::kStatus, 4u);
  EXPECT_EQ(cs::queue_input::kExtractInit, 8u);
  EXPECT_EQ(cs::queue_output::kActive, 8u);
}

}  // namespace
}  // namespace pantry::datasheet
