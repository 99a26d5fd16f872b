// SPDX-License-Identifier: MIT
//
// What an instruction sees while it is executed, and how it ends. Every instruction is a function
// `Step execute(Execution&, const isa::X&)` (register_ops.h, flow_ops.h, memory_ops.h, ...).
//
// The rule of all of them: translate every page first, change anything last. A Step other than
// kNext, kMoved and kFault means that nothing has changed but Stream::blocked, wait and exception,
// and that the instruction will be executed again from the beginning. No allocation.
#pragma once

#include <array>
#include <cstdint>

#include "gpu_emu/cs/device_services.h"
#include "gpu_emu/cs/stream.h"
#include "gpu_emu/cs/stream_policy.h"
#include "gpu_emu/datasheet/cs_operand.h"
#include "gpu_emu/mmu/gpu_memory.h"
#include "gpu_emu/quirks.h"

namespace pantry::emu {

enum class Step : std::uint8_t {
  kNext,     // done: on to the next instruction
  kMoved,    // done: the pc is already right
  kBlocked,  // Stream::blocked says why
  kStalled,  // memory
  kFault,    // done, with Stream::exception for CS_FAULT
  kFatal,    // Stream::exception for CS_FATAL
  kAborted,  // memory, for good; Stream::exception says where
};

// The streams of a group, by CS slot.
using StreamPeers = std::array<const Stream*, kStreamSlots>;

// Opcodes of which something has been logged, bit n for opcode n.
using LoggedGaps = std::uint64_t;

struct Execution {
  Stream& stream;
  const StreamPeers& peers;
  const Quirks& quirks;
  GpuMemory& memory;
  DeviceServices& services;
  LoggedGaps& logged_gaps;      // whose effect is missing
  LoggedGaps& logged_unknowns;  // that had bits without a meaning
  StreamPolicy policy;
  TimePoint now;
  HeldPage loads;   // where LOAD_MULTIPLE read last
  HeldPage stores;  // where STORE_MULTIPLE wrote last

  StreamState& state() const { return stream.state; }

  std::uint32_t get(datasheet::isa::Reg32 reg) const { return stream.state.registers[reg.index]; }
  std::uint64_t get(datasheet::isa::Reg64 reg) const {
    return get(reg.low()) | std::uint64_t{get(reg.high())} << 32;
  }
  void set(datasheet::isa::Reg32 reg, std::uint32_t value) const {
    stream.state.registers[reg.index] = value;
  }
  void set(datasheet::isa::Reg64 reg, std::uint64_t value) const {
    set(reg.low(), static_cast<std::uint32_t>(value));
    set(reg.high(), static_cast<std::uint32_t>(value >> 32));
  }

  Translation translate(std::uint64_t va, Access access) const {
    return memory.translate(stream.address_space, GpuVa{va}, access);
  }
  bool in_order() const { return quirks.overlap == Quirks::Overlap::kInOrder; }

  Step fatal(datasheet::Exception type, std::uint64_t info) const {
    stream.exception = {type, info};
    return Step::kFatal;
  }
  Step fault(datasheet::Exception type, std::uint64_t info) const {
    stream.exception = {type, info};
    return Step::kFault;
  }
  Step blocked(datasheet::cs::BlockedReason reason) const {
    stream.blocked = reason;
    return Step::kBlocked;
  }
  // Of a translation that is not kOk.
  Step refused(MemoryStatus status, std::uint64_t va) const {
    if (status == MemoryStatus::kStall) return Step::kStalled;
    stream.exception = {datasheet::Exception::kCsBusFault, va};
    return Step::kAborted;
  }
};

// Whether a wait mask may name what it names.
inline bool is_mask_allowed(const Execution& run, datasheet::isa::ScoreboardMask mask) {
  return run.quirks.high_wait_bits == Quirks::HighWaitBits::kIgnored ||
         (mask.bits & ~Scoreboard::kAllEntries) == 0;
}

}  // namespace pantry::emu
