// SPDX-License-Identifier: MIT
//
// What the emulated device costs, each figure beside what the host needs for the same by itself:
// instructions beside a loop of additions, copies beside memcpy, look-ups and walks beside as many
// loads from memory that is in cache.
#include <array>
#include <cstring>
#include <functional>
#include <utility>
#include <vector>

#include "base/check.h"
#include "bench/comparison.h"
#include "bench/device_rig.h"
#include "gpu_emu/datasheet/cs_instruction.h"
#include "gpu_emu/mmu/mmu_rig.h"

namespace pantry::bench {
namespace {

namespace isa = datasheet::isa;
using isa::d;
using isa::r;
using Stream = std::vector<std::uint64_t>;

// A piece of work that is the same in every pass.
class Repeated final : public Work {
 public:
  explicit Repeated(std::function<void()> body) : body_(std::move(body)) {}
  void run(std::uint64_t) override { body_(); }

 private:
  std::function<void()> body_;
};

// compare(), of which scripts/bench-report makes a row of the device's table: `host` is the peer.
void beside_host(benchmark::State& state, std::uint64_t operations, Work& ours, Work* host) {
  compare(state, operations, {.ours = ours, .limit = host});
  state.counters["device"] = 1;
}

template <isa::InstructionType... I>
void append(Stream& to, const I&... instructions) {
  (to.push_back(isa::encode(instructions)), ...);
}

// Runs `body` `rounds` times; r(95) and what `body` uses are lost.
Stream loop(std::uint32_t rounds, const Stream& body) {
  Stream stream;
  append(stream, isa::Move32{.dst = r(91), .imm = rounds});
  stream.insert(stream.end(), body.begin(), body.end());
  const auto back = static_cast<std::int16_t>(-static_cast<int>(body.size()) - 2);
  append(stream, isa::AddImm32{.dst = r(91), .src = r(91), .imm = -1},
         isa::Branch{.value = r(91), .condition = isa::BranchCondition::kGreater, .offset = back});
  return stream;
}

// --- Instructions

// One dependent addition per round, which the compiler neither joins nor drops.
void bare_loop(std::uint64_t rounds) {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    sum += 3;
    benchmark::DoNotOptimize(sum);
  }
}

void BM_SimpleInstructions(benchmark::State& state) {
  DeviceRig device{emu::Quirks{}};
  Stream body;
  for (unsigned n = 0; n < 12; ++n) {
    const auto imm = static_cast<std::int32_t>(n + 1);
    append(body, isa::Move32{.dst = r(2 * n), .imm = n},
           isa::AddImm64{.dst = d(2 * n), .src = d(2 * n), .imm = imm},
           isa::AddImm32{.dst = r(2 * n + 1), .src = r(2 * n), .imm = -imm},
           isa::Umin32{.dst = r(40 + n), .src0 = r(2 * n), .src1 = r(2 * n + 1)},
           isa::Move48{.dst = d(60), .imm = n});
  }
  device.load(loop(20'000, body));
  const std::uint64_t before = device.instructions();
  device.run_job();
  const std::uint64_t count = device.instructions() - before;
  Repeated ours([&] { device.run_job(); });
  Repeated bare([&] { bare_loop(count); });
  beside_host(state, count, ours, &bare);
}
BENCHMARK(BM_SimpleInstructions)->Name("simple instruction | bare loop")->Apply(in_one_iteration);

// --- Copies

constexpr std::uint64_t kCopyBytes = 64 * kMiB;
constexpr std::uint64_t kSourceVa = 0x1'0000'0000;
constexpr std::uint64_t kTargetVa = 0x2'0000'0000;
constexpr std::uint64_t kSourcePa = emu::SparseMemory::kBase + 0x2000'0000;
constexpr std::uint64_t kTargetPa = kSourcePa + kCopyBytes;

// 256 bytes by way of 64 registers, 64 times, then on to the next 16 KiB.
Stream copy_stream() {
  constexpr int kChunk = 256;
  constexpr int kChunks = 64;
  constexpr int kRound = kChunk * kChunks;
  Stream body;
  for (int chunk = 0; chunk < kChunks; ++chunk) {
    for (int part = 0; part < 4; ++part)
      append(body,
             isa::LoadMultiple{.base = r(16u * static_cast<unsigned>(part)),
                               .address = d(80),
                               .mask = 0xffff,
                               .offset = static_cast<std::int16_t>(kChunk * chunk + 64 * part)});
    append(body, isa::Wait{.mask = {1}});
    for (int part = 0; part < 4; ++part)
      append(body,
             isa::StoreMultiple{.base = r(16u * static_cast<unsigned>(part)),
                                .address = d(82),
                                .mask = 0xffff,
                                .offset = static_cast<std::int16_t>(kChunk * chunk + 64 * part)});
    append(body, isa::Wait{.mask = {1}});
  }
  append(body, isa::AddImm64{.dst = d(80), .src = d(80), .imm = kRound},
         isa::AddImm64{.dst = d(82), .src = d(82), .imm = kRound});
  Stream stream;
  append(stream, isa::Move48{.dst = d(80), .imm = kSourceVa},
         isa::Move48{.dst = d(82), .imm = kTargetVa}, isa::SetSbEntry{});
  const Stream rounds = loop(kCopyBytes / kRound, body);
  stream.insert(stream.end(), rounds.begin(), rounds.end());
  return stream;
}

void copy(benchmark::State& state, unsigned level) {
  DeviceRig device{emu::Quirks{}};
  device.map(kSourceVa, kSourcePa, kCopyBytes, level);
  device.map(kTargetVa, kTargetPa, kCopyBytes, level);
  std::uint8_t* const source = device.host(kSourcePa);
  std::uint8_t* const target = device.host(kTargetPa);
  for (std::uint64_t i = 0; i < kCopyBytes; ++i) source[i] = static_cast<std::uint8_t>(i * 37 >> 3);
  device.load(copy_stream());
  device.run_job();
  PANTRY_CHECK(std::memcmp(source, target, kCopyBytes) == 0);
  Repeated ours([&] { device.run_job(); });
  Repeated host([&] {
    std::memcpy(target, source, kCopyBytes);
    benchmark::ClobberMemory();
  });
  beside_host(state, kCopyBytes / kKiB, ours, &host);
  state.counters["bytes"] = kKiB;
}
void BM_Copy4K(benchmark::State& state) { copy(state, 3); }
void BM_Copy2M(benchmark::State& state) { copy(state, 2); }
BENCHMARK(BM_Copy4K)->Name("copied KiB, 4 KiB mappings | memcpy")->Apply(in_one_iteration);
BENCHMARK(BM_Copy2M)->Name("copied KiB, 2 MiB mappings | memcpy")->Apply(in_one_iteration);

// --- Translation

constexpr std::uint8_t kAs = 1;
constexpr std::uint64_t kRepeats = 4096;

// A chain of `loads` dependent loads per repeat, through 4 KiB that is in cache.
class LoadChain {
 public:
  LoadChain() {
    for (std::size_t i = 0; i < links_.size(); ++i) links_[i] = (i + 37) % links_.size();
  }
  void follow(std::uint64_t loads) {
    for (std::uint64_t i = 0; i < loads; ++i) at_ = links_[at_];
    benchmark::DoNotOptimize(at_);
  }

 private:
  std::array<std::uint64_t, 512> links_;
  std::uint64_t at_ = 0;
};

void translate(benchmark::State& state, const emu::Quirks& quirks, std::uint64_t pages,
               std::uint64_t loads) {
  emu::MmuRig rig{quirks};
  constexpr std::uint64_t kVa = 0x7f00'0000'0000;
  for (std::uint64_t n = 0; n < pages; ++n)
    rig.map(kVa + kPageSize * n, emu::SparseMemory::kBase + 0x1000'0000 + kPageSize * n,
            emu::kPageRw);
  std::vector<std::uint64_t> addresses;
  for (std::uint64_t n = 0; n < kRepeats; ++n)
    addresses.push_back(kVa + kPageSize * (n % pages) + 8 * (n % 512));
  rig.enable(kAs);
  emu::GpuMemory& memory = rig.mmu;
  LoadChain chain;
  Repeated ours([&] {
    for (const std::uint64_t va : addresses) {
      const emu::Translation t = memory.translate({kAs}, {va}, emu::Access::kRead);
      PANTRY_CHECK(t.status == emu::MemoryStatus::kOk);
      benchmark::DoNotOptimize(t.host);
    }
  });
  Repeated host([&] { chain.follow(kRepeats * loads); });
  ours.run(0);
  const emu::Mmu::Counters before = rig.mmu.counters();
  ours.run(0);
  const emu::Mmu::Counters after = rig.mmu.counters();
  beside_host(state, kRepeats, ours, &host);
  state.counters["walks"] = static_cast<double>(after.walks - before.walks) / kRepeats;
  state.counters["fetches"] = static_cast<double>(after.fetches - before.fetches) / kRepeats;
}

void BM_TlbHit(benchmark::State& state) { translate(state, {}, 64, 1); }
BENCHMARK(BM_TlbHit)->Name("TLB hit | load")->Apply(in_one_iteration);

// The TLB holds 256 pages, the walk cache the table.
void BM_WalkCacheHit(benchmark::State& state) { translate(state, {}, 512, 1); }
BENCHMARK(BM_WalkCacheHit)->Name("walk of one level | load")->Apply(in_one_iteration);

// Neither TLB nor walk cache: the root, two tables and the page's entry are read.
void BM_FullWalk(benchmark::State& state) {
  emu::Quirks quirks;
  quirks.caching = emu::Quirks::Caching::kCoherent;
  translate(state, quirks, 512, 4);
}
BENCHMARK(BM_FullWalk)->Name("walk of four levels | four loads")->Apply(in_one_iteration);

// --- Round trip

void BM_RoundTrip(benchmark::State& state) {
  DeviceRig device{emu::Quirks{}};
  device.load(std::array<std::uint64_t, 1>{isa::encode(isa::Nop{})});
  device.run_job();
  Repeated ours([&] {
    for (int i = 0; i < 64; ++i) device.run_job();
  });
  beside_host(state, 64, ours, nullptr);
}
BENCHMARK(BM_RoundTrip)->Name("doorbell to fence")->Apply(in_one_iteration);

}  // namespace
}  // namespace pantry::bench
