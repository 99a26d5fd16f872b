// SPDX-License-Identifier: MIT
//
// That transfers in a row, which the interpreter takes in one go from and to pages that it holds,
// change nothing but time: on an MMU whose pages are held and on one whose are not (since it is
// watched) any stream does the same, counts the same and has the same small TLB drop the same
// entries.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <memory>
#include <random>

#include "gpu_emu/cs/interpreter.h"
#include "gpu_emu/cs/scripted_services.h"
#include "gpu_emu/cs/stream_fixture.h"
#include "gpu_emu/mmu/blind_watch.h"
#include "gpu_emu/mmu/mmu_rig.h"

namespace pantry::emu {
namespace {

using isa::d;
using isa::r;
using Random = std::mt19937_64;

constexpr std::uint8_t kAs = 1;
constexpr GpuVa kRing{0x7f00'0000'0000};
constexpr GpuVa kCode{0x7f00'0010'0000};  // two pages
constexpr GpuVa kData{0x40'0020'0000};    // four pages of a block, then nothing
constexpr std::uint64_t kDataBytes = 4 * kPageSize;
constexpr std::uint64_t kRingFrame = SparseMemory::kBase + 0x1000'0000;
constexpr std::uint64_t kCodeFrame = kRingFrame + 8 * kPageSize;
constexpr std::uint64_t kDataFrame = kRingFrame + 0x20'0000;

std::uint64_t below(Random& random, std::uint64_t limit) { return random() % limit; }

// Most are whole, in line and one after another; some are each thing that ends a row.
Program any_program(Random& random, std::size_t size) {
  Program words;
  while (words.size() < size) {
    const auto address = d(80 + 2 * static_cast<unsigned>(below(random, 3)));
    const std::uint64_t what = below(random, 40);
    if (what == 0) {
      words.push_back(
          isa::encode(isa::AddImm64{.dst = address,
                                    .src = address,
                                    .imm = static_cast<std::int32_t>(below(random, 512)) * 4}));
      continue;
    }
    if (what == 1) {
      words.push_back(isa::encode(isa::Wait{.mask = isa::kAllScoreboards}));
      continue;
    }
    const bool loads = below(random, 2) == 0;
    for (std::uint64_t n = 1 + below(random, 5); n != 0; --n) {
      // r65 and above reach into the addresses, of which memory has good ones; r81 is past the end.
      const auto base = below(random, 12) == 0 ? 64 + below(random, 18) : below(random, 65);
      const auto mask = static_cast<std::uint16_t>(below(random, 12) == 0 ? random() : 0xffff);
      const auto offset = static_cast<std::int16_t>(
          below(random, 12) == 0 ? static_cast<int>(below(random, 0x2000)) - 0x1000
                                 : static_cast<int>(16 * below(random, 256)));
      const auto reg = r(static_cast<unsigned>(base));
      std::uint64_t word = loads ? isa::encode(isa::LoadMultiple{reg, address, mask, offset})
                                 : isa::encode(isa::StoreMultiple{reg, address, mask, offset});
      if (below(random, 100) == 0) word |= std::uint64_t{1} << (32 + below(random, 8));
      words.push_back(word);
    }
  }
  return words;
}

class Side {
 public:
  Side(const Quirks& side_quirks, std::uint64_t seed)
      : quirks_(side_quirks), mmu_(std::make_unique<MmuRig>(quirks_)) {
    Random random(seed);
    mmu_->map(kRing.value, kRingFrame, kPageRw);
    mmu_->map(kCode.value, kCodeFrame, kPageRw);
    mmu_->map(kCode.value + kPageSize, kCodeFrame + 3 * kPageSize, kPageRw);
    // All of a block; or its first pages.
    if (below(random, 2) == 0) {
      mmu_->memory.word(mmu_->entry_at(mmu_->root, kData.value, 2)) = kDataFrame | kBlockRw;
    } else {
      for (std::uint64_t at = 0; at < kDataBytes; at += kPageSize)
        mmu_->map(kData.value + at, kDataFrame + at, kPageRw);
    }
    mmu_->enable(kAs);
    Program words = any_program(random, 2 * kPageSize / 8);
    words.resize(2 * kPageSize / 8);
    for (std::size_t n = 0; n < words.size(); ++n) code(n) = words[n];
    // Addresses, most of them of data and some of the code itself.
    for (std::uint64_t at = 0; at < kDataBytes; at += 8)
      mmu_->memory.word(kDataFrame + at) = any_target(random);
    const Program start = set64(d(80), any_target(random)) + set64(d(82), any_target(random)) +
                          set64(d(84), any_target(random)) +
                          program(isa::Move48{.dst = d(92), .imm = kCode.value},
                                  isa::Move32{.dst = r(94), .imm = 2 * kPageSize},
                                  isa::Call{.address = d(92), .length = r(94)});
    stream.address_space = {kAs};
    stream.ring_base = kRing;
    stream.ring_bytes = kPageSize;
    for (const std::uint64_t word : start) {
      mmu_->memory.word(kRingFrame + stream.insert) = word;
      stream.insert += 8;
    }
    peers_.fill(&stream);
  }

