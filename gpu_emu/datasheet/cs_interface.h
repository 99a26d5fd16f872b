// SPDX-License-Identifier: MIT
//
// The blocks of one command-stream slot of a group: control, input (host to firmware), output
// (firmware to host), and the two pages through which a queue's ring is fed. Offsets are from the
// start of each block; words are 32 bits unless marked (64). The kinds of request bits are those of
// glb_interface.h. Sources: [K], [B]. Constants only.
#pragma once

#include <cstdint>

#include "gpu_emu/datasheet/exception.h"
#include "gpu_emu/datasheet/field.h"
#include "gpu_emu/datasheet/offset.h"

namespace pantry::datasheet::cs {

namespace control {
inline constexpr Offset kFeatures = 0x00;  // fields: Features
inline constexpr Offset kInputVa = 0x04;   // MCU address of the input block
inline constexpr Offset kOutputVa = 0x08;  // MCU address of the output block
inline constexpr Offset kBytes = 0x0c;
}  // namespace control

namespace input {
inline constexpr Offset kReq = 0x00;            // fields: Request
inline constexpr Offset kConfig = 0x04;         // fields: Config
inline constexpr Offset kAckIrqMask = 0x0c;     // acknowledges and events that raise JOB_INT
inline constexpr Offset kRingbufBase = 0x10;    // (64) in the address space of the group
inline constexpr Offset kRingbufSize = 0x18;    // bytes, a power of two
inline constexpr Offset kHeapStart = 0x20;      // (64) the answer to TilerOom: a chunk word, or 0
inline constexpr Offset kHeapEnd = 0x28;        // (64) the same
inline constexpr Offset kRingbufInput = 0x30;   // (64) MCU address of the queue_input page
inline constexpr Offset kRingbufOutput = 0x38;  // (64) MCU address of the queue_output page
inline constexpr Offset kInstrConfig = 0x40;    // 3:0 JASID, 7:4 event size, 23:16 state
inline constexpr Offset kInstrbufSize = 0x44;
inline constexpr Offset kInstrbufBase = 0x48;       // (64)
inline constexpr Offset kInstrbufOffsetPtr = 0x50;  // (64)
inline constexpr Offset kBytes = 0x58;
}  // namespace input

namespace output {
inline constexpr Offset kAck = 0x00;                    // fields: Request
inline constexpr Offset kStatusCmdPtr = 0x40;           // (64) the current or blocked instruction
inline constexpr Offset kStatusWait = 0x48;             // fields: StatusWait
inline constexpr Offset kStatusReqResource = 0x4c;      // fields: Resources
inline constexpr Offset kStatusWaitSyncPtr = 0x50;      // (64)
inline constexpr Offset kStatusWaitSyncValue = 0x58;    // low half
inline constexpr Offset kStatusScoreboards = 0x5c;      // mask of entries that are not zero
inline constexpr Offset kStatusBlockedReason = 0x60;    // fields: BlockedReasonField
inline constexpr Offset kStatusWaitSyncValueHi = 0x64;  // high half
inline constexpr Offset kFault = 0x80;                  // fields: ExceptionWord
inline constexpr Offset kFatal = 0x84;                  // fields: ExceptionWord
inline constexpr Offset kFaultInfo = 0x88;              // (64)
inline constexpr Offset kFatalInfo = 0x90;              // (64)
inline constexpr Offset kHeapVtStart = 0xc0;
inline constexpr Offset kHeapVtEnd = 0xc4;
inline constexpr Offset kHeapFragEnd = 0xcc;
inline constexpr Offset kHeapAddress = 0xd0;  // (64) heap context
inline constexpr Offset kBytes = 0xd8;
}  // namespace output

// A page per queue that the host writes, and one that the firmware writes. Counters of bytes that
// only grow; the place in the ring is the counter modulo its size.
namespace queue_input {
inline constexpr Offset kInsert = 0x0;       // (64)
inline constexpr Offset kExtractInit = 0x8;  // (64) where a START begins
}  // namespace queue_input
namespace queue_output {
inline constexpr Offset kExtract = 0x0;  // (64)
inline constexpr Offset kActive = 0x8;   // bit 0
}  // namespace queue_output

// 0x0007'085f: 96 registers, 8 scoreboard entries, all three kinds of work.
struct Features {
  using WorkRegistersMinus1 = Field<7, 0>;
  using Scoreboards = Field<15, 8>;
  using Compute = Bit<16>;
  using Fragment = Bit<17>;
  using Tiler = Bit<18>;
};

enum class State : std::uint8_t { kStop = 0, kStart = 1 };

// CS_REQ and CS_ACK. Panthor starts a queue with 0x511.
struct Request {
  using StateField = Field<2, 0, State>;  // level
  using ExtractEvent = Bit<4>;
  // When the host wants to hear that the stream is idle; level.
  using IdleSyncWait = Bit<8>;
  using IdleProtmPending = Bit<9>;
  using IdleEmpty = Bit<10>;
  using IdleResourceReq = Bit<11>;
  using IdleSharedSbDec = Bit<12>;  // newer [B]
  // Events.
  using TilerOom = Bit<26>;
  using ProtmPending = Bit<27>;
  using Fatal = Bit<30>;
  using Fault = Bit<31>;

  // Everything that is not state or event: the acknowledge copies it.
  static constexpr std::uint32_t kMirroredMask = 0x0000'1f10;
  static constexpr std::uint32_t kEventMask = 0xcc00'0000;
};

struct Config {
  using Priority = Field<3, 0>;
  using DoorbellPage = Field<15, 8>;
};

enum class WaitSource : std::uint8_t { kNone = 0, kWait = 8 };
struct StatusWait {
  using ScoreboardMask = Field<15, 0>;
  using ScoreboardSource = Field<19, 16, WaitSource>;
  using SyncCondition = Field<27, 24>;  // the condition of the SYNC_WAIT: isa::SyncCondition
  using Progress = Bit<28>;
  using Protm = Bit<29>;
  using Sync64 = Bit<30>;
  using Sync = Bit<31>;
};

struct Resources {
  using Compute = Bit<0>;
  using Fragment = Bit<1>;
  using Tiler = Bit<2>;
  using Idvs = Bit<3>;
};

enum class BlockedReason : std::uint8_t {
  kUnblocked = 0,
  kScoreboardWait = 1,
  kProgressWait = 2,
  kSyncWait = 3,
  kDeferred = 4,
  kResource = 5,
  kFlush = 6,
};
using BlockedReasonField = Field<3, 0, BlockedReason>;

struct ExceptionWord {
  using Type = Field<7, 0, Exception>;
  using Data = Field<31, 8>;
};

}  // namespace pantry::datasheet::cs
