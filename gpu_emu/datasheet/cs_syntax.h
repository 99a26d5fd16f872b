// SPDX-License-Identifier: MIT
//
// The notation of each instruction, said once for both directions (cs_text.h): `Io` is a writer,
// which appends what the operands are, or a reader, which finds them in a text.
//
// What an Io has: literal(text) stands there as it is. flag(bit, set, clear): one of two texts.
// choice(value, names, end): "." and the name of the value, and `end`. field(text, number): the
// number in decimal after `text`. hex(number), upper_hex(number) and decimal(number) do the same
// after "#". unless(usual, value, text): nothing, or `text` and the value when it is another one.
// reg(r), at(d, offset), list(base, mask): registers, an address and a row of registers.
#pragma once

#include <array>
#include <cstdint>

#include "gpu_emu/datasheet/cs_instruction.h"

namespace pantry::datasheet::isa {

template <class I>
inline constexpr const char* kMnemonic = nullptr;

// In the order of the values; null has no name.
using Names = std::array<const char*, 8>;
inline constexpr Names kFlushNames = {"nop", "clean", "invalidate", "clean_invalidate"};
inline constexpr Names kConditionNames = {"le", "gt", "eq", "ne", "lt", "ge", "always"};
inline constexpr Names kScopeNames = {"system", nullptr, "csg"};
inline constexpr Names kAxisNames = {"x_axis", "y_axis", "z_axis"};
inline constexpr Names kTileOrderNames = {"tile_order=zorder",
                                          "tile_order=horizontal",
                                          "tile_order=vertical",
                                          nullptr,
                                          nullptr,
                                          "tile_order=reverse_horizontal",
                                          "tile_order=reverse_vertical"};
inline constexpr Names kStateNames = {"timestamp", "cycle_count", "disjoint_count", "error_status"};
inline constexpr Names kHeapOperationNames = {"vt_start", "vt_end", nullptr, "frag_end"};

#define PANTRY_MNEMONIC_(type, text) \
  template <>                        \
  inline constexpr const char* kMnemonic<type> = text
PANTRY_MNEMONIC_(Nop, "NOP");
PANTRY_MNEMONIC_(Move48, "MOVE");
PANTRY_MNEMONIC_(Move32, "MOVE32");
PANTRY_MNEMONIC_(Wait, "WAIT");
PANTRY_MNEMONIC_(RunCompute, "RUN_COMPUTE");
PANTRY_MNEMONIC_(RunTiling, "RUN_TILING");
PANTRY_MNEMONIC_(RunIdvs, "RUN_IDVS");
PANTRY_MNEMONIC_(RunFragment, "RUN_FRAGMENT");
PANTRY_MNEMONIC_(RunFullscreen, "RUN_FULLSCREEN");
PANTRY_MNEMONIC_(FinishTiling, "FINISH_TILING");
PANTRY_MNEMONIC_(FinishFragment, "FINISH_FRAGMENT");
PANTRY_MNEMONIC_(AddImm32, "ADD_IMMEDIATE32");
PANTRY_MNEMONIC_(AddImm64, "ADD_IMMEDIATE64");
PANTRY_MNEMONIC_(Umin32, "UMIN32");
PANTRY_MNEMONIC_(LoadMultiple, "LOAD_MULTIPLE");
PANTRY_MNEMONIC_(StoreMultiple, "STORE_MULTIPLE");
PANTRY_MNEMONIC_(Branch, "BRANCH");
PANTRY_MNEMONIC_(SetSbEntry, "SET_SB_ENTRY");
PANTRY_MNEMONIC_(ProgressWait, "PROGRESS_WAIT");
PANTRY_MNEMONIC_(SetExceptionHandler, "SET_EXCEPTION_HANDLER");
PANTRY_MNEMONIC_(Call, "CALL");
PANTRY_MNEMONIC_(Jump, "JUMP");
PANTRY_MNEMONIC_(ReqResource, "REQ_RESOURCE");
PANTRY_MNEMONIC_(FlushCache2, "FLUSH_CACHE2");
PANTRY_MNEMONIC_(SyncAdd32, "SYNC_ADD32");
PANTRY_MNEMONIC_(SyncSet32, "SYNC_SET32");
PANTRY_MNEMONIC_(SyncWait32, "SYNC_WAIT32");
PANTRY_MNEMONIC_(StoreState, "STORE_STATE");
PANTRY_MNEMONIC_(ProtRegion, "PROT_REGION");
PANTRY_MNEMONIC_(ProgressStore, "PROGRESS_STORE");
PANTRY_MNEMONIC_(ProgressLoad, "PROGRESS_LOAD");
PANTRY_MNEMONIC_(RunComputeIndirect, "RUN_COMPUTE_INDIRECT");
PANTRY_MNEMONIC_(ErrorBarrier, "ERROR_BARRIER");
PANTRY_MNEMONIC_(HeapSet, "HEAP_SET");
PANTRY_MNEMONIC_(HeapOperation, "HEAP_OPERATION");
PANTRY_MNEMONIC_(TracePoint, "TRACE_POINT");
PANTRY_MNEMONIC_(SyncAdd64, "SYNC_ADD64");
PANTRY_MNEMONIC_(SyncSet64, "SYNC_SET64");
PANTRY_MNEMONIC_(SyncWait64, "SYNC_WAIT64");
#undef PANTRY_MNEMONIC_

// What follows the mnemonic.
template <class Io>
void syntax(Io& io, Nop& op) {
  io.unless(std::uint64_t{0}, op.ignored, " #0x");
}
template <class Io>
void syntax(Io& io, Move48& op) {
  io.literal(" ").reg(op.dst).literal(", ").upper_hex(op.imm);
}
template <class Io>
void syntax(Io& io, Move32& op) {
  io.literal(" ").reg(op.dst).literal(", ").upper_hex(op.imm);
}
template <class Io>
void syntax(Io& io, Wait& op) {
  io.flag(op.progress_increment, ".progress_inc", "").literal(" ").hex(op.mask.bits);
}

template <class Io, class Op>
void selects(Io& io, Op& op) {
  io.field(".srt", op.srt_select).field(".spd", op.spd_select);
  io.field(".tsd", op.tsd_select).field(".fau", op.fau_select).literal(" ");
}
template <class Io>
void syntax(Io& io, RunCompute& op) {
  io.flag(op.progress_increment, ".progress_inc", "").choice(op.task_axis, kAxisNames, "");
  selects(io, op);
  io.decimal(op.task_increment);
}
template <class Io>
void syntax(Io& io, RunComputeIndirect& op) {
  io.flag(op.progress_increment, ".progress_inc", "");
  selects(io, op);
  io.decimal(op.workgroups_per_task);
}
template <class Io>
void syntax(Io& io, RunTiling& op) {
  io.flag(op.progress_increment, ".progress_inc", "");
  selects(io, op);
  io.hex(op.flags_override);
}
template <class Io>
void syntax(Io& io, RunIdvs& op) {
  io.flag(op.progress_increment, ".progress_inc", "").flag(op.malloc_enable, "", ".no_malloc");
  io.flag(op.draw_id_enable, ".draw_id", "").field(".varying_srt", op.varying_srt_select);
  io.field(".varying_fau", op.varying_fau_select).field(".varying_tsd", op.varying_tsd_select);
  io.field(".frag_srt", op.fragment_srt_select).field(".frag_tsd", op.fragment_tsd_select);
  io.literal(" ").reg(op.draw_id).literal(", ").hex(op.flags_override);
}
template <class Io>
void syntax(Io& io, RunFragment& op) {
  io.flag(op.progress_increment, ".progress_inc", "").flag(op.enable_tem, ".enable_tem", "");
  io.choice(op.tile_order, kTileOrderNames, "");
}
template <class Io>
void syntax(Io& io, RunFullscreen& op) {
  io.flag(op.progress_increment, ".progress_inc", "").literal(" ").reg(op.dcd);
  io.literal(", ").hex(op.flags_override);
}
template <class Io>
void syntax(Io& io, FinishTiling& op) {
  io.flag(op.progress_increment, ".progress_inc", "");
}

// The end of whatever can be deferred.
template <class Io, class Op>
void deferral(Io& io, Op& op) {
  io.literal(", ").hex(op.wait.bits).literal(", ").decimal(op.signal.index);
}
template <class Io>
void syntax(Io& io, FinishFragment& op) {
  io.flag(op.increment_fragment_completed, ".frag_end", "").literal(" ").reg(op.last_chunk);
  io.literal(", ").reg(op.first_chunk);
  deferral(io, op);
}
template <class Io>
void syntax(Io& io, AddImm32& op) {
  io.literal(" ").reg(op.dst).literal(", ").reg(op.src).literal(", ").decimal(op.imm);
}
template <class Io>
void syntax(Io& io, AddImm64& op) {
  io.literal(" ").reg(op.dst).literal(", ").reg(op.src).literal(", ").decimal(op.imm);
}
template <class Io>
void syntax(Io& io, Umin32& op) {
  io.literal(" ").reg(op.dst).literal(", ").reg(op.src0).literal(", ").reg(op.src1);
}
template <class Io>
void syntax(Io& io, LoadMultiple& op) {
  io.literal(" ").list(op.base, op.mask).literal(", ").at(op.address, op.offset);
}
template <class Io>
void syntax(Io& io, StoreMultiple& op) {
  io.literal(" ").at(op.address, op.offset).literal(", ").list(op.base, op.mask);
}
template <class Io>
void syntax(Io& io, Branch& op) {
  io.choice(op.condition, kConditionNames, "").literal(" ").reg(op.value);
  io.literal(", ").decimal(op.offset);
}
template <class Io>
void syntax(Io& io, SetSbEntry& op) {
  io.literal(" ").decimal(op.endpoint.index).literal(", ").decimal(op.other.index);
}
template <class Io>
void syntax(Io& io, ProgressWait& op) {
  io.literal(" ").reg(op.source).literal(", ").decimal(op.queue);
}
template <class Io>
void syntax(Io& io, SetExceptionHandler& op) {
  io.unless(ExceptionHandlerKind::kTilerOom, op.kind, ".kind0x");
  io.literal(" ").reg(op.address).literal(", ").reg(op.length);
}
template <class Io>
void syntax(Io& io, Call& op) {
  io.literal(" ").reg(op.address).literal(", ").reg(op.length);
}
template <class Io>
void syntax(Io& io, Jump& op) {
  io.literal(" ").reg(op.address).literal(", ").reg(op.length);
}
template <class Io>
void syntax(Io& io, ReqResource& op) {
  io.flag(op.compute, ".compute", "").flag(op.fragment, ".fragment", "");
  io.flag(op.tiler, ".tiler", "").flag(op.idvs, ".idvs", "");
}
template <class Io>
void syntax(Io& io, FlushCache2& op) {
  io.choice(op.l2, kFlushNames, "_l2").choice(op.load_store, kFlushNames, "_lsc");
  io.choice(op.other, kFlushNames, "_other").literal(" ").reg(op.flush_id);
  deferral(io, op);
}
template <class Io, Opcode kCode, class Data>
void syntax(Io& io, SyncUpdate<kCode, Data>& op) {
  io.flag(op.error_propagate, ".error_propagate", "").choice(op.scope, kScopeNames, "");
  io.literal(" [").reg(op.address).literal("], ").reg(op.data);
  deferral(io, op);
}
template <class Io, Opcode kCode, class Data>
void syntax(Io& io, SyncWaitFor<kCode, Data>& op) {
  io.flag(op.error_reject, ".reject", "").choice(op.condition, kConditionNames, "");
  io.literal(" [").reg(op.address).literal("], ").reg(op.reference);
}
template <class Io>
void syntax(Io& io, StoreState& op) {
  io.choice(op.state, kStateNames, "").literal(" ").at(op.address, op.offset);
  deferral(io, op);
}
template <class Io>
void syntax(Io& io, ProtRegion& op) {
  io.literal(" ").decimal(op.words);
}
template <class Io>
void syntax(Io& io, ProgressStore& op) {
  io.literal(" ").reg(op.source);
}
template <class Io>
void syntax(Io& io, ProgressLoad& op) {
  io.literal(" ").reg(op.dst);
}
template <class Io>
void syntax(Io&, ErrorBarrier&) {}
template <class Io>
void syntax(Io& io, HeapSet& op) {
  io.literal(" ").reg(op.address);
}
template <class Io>
void syntax(Io& io, HeapOperation& op) {
  io.choice(op.kind, kHeapOperationNames, "").literal(" ").hex(op.wait.bits).literal(", ");
  io.decimal(op.signal.index);
}
template <class Io>
void syntax(Io& io, TracePoint& op) {
  io.literal(" ").reg(op.base).literal(", ").decimal(op.register_count);
  deferral(io, op);
}

}  // namespace pantry::datasheet::isa
