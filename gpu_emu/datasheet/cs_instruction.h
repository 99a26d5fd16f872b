// SPDX-License-Identifier: MIT
//
// Any instruction of a v10 command stream as a typed value, and what a word means. The structs are
// in cs_*_instructions.h; encode(const I&) and decode_as<I>(word) of a single one need only those.
// A value: no state, no lock, no allocation.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "gpu_emu/datasheet/cs_data_instructions.h"
#include "gpu_emu/datasheet/cs_flow_instructions.h"
#include "gpu_emu/datasheet/cs_heap_instructions.h"
#include "gpu_emu/datasheet/cs_run_instructions.h"
#include "gpu_emu/datasheet/cs_sync_instructions.h"

namespace pantry::datasheet::isa {

using Instruction =
    std::variant<Nop, Move48, Move32, Wait, RunCompute, RunTiling, RunIdvs, RunFragment,
                 RunFullscreen, FinishTiling, FinishFragment, AddImm32, AddImm64, Umin32,
                 LoadMultiple, StoreMultiple, Branch, SetSbEntry, ProgressWait, SetExceptionHandler,
                 Call, Jump, ReqResource, FlushCache2, SyncAdd32, SyncSet32, SyncWait32, StoreState,
                 ProtRegion, ProgressStore, ProgressLoad, RunComputeIndirect, ErrorBarrier, HeapSet,
                 HeapOperation, TracePoint, SyncAdd64, SyncSet64, SyncWait64>;

// nullopt for an opcode that v10 does not define. Operands are taken as they are: see
// are_operands_defined and unused_bits.
std::optional<Instruction> decode(std::uint64_t word);

std::uint64_t encode(const Instruction& instruction);

Opcode opcode_of(const Instruction& instruction);

// Whether every register exists, every pair is even, and every mode has a meaning; otherwise the
// hardware answers CS_INSTR_INVALID. LOAD_MULTIPLE and STORE_MULTIPLE must stay below r96 with all
// registers of their mask.
bool are_operands_defined(const Instruction& instruction);

// The bits of `word` that no operand of its opcode covers; 0 in what today's drivers write. All of
// them for an undefined opcode.
std::uint64_t unused_bits(std::uint64_t word);

}  // namespace pantry::datasheet::isa
