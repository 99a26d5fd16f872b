// SPDX-License-Identifier: MIT

#include "igt_tests/lib/assembler.h"

#include <cstdlib>

namespace gpu {
namespace {

// Opcodes, in bits 63:56.
enum Opcode : unsigned {
  kNop = 0,
  kMove48 = 1,
  kMove32 = 2,
  kWait = 3,
  kRunIdvs = 6,
  kFinishTiling = 9,
  kFinishFragment = 11,
  kAddImmediate32 = 16,
  kAddImmediate64 = 17,
  kUmin32 = 18,
  kLoadMultiple = 20,
  kStoreMultiple = 21,
  kBranch = 22,
  kSetScoreboardEntry = 23,
  kSetExceptionHandler = 25,
  kCall = 32,
  kJump = 33,
  kReqResource = 34,
  kFlushCache2 = 36,
  kSyncAdd32 = 37,
  kSyncSet32 = 38,
  kSyncWait32 = 39,
  kStoreState = 40,
  kErrorBarrier = 47,
  kHeapSet = 48,
  kHeapOperation = 49,
  kSyncAdd64 = 51,
  kSyncSet64 = 52,
  kSyncWait64 = 53,
};

constexpr uint64_t kFlushCleanInvalidate = 3;
constexpr uint64_t kFlushInvalidate = 2;
constexpr uint64_t kTilerOomHandler = 2;

constexpr unsigned kAddress = 64;   // r64:65
constexpr unsigned kAddress2 = 66;  // r66:67
constexpr unsigned kValue = 68;     // r68
constexpr unsigned kFlushId = 70;   // r70
constexpr unsigned kFlushScoreboard = 1;

constexpr uint64_t op(unsigned opcode) { return static_cast<uint64_t>(opcode) << 56; }
constexpr uint64_t at(unsigned bit, uint64_t value) { return value << bit; }
constexpr uint64_t low16(int16_t value) { return static_cast<uint16_t>(value); }

}  // namespace

Assembler& Assembler::word(uint64_t raw) {
  words_.push_back(raw);
  return *this;
}

Assembler& Assembler::nop() { return word(op(kNop)); }

Assembler& Assembler::move48(unsigned reg, uint64_t value) {
  return word(op(kMove48) | at(48, reg) | (value & 0xFFFF'FFFF'FFFF));
}

Assembler& Assembler::move32(unsigned reg, uint32_t value) {
  return word(op(kMove32) | at(48, reg) | value);
}

Assembler& Assembler::move64(unsigned reg, uint64_t value) {
  return move32(reg, static_cast<uint32_t>(value))
      .move32(reg + 1, static_cast<uint32_t>(value >> 32));
}

Assembler& Assembler::add32(unsigned dst, unsigned src, int32_t value) {
  return word(op(kAddImmediate32) | at(48, dst) | at(40, src) | static_cast<uint32_t>(value));
}

Assembler& Assembler::add64(unsigned dst, unsigned src, int32_t value) {
  return word(op(kAddImmediate64) | at(48, dst) | at(40, src) | static_cast<uint32_t>(value));
}

Assembler& Assembler::umin32(unsigned dst, unsigned a, unsigned b) {
  return word(op(kUmin32) | at(48, dst) | at(40, a) | at(32, b));
}

Assembler& Assembler::load(unsigned reg, unsigned count, unsigned address_reg, int16_t offset) {
  return word(op(kLoadMultiple) | at(48, reg) | at(40, address_reg) |
              at(16, (uint64_t{1} << count) - 1) | low16(offset));
}

Assembler& Assembler::store(unsigned reg, unsigned count, unsigned address_reg, int16_t offset) {
  return word(op(kStoreMultiple) | at(48, reg) | at(40, address_reg) |
              at(16, (uint64_t{1} << count) - 1) | low16(offset));
}

Assembler& Assembler::wait(uint8_t scoreboard_mask) {
  return word(op(kWait) | at(16, scoreboard_mask));
}

Assembler& Assembler::select_scoreboards(unsigned endpoint, unsigned other) {
  return word(op(kSetScoreboardEntry) | endpoint | at(4, other));
}

Assembler& Assembler::branch_back(Condition condition, unsigned reg, size_t target) {
  // Counted from the word behind the branch: to itself is -1.
  const auto distance =
      static_cast<int16_t>(static_cast<int64_t>(target) - static_cast<int64_t>(here()) - 1);
  return word(op(kBranch) | at(40, reg) | at(28, static_cast<uint64_t>(condition)) |
              low16(distance));
}

Assembler::Fixup Assembler::branch_forward(Condition condition, unsigned reg) {
  word(op(kBranch) | at(40, reg) | at(28, static_cast<uint64_t>(condition)));
  return words_.size() - 1;
}

void Assembler::land(Fixup fixup) {
  words_[fixup] |= low16(static_cast<int16_t>(words_.size() - fixup - 1));
}

Assembler& Assembler::call(unsigned address_reg, unsigned length_reg) {
  return word(op(kCall) | at(40, address_reg) | at(32, length_reg));
}

Assembler& Assembler::jump(unsigned address_reg, unsigned length_reg) {
  return word(op(kJump) | at(40, address_reg) | at(32, length_reg));
}

Assembler& Assembler::flush_cache(unsigned id_reg, unsigned signal_scoreboard) {
  return word(op(kFlushCache2) | at(48, signal_scoreboard) | at(40, id_reg) |
              at(8, kFlushInvalidate) | at(4, kFlushCleanInvalidate) | kFlushCleanInvalidate);
}

Assembler& Assembler::sync(unsigned opcode, unsigned address_reg, unsigned value_reg,
                           SyncScope scope) {
  return word(op(opcode) | at(40, address_reg) | at(32, value_reg) |
              at(1, static_cast<uint64_t>(scope)));
}

Assembler& Assembler::sync_add32(unsigned address_reg, unsigned value_reg, SyncScope scope) {
  return sync(kSyncAdd32, address_reg, value_reg, scope);
}
Assembler& Assembler::sync_add64(unsigned address_reg, unsigned value_reg, SyncScope scope) {
  return sync(kSyncAdd64, address_reg, value_reg, scope);
}
Assembler& Assembler::sync_set32(unsigned address_reg, unsigned value_reg, SyncScope scope) {
  return sync(kSyncSet32, address_reg, value_reg, scope);
}
Assembler& Assembler::sync_set64(unsigned address_reg, unsigned value_reg, SyncScope scope) {
  return sync(kSyncSet64, address_reg, value_reg, scope);
}

Assembler& Assembler::sync_wait(unsigned opcode, WaitUntil until, unsigned address_reg,
                                unsigned reference_reg) {
  // Bit 0 (reject) is left clear: an error in the object is inherited.
  return word(op(opcode) | at(40, address_reg) | at(32, reference_reg) |
              at(28, static_cast<uint64_t>(until)));
}

Assembler& Assembler::sync_wait32(WaitUntil until, unsigned address_reg, unsigned reference_reg) {
  return sync_wait(kSyncWait32, until, address_reg, reference_reg);
}
Assembler& Assembler::sync_wait64(WaitUntil until, unsigned address_reg, unsigned reference_reg) {
  return sync_wait(kSyncWait64, until, address_reg, reference_reg);
}

Assembler& Assembler::store_state(State state, unsigned address_reg, int16_t offset) {
  return word(op(kStoreState) | at(40, address_reg) | at(32, static_cast<uint64_t>(state)) |
              low16(offset));
}

Assembler& Assembler::error_barrier() { return word(op(kErrorBarrier)); }

Assembler& Assembler::request_idvs() { return word(op(kReqResource) | at(3, 1)); }
Assembler& Assembler::release_endpoints() { return word(op(kReqResource)); }
Assembler& Assembler::run_idvs() { return word(op(kRunIdvs)); }
Assembler& Assembler::finish_tiling() { return word(op(kFinishTiling)); }
Assembler& Assembler::heap_set(unsigned address_reg) {
  return word(op(kHeapSet) | at(40, address_reg));
}
Assembler& Assembler::heap_operation(Pass pass) {
  return word(op(kHeapOperation) | at(32, static_cast<uint64_t>(pass)));
}
Assembler& Assembler::finish_fragment(unsigned first_reg, unsigned last_reg) {
  return word(op(kFinishFragment) | at(40, first_reg) | at(32, last_reg) | 1);
}
Assembler& Assembler::set_exception_handler(unsigned address_reg, unsigned length_reg) {
  return word(op(kSetExceptionHandler) | at(40, address_reg) | at(32, length_reg) |
              kTilerOomHandler);
}

Assembler& Assembler::store_value(uint64_t va, uint32_t value) {
  return move48(kAddress, va).move32(kValue, value).store(kValue, 1, kAddress, 0).wait_all();
}

Assembler& Assembler::store_register(uint64_t va, unsigned reg) {
  return move48(kAddress, va).store(reg, 1, kAddress, 0).wait_all();
}

Assembler& Assembler::copy_word(uint64_t destination, uint64_t source) {
  move48(kAddress, source).load(kValue, 1, kAddress, 0).wait_all();
  return move48(kAddress2, destination).store(kValue, 1, kAddress2, 0).wait_all();
}

Assembler& Assembler::publish() {
  return wait_all().move32(kFlushId, 0).flush_cache(kFlushId, kFlushScoreboard).wait_all();
}

}  // namespace gpu