  void attach(BlindWatch& watch) { mmu_->mmu.attach(watch, watch); }
  Interpreter::Result run(std::uint32_t limit) {
    return interpreter_.run(stream, peers_, nullptr, limit, services_.time);
  }
  Mmu::Counters counters() const { return mmu_->mmu.counters(); }
  bool same_memory(const Side& other) const {
    for (std::uint64_t at = 0; at < kDataBytes; at += 8)
      if (mmu_->memory.word(kDataFrame + at) != other.mmu_->memory.word(kDataFrame + at))
        return false;
    for (std::size_t n = 0; n < 2 * kPageSize / 8; ++n)
      if (code(n) != other.code(n)) return false;
    return true;
  }

  Stream stream;

 private:
  static std::uint64_t any_target(Random& random) {
    if (below(random, 30) == 0) return kCode.value + 16 * below(random, 2 * kPageSize / 16);
    return kData.value + (below(random, 10) == 0 ? 4 : 16) * below(random, kDataBytes / 16 - 256);
  }
  std::uint64_t& code(std::size_t word) const {
    const std::uint64_t page = 8 * word / kPageSize;  // the second is three frames further
    return mmu_->memory.word(kCodeFrame + 3 * page * kPageSize + 8 * word % kPageSize);
  }

  const Quirks quirks_;
  std::unique_ptr<MmuRig> mmu_;
  ScriptedServices services_;
  Interpreter interpreter_{quirks_, mmu_->mmu, services_, StreamPolicy::kAll};
  StreamPeers peers_{};
};

RC_GTEST_PROP(TransfersInARow, ChangeNothingButTime, (std::uint64_t seed)) {
  Quirks quirks;
  quirks.tlb_sets = 1;
  quirks.tlb_ways = static_cast<std::uint32_t>(2 + seed % 3);
  BlindWatch watch;
  Side quick(quirks, seed);
  Side searching(quirks, seed);
  searching.attach(watch);
  Random random(seed);
  for (int n = 0; n < 200; ++n) {
    const auto limit = static_cast<std::uint32_t>(1 + below(random, 200));
    const Interpreter::Result a = quick.run(limit);
    const Interpreter::Result b = searching.run(limit);
    RC_ASSERT(a.stop == b.stop);
    RC_ASSERT(a.executed == b.executed);
    RC_ASSERT(quick.stream.state.registers == searching.stream.state.registers);
    RC_ASSERT(quick.stream.pc() == searching.stream.pc());
    RC_ASSERT(quick.stream.exception.info == searching.stream.exception.info);
    const Mmu::Counters at = quick.counters();
    const Mmu::Counters bt = searching.counters();
    RC_ASSERT(at.hits == bt.hits);
    RC_ASSERT(at.walks == bt.walks);
    RC_ASSERT(at.fetches == bt.fetches);
    if (a.stop != StreamStop::kLimit && a.stop != StreamStop::kFault) break;
    quick.stream.state.faulted = 0;
    searching.stream.state.faulted = 0;
  }
  RC_ASSERT(quick.same_memory(searching));
}

}  // namespace
}  // namespace pantry::emu
