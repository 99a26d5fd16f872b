// SPDX-License-Identifier: MIT
//
// The register block of one MMU address space, and what its words mean. TRANSTAB, MEMATTR and
// TRANSCFG take effect only with the command UPDATE; a walk uses the committed copy. Sources: [K]
// Linux panthor, [B] Arm kbase. LOCKADDR has a header of its own (lock_region.h). Constants only.
#pragma once

#include <cstdint>

#include "base/check.h"
#include "gpu_emu/datasheet/exception.h"
#include "gpu_emu/datasheet/field.h"
#include "gpu_emu/datasheet/register.h"

namespace pantry::datasheet::address_space {

inline constexpr std::uint32_t kFirstBlock = 0x2400;
inline constexpr std::uint32_t kBlockBytes = 0x40;
inline constexpr std::uint32_t kMaxCount = 16;

// Offsets within a block.
// The root table; bits 3:0 are ignored in AArch64 mode. [K]
inline constexpr Register kTranstab = rw64(0x00, "AS_TRANSTAB");
// Eight attribute bytes: MemoryAttribute. [K]
inline constexpr Register kMemattr = rw64(0x08, "AS_MEMATTR");
// The region that LOCK and the flushes work on: lock_region.h. [K]
inline constexpr Register kLockaddr = rw64(0x10, "AS_LOCKADDR");
inline constexpr Register kCommand = wo32(0x18, "AS_COMMAND");          // a Command [K]
inline constexpr Register kFaultStatus = ro32(0x1c, "AS_FAULTSTATUS");  // latched: FaultStatus [K]
inline constexpr Register kFaultAddress = ro64(0x20, "AS_FAULTADDRESS");  // latched address [K]
inline constexpr Register kStatus = ro32(0x28, "AS_STATUS");              // Status [K]
inline constexpr Register kTranscfg = rw64(0x30, "AS_TRANSCFG");          // Transcfg [K]
inline constexpr Register kFaultExtra = ro64(0x38, "AS_FAULTEXTRA");  // implementation-defined [K]

// Where a register of address space `index` stands in the aperture:
// offset_of(1, kStatus) == 0x2468.
constexpr std::uint32_t offset_of(std::uint32_t index, Register reg) {
  PANTRY_CHECK(index < kMaxCount);
  return kFirstBlock + kBlockBytes * index + reg.offset;
}

// Any other value is ignored.
enum class Command : std::uint32_t {
  kNop = 0,
  kUpdate = 1,    // commit TRANSTAB, MEMATTR and TRANSCFG
  kLock = 2,      // new accesses to the region wait
  kUnlock = 3,    // drop the region's cached translations, release it, resume what waited
  kFlushPt = 4,   // flush the L2, drop the region's cached translations, release it
  kFlushMem = 5,  // wait for outstanding accesses, clean all caches, then as kFlushPt
};

struct Status {
  using Active = Bit<0>;          // a command is in progress
  using InternalActive = Bit<1>;  // newer parts [B]
};

struct FaultStatus {
  using Type = Field<7, 0, Exception>;
  using Access = Field<9, 8, AccessType>;
  using Decoder = Bit<10>;  // as Panthor prints it: decoder fault, else slave fault
  using SourceId = Field<31, 16>;
};

enum class AddressMode : std::uint8_t {
  kLegacy = 0,      // the format of Midgard and Bifrost: mali_lpae_pte.h
  kUnmapped = 1,    // every access faults
  kIdentity = 2,    // physical == virtual
  kAarch64_4k = 6,  // aarch64_pte.h
  kAarch64_64k = 8,
};

enum class WalkAttribute : std::uint8_t { kNonCacheable = 1, kWriteBack = 2 };
enum class WalkShareability : std::uint8_t { kNone = 0, kOuter = 2, kInner = 3 };

// 48-bit addresses are 0x4200'01c6, with coherent walks 0x6200'01c6; an unused address space has 1.
struct Transcfg {
  using Mode = Field<3, 0, AddressMode>;
  using InaBits = Field<10, 6>;  // 55 - bits of the virtual address; kbase leaves 0
  using OutaBits = Field<18, 14>;
  using SlConcat = Bit<22>;  // concatenated root tables
  using PtwMemattr = Field<25, 24, WalkAttribute>;
  using PtwShareability = Field<29, 28, WalkShareability>;
  using PtwReadAllocate = Bit<30>;
  using DisableHierarchicalAp = Bit<33>;
  using DisableAccessFlagFault = Bit<34>;
  using WriteImpliesXn = Bit<35>;
  using XReadable = Bit<36>;
};
inline constexpr std::uint32_t kInaBitsBase = 55;

// TRANSTAB in kLegacy mode.
struct LegacyTranstab {
  using Mode = Field<1, 0>;  // 3: a table
  using ReadInner = Bit<2>;
  using ShareOuter = Bit<4>;
};

// One byte of MEMATTR; byte n serves leaves whose attribute index is n.
enum class MemoryClass : std::uint8_t {
  kShared = 0,
  kNonCacheable = 1,
  kWriteBack = 2,
  kFault = 3
};
enum class MemorySharing : std::uint8_t {
  kMaliInner = 0,
  kCpuInner = 1,
  kCpuInnerShaderCoherent = 2
};
enum class MemoryAllocation : std::uint8_t { kImplementationDefined = 2, kExplicit = 3 };
struct MemoryAttribute {
  using WriteAllocate = Bit<0>;
  using ReadAllocate = Bit<1>;
  using Allocation = Field<3, 2, MemoryAllocation>;
  using Sharing = Field<5, 4, MemorySharing>;
  using Class = Field<7, 6, MemoryClass>;
};
// The attribute byte at `index`: memattr_byte(0x9f9f'9f9f'9c4c'9f4c, 1) == 0x9f.
constexpr std::uint8_t memattr_byte(std::uint64_t memattr, unsigned index) {
  PANTRY_CHECK(index < 8);
  return static_cast<std::uint8_t>(memattr >> (8 * index));
}

}  // namespace pantry::datasheet::address_space
