// SPDX-License-Identifier: MIT
#include "gpu_emu/datasheet/exception.h"

namespace pantry::datasheet {

const char* name_of(AccessType access) {
  switch (access) {
    case AccessType::kAtomic:
      return "atomic";
    case AccessType::kExecute:
      return "execute";
    case AccessType::kRead:
      return "read";
    case AccessType::kWrite:
      return "write";
  }
  return "unknown";
}

const char* name_of(Exception code) {
  switch (code) {
    case Exception::kOk:
      return "OK";
    case Exception::kTerminated:
      return "TERMINATED";
    case Exception::kKaboom:
      return "KABOOM";
    case Exception::kEureka:
      return "EUREKA";
    case Exception::kActive:
      return "ACTIVE";
    case Exception::kCsResourceTerm:
      return "CS_RES_TERM";
    case Exception::kCsConfigFault:
      return "CS_CONFIG_FAULT";
    case Exception::kCsUnrecoverable:
      return "CS_UNRECOVERABLE";
    case Exception::kCsEndpointFault:
      return "CS_ENDPOINT_FAULT";
    case Exception::kCsBusFault:
      return "CS_BUS_FAULT";
    case Exception::kCsInstrInvalid:
      return "CS_INSTR_INVALID";
    case Exception::kCsCallStackOverflow:
      return "CS_CALL_STACK_OVERFLOW";
    case Exception::kCsInheritFault:
      return "CS_INHERIT_FAULT";
    case Exception::kInstrInvalidPc:
      return "INSTR_INVALID_PC";
    case Exception::kInstrInvalidEnc:
      return "INSTR_INVALID_ENC";
    case Exception::kInstrBarrierFault:
      return "INSTR_BARRIER_FAULT";
    case Exception::kDataInvalidFault:
      return "DATA_INVALID_FAULT";
    case Exception::kTileRangeFault:
      return "TILE_RANGE_FAULT";
    case Exception::kAddrRangeFault:
      return "ADDR_RANGE_FAULT";
    case Exception::kImpreciseFault:
      return "IMPRECISE_FAULT";
    case Exception::kOom:
      return "OOM";
    case Exception::kCsfFwInternalError:
      return "CSF_FW_INTERNAL_ERROR";
    case Exception::kCsfResEvictionTimeout:
      return "CSF_RES_EVICTION_TIMEOUT";
    case Exception::kGpuBusFault:
      return "GPU_BUS_FAULT";
    case Exception::kGpuShareabilityFault:
      return "GPU_SHAREABILITY_FAULT";
    case Exception::kSystemShareabilityFault:
      return "SYS_SHAREABILITY_FAULT";
    case Exception::kGpuCacheabilityFault:
      return "GPU_CACHEABILITY_FAULT";
    case Exception::kTranslationFault0:
      return "TRANSLATION_FAULT_0";
    case Exception::kTranslationFault1:
      return "TRANSLATION_FAULT_1";
    case Exception::kTranslationFault2:
      return "TRANSLATION_FAULT_2";
    case Exception::kTranslationFault3:
      return "TRANSLATION_FAULT_3";
    case Exception::kTranslationFault4:
      return "TRANSLATION_FAULT_4";
    case Exception::kPermissionFault0:
      return "PERM_FAULT_0";
    case Exception::kPermissionFault1:
      return "PERM_FAULT_1";
    case Exception::kPermissionFault2:
      return "PERM_FAULT_2";
    case Exception::kPermissionFault3:
      return "PERM_FAULT_3";
    case Exception::kAccessFlag0:
      return "ACCESS_FLAG_0";
    case Exception::kAccessFlag1:
      return "ACCESS_FLAG_1";
    case Exception::kAccessFlag2:
      return "ACCESS_FLAG_2";
    case Exception::kAccessFlag3:
      return "ACCESS_FLAG_3";
    case Exception::kAddressSizeFaultIn:
      return "ADDR_SIZE_FAULT_IN";
    case Exception::kAddressSizeFaultOut0:
      return "ADDR_SIZE_FAULT_OUT0";
    case Exception::kAddressSizeFaultOut1:
      return "ADDR_SIZE_FAULT_OUT1";
    case Exception::kAddressSizeFaultOut2:
      return "ADDR_SIZE_FAULT_OUT2";
    case Exception::kAddressSizeFaultOut3:
      return "ADDR_SIZE_FAULT_OUT3";
    case Exception::kMemoryAttributeFault0:
      return "MEM_ATTR_FAULT_0";
    case Exception::kMemoryAttributeFault1:
      return "MEM_ATTR_FAULT_1";
    case Exception::kMemoryAttributeFault2:
      return "MEM_ATTR_FAULT_2";
    case Exception::kMemoryAttributeFault3:
      return "MEM_ATTR_FAULT_3";
  }
  return "UNKNOWN";
}

}  // namespace pantry::datasheet
