// SPDX-License-Identifier: MIT
#include "gpu_emu/cs/memory_ops.h"

#include <atomic>
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
    const Translation head = run.translate(va, access);
    if (head.status != MemoryStatus::kOk) return head.status;
    head_ = head.host;
    head_bytes_ = head.bytes;
    if (head.bytes >= bytes) return MemoryStatus::kOk;
    const Translation tail = run.translate(va + head.bytes, access);
    tail_ = tail.host;
    return tail.status;
  }
  std::atomic_ref<std::uint32_t> word(std::uint64_t offset) const {
    std::uint8_t* const byte =
        offset < head_bytes_ ? head_ + offset : tail_ + (offset - head_bytes_);
    return std::atomic_ref<std::uint32_t>(*reinterpret_cast<std::uint32_t*>(byte));
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
  if ((mask & (mask + 1)) == 0) return;  // 0b0111 + 1 shares no bit with 0b0111
  const LoggedGaps bit = LoggedGaps{1} << static_cast<unsigned>(opcode);
  if ((run.logged_gaps & bit) != 0) return;
  run.logged_gaps |= bit;
  log_gap("gpu_emu/cs", "{} with holes in its mask {:#x}: taken as {}", name_of(opcode), mask,
          run.quirks.sparse_mask == Quirks::SparseMask::kPacked ? "packed" : "one word per bit");
}

// Calls `move(register, word of memory)` for each register of the mask.
template <class Op, class Move>
Step transfer(Execution& run, const Op& op, Access access, Move move) {
  const std::uint32_t mask = op.mask;
  if (mask == 0) return Step::kNext;
  const auto highest = static_cast<std::uint32_t>(std::bit_width(mask)) - 1;
  if (op.base.index + highest >= kStreamRegisters) {
    return run.fatal(Exception::kCsInstrInvalid, isa::encode(op));
  }
  const std::uint64_t address =
      run.get(op.address) + static_cast<std::uint64_t>(std::int64_t{op.offset});
  if (!is_aligned(address, 4)) return run.fault(Exception::kDataInvalidFault, address);

  const auto lowest = static_cast<std::uint32_t>(std::countr_zero(mask));
  const std::uint32_t first = place_of(run, mask, lowest);
  const std::uint32_t last = place_of(run, mask, highest);
  const std::uint64_t start = address + 4 * std::uint64_t{first};
  WordWindow window;
  const MemoryStatus status = window.open(run, start, 4 * std::uint64_t{last - first + 1}, access);
  if (status != MemoryStatus::kOk) return run.refused(status, start);

  warn_of_holes(run, Op::kOpcode, mask);
  for (std::uint32_t bits = mask; bits != 0; bits &= bits - 1) {
    const auto bit = static_cast<std::uint32_t>(std::countr_zero(bits));
    const std::uint32_t place = place_of(run, mask, bit) - first;
    move(run.state().registers[op.base.index + bit], window.word(4 * std::uint64_t{place}));
  }
  return Step::kNext;
}

}  // namespace

Step execute(Execution& run, const isa::LoadMultiple& op) {
  return transfer(run, op, Access::kRead,
                  [](std::uint32_t& value, std::atomic_ref<std::uint32_t> word) {
                    value = word.load(std::memory_order_relaxed);
                  });
}

Step execute(Execution& run, const isa::StoreMultiple& op) {
  return transfer(run, op, Access::kWrite,
                  [](std::uint32_t value, std::atomic_ref<std::uint32_t> word) {
                    word.store(value, std::memory_order_relaxed);
                  });
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
