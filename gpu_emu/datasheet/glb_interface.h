// SPDX-License-Identifier: MIT
//
// The global blocks of the firmware interface: control (what the firmware offers, constant after
// boot), input (host to firmware) and output (firmware to host). Offsets are from the start of each
// block; words are 32 bits unless marked (64). A request bit of kind "toggle" asks while it differs
// from the acknowledge; kind "level" is a state that the acknowledge copies; events are toggled by
// the firmware in the acknowledge and answered by the host in the request. Sources: [K], [B] for
// what Panthor does not use. Constants only.
#pragma once

#include <cstdint>

#include "gpu_emu/datasheet/field.h"
#include "gpu_emu/datasheet/offset.h"

namespace pantry::datasheet::glb {

namespace control {
inline constexpr Offset kVersion = 0x00;        // fields: Version
inline constexpr Offset kFeatures = 0x04;       // fields: Features
inline constexpr Offset kInputVa = 0x08;        // MCU address of the input block
inline constexpr Offset kOutputVa = 0x0c;       // MCU address of the output block
inline constexpr Offset kGroupNum = 0x10;       // group slots
inline constexpr Offset kGroupStride = 0x14;    // bytes from one group control block to the next
inline constexpr Offset kPerfcntSize = 0x18;    // fields: PerfcntSize
inline constexpr Offset kInstrFeatures = 0x1c;  // since version 1.1.0
inline constexpr Offset kBytes = 0x20;
}  // namespace control

namespace input {
inline constexpr Offset kReq = 0x00;            // fields: Request
inline constexpr Offset kAckIrqMask = 0x04;     // acknowledges and events that raise JOB_INT bit 31
inline constexpr Offset kDoorbellReq = 0x08;    // toggle, bit per group slot
inline constexpr Offset kProgressTimer = 0x10;  // cycles >> kProgressTimerShift
inline constexpr Offset kPoweroffTimer = 0x14;  // fields: Timer
inline constexpr Offset kCoreEnMask = 0x18;     // (64) shader cores that the firmware may use
inline constexpr Offset kPerfcntAs = 0x24;
inline constexpr Offset kPerfcntBase = 0x28;  // (64)
inline constexpr Offset kPerfcntExtract = 0x30;
inline constexpr Offset kPerfcntConfig = 0x40;  // 7:0 size, 9:8 set
inline constexpr Offset kPerfcntCsgSelect = 0x44;
inline constexpr Offset kPerfcntFwEnable = 0x48;
inline constexpr Offset kPerfcntCsgEnable = 0x4c;
inline constexpr Offset kPerfcntCsfEnable = 0x50;
inline constexpr Offset kPerfcntShaderEnable = 0x54;
inline constexpr Offset kPerfcntTilerEnable = 0x58;
inline constexpr Offset kPerfcntMmuL2Enable = 0x5c;
inline constexpr Offset kIdleTimer = 0x80;            // fields: Timer
inline constexpr Offset kIdleTimerConfig = 0x84;      // bit 0 no modifier, bit 9 sleep on idle [B]
inline constexpr Offset kPoweroffTimerConfig = 0x88;  // newer [B]
inline constexpr Offset kEvictionTimer = 0x90;        // newer [B]
inline constexpr Offset kEvictionTimerConfig = 0x94;  // newer [B]
inline constexpr Offset kDebugArg0 = 0xfe0;           // four words [B]
inline constexpr Offset kDebugAckIrqMask = 0xff8;     // [B]
inline constexpr Offset kDebugReq = 0xffc;            // [B]
inline constexpr Offset kBytes = 0x1000;
}  // namespace input

namespace output {
inline constexpr Offset kAck = 0x00;          // fields: Request
inline constexpr Offset kDoorbellAck = 0x08;  // bit per group slot
inline constexpr Offset kHaltStatus = 0x10;   // a HaltStatus
inline constexpr Offset kPerfcntStatus = 0x14;
inline constexpr Offset kPerfcntInsert = 0x18;
inline constexpr Offset kDebugArg0 = 0xfe0;  // four words [B]
inline constexpr Offset kDebugAck = 0xffc;   // [B]
inline constexpr Offset kBytes = 0x1000;
}  // namespace output

// 0x0101'0000 is 1.1.0.
struct Version {
  using Major = Field<31, 24>;
  using Minor = Field<23, 16>;
  using Patch = Field<15, 0>;
};
struct Features {
  using IteratorTrace = Bit<4>;
};
struct PerfcntSize {
  using HardwareBytesBy256 = Field<15, 0>;
  using FirmwareBytesBy256 = Field<31, 16>;
};

// GLB_REQ and GLB_ACK.
struct Request {
  using Halt = Bit<0>;               // level, answered by MCU_STATUS and not acknowledged
  using CfgProgressTimer = Bit<1>;   // toggle
  using CfgAllocEn = Bit<2>;         // toggle: takes core_en_mask
  using CfgPoweroffTimer = Bit<3>;   // toggle
  using ProtmEnter = Bit<4>;         // toggle
  using PerfcntEn = Bit<5>;          // level
  using PerfcntSample = Bit<6>;      // toggle
  using CounterEn = Bit<7>;          // level
  using Ping = Bit<8>;               // toggle
  using FwcfgUpdate = Bit<9>;        // toggle
  using IdleEn = Bit<10>;            // level
  using IterTraceEn = Bit<11>;       // newer [B]
  using Sleep = Bit<12>;             // newer [B]
  using CfgEvictionTimer = Bit<16>;  // newer [B]
  // Events.
  using InactiveCompute = Bit<20>;
  using InactiveFragment = Bit<21>;
  using InactiveTiler = Bit<22>;
  using ProtmExit = Bit<23>;
  using PerfcntThreshold = Bit<24>;
  using PerfcntOverflow = Bit<25>;
  using Idle = Bit<26>;
  using Fatal = Bit<27>;  // newer [B]
  using DebugCsf = Bit<30>;
  using DebugHost = Bit<31>;

  // What the acknowledge copies on a doorbell, and what the firmware owns.
  static constexpr std::uint32_t kMirroredMask = 0x0001'1ffe;
  static constexpr std::uint32_t kEventMask = Field<27, 20>::kMask;
  static constexpr std::uint32_t kDebugMask = DebugCsf::kMask | DebugHost::kMask;
};

// A span of time in units of 1024 ticks. 10 ms at 24 MHz is 0xeb.
struct Timer {
  using Units = Field<30, 0>;
  using SourceGpuCounter = Bit<31>;  // ticks of the GPU clock, else of the system counter
};
inline constexpr unsigned kTimerShift = 10;
inline constexpr unsigned kProgressTimerShift = 10;

enum class HaltStatus : std::uint32_t { kOk = 0, kPanic = 0x4e, kWatchdog = 0x4f };

}  // namespace pantry::datasheet::glb
