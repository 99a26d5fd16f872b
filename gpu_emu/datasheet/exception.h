// SPDX-License-Identifier: MIT
//
// The exception codes that FAULTSTATUS of an address space, GPU_FAULT_STATUS, CS_FAULT and CS_FATAL
// share, and the kind of access that failed. Source: [K]. Constants only; names are static strings.
#pragma once

#include <cstdint>

#include "base/check.h"

namespace pantry::datasheet {

// Bits 9:8 of FAULTSTATUS, of an address space or of the GPU.
enum class AccessType : std::uint8_t { kAtomic = 0, kExecute = 1, kRead = 2, kWrite = 3 };

// "atomic", "execute", "read", "write".
const char* name_of(AccessType access);

enum class Exception : std::uint8_t {
  // States of a stream, not faults. kKaboom and kCsResourceTerm can still show up in CS_FAULT.
  kOk = 0x00,
  kTerminated = 0x04,
  kKaboom = 0x05,
  kEureka = 0x06,
  kActive = 0x08,
  kCsResourceTerm = 0x0f,

  kCsConfigFault = 0x40,        // CS_FATAL: bad configuration of the CS slot
  kCsUnrecoverable = 0x41,      // CS_FATAL: the driver resets the GPU
  kCsEndpointFault = 0x44,      // CS_FATAL
  kCsBusFault = 0x48,           // CS_FATAL or CS_FAULT: a memory access of the stream failed
  kCsInstrInvalid = 0x49,       // CS_FATAL: undefined opcode or operand
  kCsCallStackOverflow = 0x4a,  // CS_FATAL
  kCsInheritFault = 0x4b,       // CS_FAULT: a SYNC_WAIT inherited an error

  kInstrInvalidPc = 0x50,  // shaders
  kInstrInvalidEnc = 0x51,
  kInstrBarrierFault = 0x55,

  kDataInvalidFault = 0x58,  // CS_FAULT
  kTileRangeFault = 0x59,
  kAddrRangeFault = 0x5a,
  kImpreciseFault = 0x5b,
  kOom = 0x60,

  kCsfFwInternalError = 0x68,  // CS_FATAL
  kCsfResEvictionTimeout = 0x69,

  kGpuBusFault = 0x80,  // GPU_FAULT_STATUS
  kGpuShareabilityFault = 0x88,
  kSystemShareabilityFault = 0x89,
  kGpuCacheabilityFault = 0x8a,

  // Address spaces; level n of a walk is level 0 plus n (at_level).
  kTranslationFault0 = 0xc0,
  kTranslationFault1 = 0xc1,
  kTranslationFault2 = 0xc2,
  kTranslationFault3 = 0xc3,
  kTranslationFault4 = 0xc4,
  kPermissionFault0 = 0xc8,
  kPermissionFault1 = 0xc9,
  kPermissionFault2 = 0xca,
  kPermissionFault3 = 0xcb,
  kAccessFlag0 = 0xd8,  // no leaf stands at level 0, so only 1 to 3 occur
  kAccessFlag1 = 0xd9,
  kAccessFlag2 = 0xda,
  kAccessFlag3 = 0xdb,
  kAddressSizeFaultIn = 0xe0,
  kAddressSizeFaultOut0 = 0xe4,
  kAddressSizeFaultOut1 = 0xe5,
  kAddressSizeFaultOut2 = 0xe6,
  kAddressSizeFaultOut3 = 0xe7,
  kMemoryAttributeFault0 = 0xe8,
  kMemoryAttributeFault1 = 0xe9,
  kMemoryAttributeFault2 = 0xea,
  kMemoryAttributeFault3 = 0xeb,
};

// Codes up to 0x3f describe a state.
constexpr bool is_fault(Exception code) { return static_cast<std::uint8_t>(code) > 0x3f; }

// at_level(Exception::kTranslationFault0, 2) == Exception::kTranslationFault2
constexpr Exception at_level(Exception level0, unsigned level) {
  PANTRY_CHECK(level < 4);
  return static_cast<Exception>(static_cast<unsigned>(level0) + level);
}

// "TRANSLATION_FAULT_2", or "UNKNOWN" for a code without a name.
const char* name_of(Exception code);

}  // namespace pantry::datasheet
