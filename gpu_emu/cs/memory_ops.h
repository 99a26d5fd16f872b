// SPDX-License-Identifier: MIT
//
// The instructions that move registers and state to and from memory. See execution.h for the rules.
//
// Words are moved with relaxed 32-bit atomics: a CPU may look at them meanwhile. They complete at
// once, which the scoreboard rules allow, or are deferred (Quirks::transfer_time). No allocation.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "base/sanitizer.h"
#include "gpu_emu/cs/execution.h"
#include "gpu_emu/datasheet/cs_data_instructions.h"
#include "gpu_emu/datasheet/cs_sync_instructions.h"

namespace pantry::emu {

// Deferrable (deferral.h).
Step execute(Execution& run, const datasheet::isa::StoreState& op);
Step execute(Execution& run, const datasheet::isa::TracePoint& op);

// --- How most transfers are done, inline: streams that copy consist of them

// Between a word of shared memory and registers; from const ones into memory.
template <class Word>
void move_word(std::uint8_t* shared, std::uint32_t* into) {
  const Word value =
      std::atomic_ref<Word>(*reinterpret_cast<Word*>(shared)).load(std::memory_order_relaxed);
  std::memcpy(into, &value, sizeof value);
}
template <class Word>
void move_word(std::uint8_t* shared, const std::uint32_t* from) {
  Word value;
  std::memcpy(&value, from, sizeof value);
  std::atomic_ref<Word>(*reinterpret_cast<Word*>(shared)).store(value, std::memory_order_relaxed);
}
// Four words. No compiler divides the access to memory, and no CPU of those that have such an
// instruction tears one of the words in it, which is all that is promised. ThreadSanitizer does not
// know that.
#if !PANTRY_THREAD_SANITIZER
using FourWords [[gnu::vector_size(16), gnu::may_alias]] = std::uint64_t;
inline void move_four_words(std::uint8_t* shared, std::uint32_t* into) {
  const FourWords words = *reinterpret_cast<const volatile FourWords*>(shared);
  std::memcpy(into, &words, sizeof words);
}
inline void move_four_words(std::uint8_t* shared, const std::uint32_t* from) {
  FourWords words;
  std::memcpy(&words, from, sizeof words);
  *reinterpret_cast<volatile FourWords*>(shared) = words;
}
#else
template <class Register>
void move_four_words(std::uint8_t* shared, Register* registers) {
  move_word<std::uint64_t>(shared, registers);
  move_word<std::uint64_t>(shared + 8, registers + 2);
}
#endif
// `count` words in a row, several at a time where they lie so, which is no less atomic.
template <class Register>
[[gnu::always_inline]] inline void move_row(std::uint8_t* shared, Register* registers,
                                            std::uint32_t count) {
  const auto place = reinterpret_cast<std::uintptr_t>(shared);
  if (count == 16 && is_aligned(place, 16)) [[likely]] {
#pragma GCC unroll 4
    for (std::uint32_t n = 0; n < 16; n += 4) move_four_words(shared + 4 * n, registers + n);
    return;
  }
  const bool is_at_pair = is_aligned(place, 8);
  std::uint32_t n = 0;
  if (!is_at_pair) move_word<std::uint32_t>(shared, registers), n = 1;
  for (; n + 2 <= count; n += 2) move_word<std::uint64_t>(shared + 4 * n, registers + n);
  if (n < count) move_word<std::uint32_t>(shared + 4 * n, registers + n);
}

// All of a transfer, whatever its mask and place, and what is wrong with either. By value, so that
// the quick way below needs no operands in memory.
Step transfer(Execution& run, datasheet::isa::LoadMultiple op);
Step transfer(Execution& run, datasheet::isa::StoreMultiple op);

inline std::uint32_t* registers_of(Execution& run, datasheet::isa::Reg32 base) {
  return run.state().registers.data() + base.index;
}
template <class Register>
[[gnu::always_inline]] inline HeldPage& held_for(Execution& run) {
  return std::is_const_v<Register> ? run.stores : run.loads;
}

template <class Register, class Op>
[[gnu::always_inline]] inline Step transfer_quickly(Execution& run, const Op& op) {
  // How far ahead the host is told. Streams that move much go upwards through it; past the end of
  // memory it is ignored.
  constexpr std::uint64_t kPrefetchBytes = 1024;
  const std::uint32_t mask = op.mask;
  const std::uint64_t address =
      run.get(op.address) + static_cast<std::uint64_t>(std::int64_t{op.offset});
  const auto count = static_cast<std::uint32_t>(std::bit_width(mask));
  const bool has_holes = (mask & (mask + 1)) != 0;  // 0b0111 + 1 shares no bit with 0b0111
  if (mask == 0 || has_holes || !is_aligned(address, 4) || op.base.index + count > kStreamRegisters)
      [[unlikely]]
    return transfer(run, op);
  Register* const registers = registers_of(run, op.base);
  std::uint8_t* const host =
      run.memory.use_held(held_for<Register>(run), GpuVa{address}, 4 * std::uint64_t{count});
  if (!host) [[unlikely]]
    return transfer(run, op);
  __builtin_prefetch(host + kPrefetchBytes, std::is_const_v<Register> ? 1 : 0);
  move_row(host, registers, count);
  return Step::kNext;
}

// Streams that copy have loads in a row and then stores in a row. Executes the ones of `Op` that
// lead the `limit` instructions at `code` and move 16 registers from or to the held page, and says
// how many those were; the next one takes the usual way, whatever it is. Each is fetched when its
// turn comes, since the one before may have written it.
template <class Register, class Op>
[[gnu::always_inline]] inline std::uint32_t transfer_in_a_row(Execution& run,
                                                              std::uint8_t* const code,
                                                              const std::uint32_t limit) {
  constexpr std::uint64_t kPrefetchBytes = 1024;  // as below
  constexpr std::uint32_t kCount = 16;
  constexpr std::uint64_t kBytes = 4 * kCount;
  // Of the word of such an instruction what is always the same.
  constexpr std::uint64_t kFixedBits = ~(Op::Layout::kMask & ~(std::uint64_t{0xffff} << 16));
  constexpr std::uint64_t kFixed = datasheet::isa::encode(Op{.mask = 0xffff});
  HeldPage& held = held_for<Register>(run);
  if (held.epoch != run.memory.epoch()) return 0;
  const std::uint64_t first = held.first;
  const std::uint64_t bytes = std::min<std::uint64_t>(held.bytes, kPageSize);
  std::uint8_t* const host = held.host;
  std::uint32_t* const all = run.state().registers.data();
  std::uint32_t done = 0;
  for (; done < limit; ++done) {
    auto& memory = *reinterpret_cast<std::uint64_t*>(code + std::uint64_t{8} * done);
    const std::uint64_t word =
        std::atomic_ref<std::uint64_t>(memory).load(std::memory_order_relaxed);
    if ((word & kFixedBits) != kFixed) break;
    const auto op = datasheet::isa::decode_as<Op>(word);
    if (!Op::Layout::are_operands_defined(op) || op.base.index + kCount > kStreamRegisters) break;
    const std::uint64_t inside =
        run.get(op.address) + static_cast<std::uint64_t>(std::int64_t{op.offset}) - first;
    if (inside >= bytes || bytes - inside < kBytes || !is_aligned(inside, 16)) break;
    std::uint8_t* const shared = host + inside;
    __builtin_prefetch(shared + kPrefetchBytes, std::is_const_v<Register> ? 1 : 0);
    move_row(shared, static_cast<Register*>(all + op.base.index), kCount);
  }
  if (done == 0) return 0;
  *held.last_used = *held.clock += done;
  *held.hits += done;
  return done;
}

[[gnu::always_inline]] inline Step execute(Execution& run, const datasheet::isa::LoadMultiple& op) {
  return transfer_quickly<std::uint32_t>(run, op);
}
[[gnu::always_inline]] inline Step execute(Execution& run,
                                           const datasheet::isa::StoreMultiple& op) {
  return transfer_quickly<const std::uint32_t>(run, op);
}

}  // namespace pantry::emu
