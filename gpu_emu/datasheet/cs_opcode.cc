// SPDX-License-Identifier: MIT
#include "gpu_emu/datasheet/cs_opcode.h"

namespace pantry::datasheet::isa {

const char* name_of(Opcode opcode) {
  switch (opcode) {
    case Opcode::kNop:
      return "NOP";
    case Opcode::kMove48:
      return "MOVE48";
    case Opcode::kMove32:
      return "MOVE32";
    case Opcode::kWait:
      return "WAIT";
    case Opcode::kRunCompute:
      return "RUN_COMPUTE";
    case Opcode::kRunTiling:
      return "RUN_TILING";
    case Opcode::kRunIdvs:
      return "RUN_IDVS";
    case Opcode::kRunFragment:
      return "RUN_FRAGMENT";
    case Opcode::kRunFullscreen:
      return "RUN_FULLSCREEN";
    case Opcode::kFinishTiling:
      return "FINISH_TILING";
    case Opcode::kFinishFragment:
      return "FINISH_FRAGMENT";
    case Opcode::kAddImm32:
      return "ADD_IMM32";
    case Opcode::kAddImm64:
      return "ADD_IMM64";
    case Opcode::kUmin32:
      return "UMIN32";
    case Opcode::kLoadMultiple:
      return "LOAD_MULTIPLE";
    case Opcode::kStoreMultiple:
      return "STORE_MULTIPLE";
    case Opcode::kBranch:
      return "BRANCH";
    case Opcode::kSetSbEntry:
      return "SET_SB_ENTRY";
    case Opcode::kProgressWait:
      return "PROGRESS_WAIT";
    case Opcode::kSetExceptionHandler:
      return "SET_EXCEPTION_HANDLER";
    case Opcode::kCall:
      return "CALL";
    case Opcode::kJump:
      return "JUMP";
    case Opcode::kReqResource:
      return "REQ_RESOURCE";
    case Opcode::kFlushCache2:
      return "FLUSH_CACHE2";
    case Opcode::kSyncAdd32:
      return "SYNC_ADD32";
    case Opcode::kSyncSet32:
      return "SYNC_SET32";
    case Opcode::kSyncWait32:
      return "SYNC_WAIT32";
    case Opcode::kStoreState:
      return "STORE_STATE";
    case Opcode::kProtRegion:
      return "PROT_REGION";
    case Opcode::kProgressStore:
      return "PROGRESS_STORE";
    case Opcode::kProgressLoad:
      return "PROGRESS_LOAD";
    case Opcode::kRunComputeIndirect:
      return "RUN_COMPUTE_INDIRECT";
    case Opcode::kErrorBarrier:
      return "ERROR_BARRIER";
    case Opcode::kHeapSet:
      return "HEAP_SET";
    case Opcode::kHeapOperation:
      return "HEAP_OPERATION";
    case Opcode::kTracePoint:
      return "TRACE_POINT";
    case Opcode::kSyncAdd64:
      return "SYNC_ADD64";
    case Opcode::kSyncSet64:
      return "SYNC_SET64";
    case Opcode::kSyncWait64:
      return "SYNC_WAIT64";
  }
  return "UNDEFINED";
}

}  // namespace pantry::datasheet::isa
