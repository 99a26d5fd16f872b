// SPDX-License-Identifier: MIT
//
// For tests: one stream, or two of one group, on FlatMemory. A program is put into the ring or into
// a buffer that the ring calls.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "gpu_emu/cs/flat_memory.h"
#include "gpu_emu/cs/interpreter.h"
#include "gpu_emu/cs/scripted_services.h"
#include "gpu_emu/cs/unshared_endpoints.h"
#include "gpu_emu/datasheet/cs_instruction.h"

namespace pantry::emu {

namespace isa = datasheet::isa;

// A list of instructions of any type, as words.
using Program = std::vector<std::uint64_t>;
template <isa::InstructionType... I>
Program program(const I&... instructions) {
  return {isa::encode(instructions)...};
}
inline Program operator+(Program a, const Program& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
// Two MOVE32 build any 64-bit value; MOVE48 only those below 2^48.
inline Program set64(isa::Reg64 reg, std::uint64_t value) {
  return program(isa::Move32{.dst = reg.low(), .imm = static_cast<std::uint32_t>(value)},
                 isa::Move32{.dst = reg.high(), .imm = static_cast<std::uint32_t>(value >> 32)});
}

// What Panthor puts around a stream: 16 words, of which the last five are NOPs.
inline Program wrapped(std::uint32_t flush_id, GpuVa stream, std::uint32_t bytes, GpuVa sync) {
  using isa::d;
  using isa::r;
  constexpr auto kBoth = datasheet::CacheFlush::kCleanInvalidate;
  Program words = program(
      isa::Move32{.dst = r(94), .imm = flush_id},
      isa::FlushCache2{.l2 = kBoth,
                       .load_store = kBoth,
                       .other = datasheet::CacheFlush::kInvalidate,
                       .flush_id = r(94)},
      isa::Move48{.dst = d(92), .imm = stream.value}, isa::Move32{.dst = r(94), .imm = bytes},
      isa::Wait{.mask = {1}}, isa::Call{.address = d(92), .length = r(94)},
      isa::Move48{.dst = d(92), .imm = sync.value}, isa::Move48{.dst = d(94), .imm = 1},
      isa::Wait{.mask = isa::kAllScoreboards},
      isa::SyncAdd64{.address = d(92), .data = d(94), .error_propagate = true},
      isa::ErrorBarrier{});
  words.resize(16);
  return words;
}

class StreamRig {
 public:
  static constexpr AsIndex kAs{3};
  static constexpr GpuVa kRing{0x7f00'0000'0000};
  static constexpr GpuVa kOtherRing{0x7f00'0001'0000};
  static constexpr GpuVa kBuffer{0x100'0000};
  static constexpr GpuVa kData{0x200'0000};  // four pages
  static constexpr GpuVa kUnmapped{0x666'0000};
  static constexpr std::uint64_t kRingBytes = 4096;

  explicit StreamRig(const Quirks& device_quirks)
      : quirks(device_quirks), interpreter(quirks, memory, services, StreamPolicy::kAll) {
    prepare(stream, kRing);
    prepare(other, kOtherRing);
    peers = {&stream, &other, &idle, &idle, &idle, &idle, &idle, &idle};
    memory.map(kAs, kBuffer, 4 * kPageSize);
    memory.map(kAs, kData, 4 * kPageSize);
  }

  // Appends to the ring of `to`.
  void ring(Stream& to, const Program& words) {
    for (const std::uint64_t word : words) {
      memory.poke(kAs, to.ring_base + (to.insert & (to.ring_bytes - 1)), word);
      to.insert += 8;
    }
  }
  void ring(const Program& words) { ring(stream, words); }
  // Puts `words` at kBuffer and a CALL of it into the ring.
  void call(const Program& words) {
    memory.poke_words(kAs, kBuffer, words);
    ring(
        program(isa::Move48{.dst = isa::d(92), .imm = kBuffer.value},
                isa::Move32{.dst = isa::r(94), .imm = static_cast<std::uint32_t>(8 * words.size())},
                isa::Call{.address = isa::d(92), .length = isa::r(94)}));
  }

  StreamStop run(Stream& which, std::uint32_t limit) {
    const StreamStop stop = interpreter.run(which, peers, &extract_word, limit, services.time).stop;
    begin_endpoint_work(which, services.time);
    return stop;
  }
  StreamStop run() { return run(stream, 10'000); }

  std::uint32_t reg(unsigned index) const { return stream.state.registers[index]; }
  std::uint64_t reg64(unsigned index) const {
    return reg(index) | std::uint64_t{reg(index + 1)} << 32;
  }
  std::uint32_t data32(std::uint64_t offset) {
    return memory.peek<std::uint32_t>(kAs, kData + offset);
  }
  std::uint64_t data64(std::uint64_t offset) {
    return memory.peek<std::uint64_t>(kAs, kData + offset);
  }

  Quirks quirks;
  FlatMemory memory;
  ScriptedServices services;
  Interpreter interpreter;
  Stream stream;
  Stream other;
  Stream idle;
  StreamPeers peers;
  std::uint64_t extract_word = 0;

 private:
  void prepare(Stream& which, GpuVa base) {
    which.address_space = kAs;
    which.ring_base = base;
    which.ring_bytes = kRingBytes;
    memory.map(kAs, base, kRingBytes);
  }
};

}  // namespace pantry::emu
