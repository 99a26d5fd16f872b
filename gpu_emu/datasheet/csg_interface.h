// SPDX-License-Identifier: MIT
//
// The blocks of one command-stream group slot: control, input (host to firmware), output (firmware
// to host). Offsets are from the start of each block; words are 32 bits unless marked (64). The
// kinds of request bits are those of glb_interface.h. Sources: [K], [B] for what Panthor does not
// use. Constants only.
#pragma once

#include <cstdint>

#include "gpu_emu/datasheet/field.h"
#include "gpu_emu/datasheet/offset.h"

namespace pantry::datasheet::csg {

namespace control {
inline constexpr Offset kFeatures = 0x00;
inline constexpr Offset kInputVa = 0x04;           // MCU address of the input block
inline constexpr Offset kOutputVa = 0x08;          // MCU address of the output block
inline constexpr Offset kSuspendSize = 0x0c;       // bytes of a suspend buffer
inline constexpr Offset kProtmSuspendSize = 0x10;  // bytes of a protected-mode suspend buffer
inline constexpr Offset kStreamNum = 0x14;         // CS slots
inline constexpr Offset kStreamStride = 0x18;      // bytes from one CS control block to the next
inline constexpr Offset kBytes = 0x1c;
}  // namespace control

namespace input {
inline constexpr Offset kReq = 0x00;              // fields: Request
inline constexpr Offset kAckIrqMask = 0x04;       // acknowledges and events that raise JOB_INT
inline constexpr Offset kDoorbellReq = 0x08;      // toggle, bit per CS
inline constexpr Offset kCsIrqAck = 0x0c;         // bit per CS: answers cs_irq_req
inline constexpr Offset kAllowCompute = 0x20;     // (64) shader cores
inline constexpr Offset kAllowFragment = 0x28;    // (64) shader cores
inline constexpr Offset kAllowOther = 0x30;       // tilers
inline constexpr Offset kEndpointReq = 0x34;      // fields: EndpointReq
inline constexpr Offset kEndpointReq2 = 0x38;     // (64) interface 4.0 and later
inline constexpr Offset kSuspendBuf = 0x40;       // (64) MCU address
inline constexpr Offset kProtmSuspendBuf = 0x48;  // (64) MCU address
inline constexpr Offset kConfig = 0x50;           // fields: Config
inline constexpr Offset kIterTraceConfig = 0x54;
inline constexpr Offset kDvsBuf = 0x60;  // (64) newer [B]
inline constexpr Offset kBytes = 0x68;
}  // namespace input

namespace output {
inline constexpr Offset kAck = 0x00;          // fields: Request
inline constexpr Offset kDoorbellAck = 0x08;  // bit per CS
inline constexpr Offset kCsIrqReq = 0x0c;     // toggle, bit per CS: it has an event
inline constexpr Offset kStatusEndpointCurrent = 0x10;
inline constexpr Offset kStatusEndpointReq = 0x14;
inline constexpr Offset kStatusState = 0x18;  // fields: StatusState
inline constexpr Offset kResourceDep = 0x1c;
inline constexpr Offset kBytes = 0x20;
}  // namespace output

enum class State : std::uint8_t { kTerminate = 0, kStart = 1, kSuspend = 2, kResume = 3 };

// CSG_REQ and CSG_ACK. Panthor starts a group with 0x11 and resumes one with 0x13.
struct Request {
  using StateField = Field<2, 0, State>;  // level, acknowledged when the transition is complete
  using EndpointConfig = Bit<4>;          // toggle
  using StatusUpdate = Bit<5>;            // toggle
  // Events.
  using SyncUpdate = Bit<28>;
  using Idle = Bit<29>;
  using Doorbell = Bit<30>;
  using ProgressTimerEvent = Bit<31>;

  static constexpr std::uint32_t kMirroredMask = 0x0000'0030;
  static constexpr std::uint32_t kEventMask = Field<31, 28>::kMask;
};

// 0xf001'0404: priority 15, one tiler, four cores each for compute and fragment work.
struct EndpointReq {
  using Compute = Field<7, 0>;
  using Fragment = Field<15, 8>;
  using Tiler = Field<19, 16>;
  using ExclusiveCompute = Bit<20>;
  using ExclusiveFragment = Bit<21>;
  using Priority = Field<31, 28>;
};

struct Config {
  using Jasid = Field<3, 0>;  // the address space of the group
};

struct StatusState {
  using Idle = Bit<0>;
};

}  // namespace pantry::datasheet::csg
