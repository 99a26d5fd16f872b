// SPDX-License-Identifier: MIT
//
// The fields of the GPU_CONTROL registers (gpu_control.h). Positions and values only: no state, no
// lock, no allocation.
#pragma once

#include <cstdint>

#include "gpu_emu/datasheet/cache_flush.h"
#include "gpu_emu/datasheet/exception.h"
#include "gpu_emu/datasheet/field.h"

namespace pantry::datasheet::gpu_control {

// GPU_ID. A G610 reads 0xa867'0005: architecture 10.8.6, product 7, version 0.0 status 5.
struct GpuId {
  using ArchMajor = Field<31, 28>;
  using ArchMinor = Field<27, 24>;
  using ArchRevision = Field<23, 20>;
  using ProductMajor = Field<19, 16>;
  using VersionMajor = Field<15, 12>;
  using VersionMinor = Field<11, 4>;
  using VersionStatus = Field<3, 0>;
};

struct L2Features {
  using LineLog2 = Field<7, 0>;  // bytes: 6 is a line of 64
  using WaysLog2 = Field<15, 8>;
  using SizeLog2 = Field<23, 16>;  // bytes
  using BusWidthLog2 = Field<31, 24>;
};

struct TilerFeatures {
  using BinSizeLog2 = Field<5, 0>;
  using MaxLevels = Field<11, 8>;
};

struct MemFeatures {
  using CoherentCoreGroup = Bit<0>;
  using L2SlicesMinus1 = Field<11, 8>;
};

struct MmuFeatures {
  using VaBits = Field<7, 0>;
  using PaBits = Field<15, 8>;
};

struct ThreadFeatures {
  using Registers = Field<21, 0>;
  using TaskQueueDepth = Field<31, 24>;
};

// CSF_ID. 0x040a'0412 is CSHW 1.0.10, MCU 1.1.2.
struct CsfId {
  using HwMajor = Field<31, 26>;
  using HwMinor = Field<25, 20>;
  using HwRevision = Field<19, 16>;
  using McuMajor = Field<15, 10>;
  using McuMinor = Field<9, 4>;
  using McuRevision = Field<3, 0>;
};

// Bits of GPU_IRQ_*. Panthor unmasks Fault, ProtectedFault, ResetCompleted and
// CleanCachesCompleted: 0x2'0103.
struct GpuIrq {
  using Fault = Bit<0>;
  using ProtectedFault = Bit<1>;
  using ResetCompleted = Bit<8>;
  using PowerChangedSingle = Bit<9>;
  using PowerChangedAll = Bit<10>;
  using CleanCachesCompleted = Bit<17>;
  using DoorbellMirror = Bit<18>;
  using McuStatusChanged = Bit<19>;
  using FlushPaRangeCompleted = Bit<20>;  // later architectures
};

enum class CommandType : std::uint8_t {
  kNop = 0,
  kReset = 1,             // payload: a ResetMode; completes with ResetCompleted
  kTime = 3,              // payload: a CycleCounter
  kFlushCaches = 4,       // payload: CommandFlush; completes with CleanCachesCompleted
  kSetProtectedMode = 5,  // shown in GPU_STATUS
  kFinishHalt = 6,
  kClearFault = 7,    // clears GPU_FAULT_STATUS and GPU_FAULT_ADDRESS
  kFlushPaRange = 8,  // later architectures; completes with FlushPaRangeCompleted
};

// GPU_COMMAND. Each completed flush advances LATEST_FLUSH. A soft reset is 0x101; clean L2 and LSC
// is 0x1104; clean and invalidate those and invalidate the other caches is 0x2'3304.
struct Command {
  using Type = Field<7, 0, CommandType>;
  using Payload = Field<31, 8>;
};

enum class ResetMode : std::uint8_t { kFast = 0, kSoft = 1, kHard = 2 };
enum class CycleCounter : std::uint8_t { kDisable = 0, kEnable = 1 };

// The whole command words of the types whose payload has an inside.
struct CommandReset {
  using Mode = Field<15, 8, ResetMode>;
};
struct CommandTime {
  using Counter = Field<15, 8, CycleCounter>;
};
struct CommandFlush {
  using L2 = Field<11, 8, CacheFlush>;
  using LoadStore = Field<15, 12, CacheFlush>;
  using Other = Field<19, 16, CacheFlush>;  // kNone or kInvalidate
};

struct GpuStatus {
  using GpuActive = Bit<0>;
  using PwrActive = Bit<1>;
  using PerfcntActive = Bit<2>;
  using PageFault = Bit<4>;
  using CycleCountActive = Bit<6>;
  using ProtectedModeActive = Bit<7>;
  using DebugEnabled = Bit<8>;
};

struct FaultStatus {
  using Type = Field<7, 0, Exception>;
  using Access = Field<9, 8, AccessType>;
  using AddressValid = Bit<10>;
  using JasidValid = Bit<11>;
  using Jasid = Field<15, 12>;
  using SourceId = Field<31, 16>;
};

struct CoherencyFeatures {
  using AceLite = Bit<0>;
  using Ace = Bit<1>;
};
enum class CoherencyProtocol : std::uint32_t { kAceLite = 0, kAce = 1, kNone = 31 };

enum class McuControl : std::uint32_t {
  kDisable = 0,
  kEnable = 1,
  kAuto = 2,  // enable, and enable again after a reset
};
enum class McuStatus : std::uint32_t { kDisabled = 0, kEnabled = 1, kHalted = 2, kFatal = 3 };

}  // namespace pantry::datasheet::gpu_control
