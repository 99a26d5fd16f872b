// SPDX-License-Identifier: MIT
#include "gpu_emu/cs/memory_ops.h"

#include <bit>

#include "base/log.h"
#include "gpu_emu/cs/deferral.h"
#include "gpu_emu/cs/gap.h"

namespace pantry::emu {
namespace {

namespace isa = datasheet::isa;
using datasheet::Exception;

// Up to 16 words in a row, which lie in one page or in two that need not be neighbours in DRAM.
class WordWindow {
 public:
  // `va` is a multiple of 4, `bytes` at most 64 and not 0.
  MemoryStatus open(const Execution& run, std::uint64_t va, std::uint64_t bytes, Access access) {
    return open_from(run, run.translate(va, access), va, bytes, access);
  }
  // The same when the translation of `va` is there already.
  MemoryStatus open_from(const Execution& run, const Translation& head, std::uint64_t va,
                         std::uint64_t bytes, Access access) {
    if (head.status != MemoryStatus::kOk) return head.status;
    head_ = head.host;
    head_bytes_ = head.bytes;
    if (head.bytes >= bytes) return MemoryStatus::kOk;
    const Translation tail = run.translate(va + head.bytes, access);
    tail_ = tail.host;
    return tail.status;
  }
  std::uint8_t* word(std::uint64_t offset) const {
    return offset < head_bytes_ ? head_ + offset : tail_ + (offset - head_bytes_);
  }

