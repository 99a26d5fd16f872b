// SPDX-License-Identifier: MIT
//
// The opcodes of command streams, bits 63:56 of a word, as architecture v10 defines them. Any other
// value is CS_INSTR_INVALID. Sources: [M] genxml, [I] IGT, [K].
#pragma once

#include <cstdint>

namespace pantry::datasheet::isa {

enum class Opcode : std::uint8_t {
  kNop = 0,
  kMove48 = 1,
  kMove32 = 2,
  kWait = 3,
  kRunCompute = 4,
  kRunTiling = 5,
  kRunIdvs = 6,
  kRunFragment = 7,
  kRunFullscreen = 8,
  kFinishTiling = 9,
  kFinishFragment = 11,
  kAddImm32 = 16,
  kAddImm64 = 17,
  kUmin32 = 18,
  kLoadMultiple = 20,
  kStoreMultiple = 21,
  kBranch = 22,
  kSetSbEntry = 23,
  kProgressWait = 24,
  kSetExceptionHandler = 25,
  kCall = 32,
  kJump = 33,
  kReqResource = 34,
  kFlushCache2 = 36,
  kSyncAdd32 = 37,
  kSyncSet32 = 38,
  kSyncWait32 = 39,
  kStoreState = 40,
  kProtRegion = 41,
  kProgressStore = 42,
  kProgressLoad = 43,
  kRunComputeIndirect = 44,
  kErrorBarrier = 47,
  kHeapSet = 48,
  kHeapOperation = 49,
  kTracePoint = 50,
  kSyncAdd64 = 51,
  kSyncSet64 = 52,
  kSyncWait64 = 53,
};

// "SYNC_ADD64"; "UNDEFINED" for a value without a name.
const char* name_of(Opcode opcode);

}  // namespace pantry::datasheet::isa