 private:
  std::uint8_t* head_ = nullptr;
  std::uint8_t* tail_ = nullptr;
  std::uint64_t head_bytes_ = 0;
};

// The place in memory, in words from the address, of the register that bit `bit` of the mask names.
std::uint32_t place_of(const Execution& run, std::uint32_t mask, std::uint32_t bit) {
  if (run.quirks.sparse_mask == Quirks::SparseMask::kWordPerBit) return bit;
  // For the mask 0b1011, bit 3 is the third word: popcount(0b011) == 2.
  return static_cast<std::uint32_t>(std::popcount(mask & ((1u << bit) - 1)));
}

// Sources disagree on what holes mean, so the log says when it matters.
void warn_of_holes(Execution& run, isa::Opcode opcode, std::uint32_t mask) {
  const LoggedGaps bit = LoggedGaps{1} << static_cast<unsigned>(opcode);
  if ((run.logged_gaps & bit) != 0) return;
  run.logged_gaps |= bit;
  log_gap("gpu_emu/cs", "{} with holes in its mask {:#x}: taken as {}", name_of(opcode), mask,
          run.quirks.sparse_mask == Quirks::SparseMask::kPacked ? "packed" : "one word per bit");
}

// `count` words from `address` on.
template <class Register>
Step transfer_row(Execution& run, std::uint64_t address, std::uint32_t count, Register* registers) {
  constexpr Access kAccess = std::is_const_v<Register> ? Access::kWrite : Access::kRead;
  const std::uint64_t bytes = 4 * std::uint64_t{count};
  const Translation head = run.memory.translate_held(run.stream.address_space, GpuVa{address},
                                                     kAccess, held_for<Register>(run));
  if (head.bytes >= bytes) {  // 0 when refused
    move_row(head.host, registers, count);
    return Step::kNext;
  }
  WordWindow window;
  const MemoryStatus status = window.open_from(run, head, address, bytes, kAccess);
  if (status != MemoryStatus::kOk) return run.refused(status, address);
  for (std::uint32_t n = 0; n < count; ++n)
    move_word<std::uint32_t>(window.word(4 * std::uint64_t{n}), registers + n);
  return Step::kNext;
}

// kNext, kStalled or kAborted. Pre: the operands were found good.
template <class Op, class Register>
Step transfer_now(Execution& run, const Op& op, std::uint64_t address, Register* registers) {
  constexpr Access kAccess = std::is_const_v<Register> ? Access::kWrite : Access::kRead;
  const std::uint32_t mask = op.mask;
  const auto highest = static_cast<std::uint32_t>(std::bit_width(mask)) - 1;
  if ((mask & (mask + 1)) == 0) return transfer_row(run, address, highest + 1, registers);

  const auto lowest = static_cast<std::uint32_t>(std::countr_zero(mask));
  const std::uint32_t first = place_of(run, mask, lowest);
  const std::uint32_t last = place_of(run, mask, highest);
  const std::uint64_t start = address + 4 * std::uint64_t{first};
  WordWindow window;
  const MemoryStatus status = window.open(run, start, 4 * std::uint64_t{last - first + 1}, kAccess);
  if (status != MemoryStatus::kOk) return run.refused(status, start);

  warn_of_holes(run, Op::kOpcode, mask);
  for (std::uint32_t bits = mask; bits != 0; bits &= bits - 1) {
    const auto bit = static_cast<std::uint32_t>(std::countr_zero(bits));
    const std::uint32_t place = place_of(run, mask, bit) - first;
    move_word<std::uint32_t>(window.word(4 * std::uint64_t{place}), registers + bit);
  }
  return Step::kNext;
}

template <class Op>
Step transfer_later(Execution& run, const Op& op, std::uint64_t address) {
  StreamState& state = run.state();
  if (state.deferred.full()) return run.blocked(datasheet::cs::BlockedReason::kDeferred);
  state.scoreboard.begin(state.other_entry);
  state.deferred.push({.word = isa::encode(op),
                       .address = address,
                       .data = state.other_entry,
                       .heap = 0,
                       .done_ns = (run.now + run.quirks.transfer_time).ns});
  return Step::kNext;
}

template <class Register, class Op>
Step transfer_any(Execution& run, const Op& op) {
  const std::uint32_t mask = op.mask;
  if (mask == 0) return Step::kNext;
  const auto count = static_cast<std::uint32_t>(std::bit_width(mask));
  if (op.base.index + count > kStreamRegisters) {
    return run.fatal(Exception::kCsInstrInvalid, isa::encode(op));
  }
  const std::uint64_t address =
      run.get(op.address) + static_cast<std::uint64_t>(std::int64_t{op.offset});
  if (!is_aligned(address, 4)) return run.fault(Exception::kDataInvalidFault, address);
  if (!run.in_order() && run.quirks.transfer_time.ns != 0) return transfer_later(run, op, address);
  Register* const registers = registers_of(run, op.base);
  return transfer_now(run, op, address, registers);
}

template <class Register, class Op>
Outcome perform_transfer(Execution& run, const Op& op, const DeferredOp& sampled) {
  Register* const registers = registers_of(run, op.base);
  // Nothing is held for who comes next: transfers that are issued must not take the quick way.
  const Step step = transfer_now(run, op, sampled.address, registers);
  held_for<Register>(run) = {};
  if (step == Step::kNext) return Outcome::kDone;
  return step == Step::kStalled ? Outcome::kStalled : Outcome::kAborted;
}

}  // namespace

Step transfer(Execution& run, isa::LoadMultiple op) { return transfer_any<std::uint32_t>(run, op); }
Step transfer(Execution& run, isa::StoreMultiple op) {
  return transfer_any<const std::uint32_t>(run, op);
}
Outcome perform(Execution& run, const isa::LoadMultiple& op, const DeferredOp& sampled) {
  return perform_transfer<std::uint32_t>(run, op, sampled);
}
Outcome perform(Execution& run, const isa::StoreMultiple& op, const DeferredOp& sampled) {
  return perform_transfer<const std::uint32_t>(run, op, sampled);
}

Step execute(Execution& run, const isa::StoreState& op) {
  return issue(run, op, run.get(op.address) + static_cast<std::uint64_t>(std::int64_t{op.offset}),
               0);
}

Outcome perform(Execution& run, const isa::StoreState& op, const DeferredOp& sampled) {
  if (!is_aligned(sampled.address, 8)) {
    return outcome_of_fault(run, Exception::kDataInvalidFault, sampled.address);
  }
  std::uint64_t value = 0;
  switch (op.state) {
    case isa::StateKind::kTimestamp:
      value = run.services.timestamp();
      break;
    case isa::StateKind::kCycleCount:
      value = run.services.cycle_count();
      break;
    case isa::StateKind::kDisjointCount:
      break;  // the clocks never jump here
    case isa::StateKind::kErrorStatus:
      value = run.state().in_error;
      break;
  }
  const MemoryStatus status =
      run.memory.store(run.stream.address_space, GpuVa{sampled.address}, value);
  if (status != MemoryStatus::kOk) return outcome_of_refusal(run, status, sampled.address);
  return Outcome::kDone;
}

Step execute(Execution& run, const isa::TracePoint& op) {
  if (op.base.index + std::uint32_t{op.register_count} > kStreamRegisters) {
    return run.fatal(Exception::kCsInstrInvalid, isa::encode(op));
  }
  return issue(run, op, 0, 0);
}

Outcome perform(Execution& run, const isa::TracePoint& op, const DeferredOp&) {
  log_gap_once(run, op.kOpcode, "instruction trace");
  return Outcome::kDone;
}

}  // namespace pantry::emu
