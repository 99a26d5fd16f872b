// SPDX-License-Identifier: MIT
//
// The interpreter with a stream that means no good: any words in the ring and in a buffer, any
// registers, pages that come and go between runs. Whatever a stream does, each run ends, within its
// limit, and tells the firmware one of the things that StreamStop knows.
#include <algorithm>
#include <memory>

#include "base/check.h"
#include "fuzz/input.h"
#include "fuzz/quiet_start.h"
#include "gpu_emu/cs/flat_memory.h"
#include "gpu_emu/cs/interpreter.h"
#include "gpu_emu/cs/scripted_services.h"
#include "gpu_emu/cs/unshared_endpoints.h"

namespace {

using namespace pantry;
using namespace pantry::emu;

constexpr AsIndex kAs{3};
constexpr GpuVa kRing{0x7f00'0000'0000};
constexpr GpuVa kPages{0x100'0000};  // buffer, then data
constexpr std::uint64_t kCount = 8;
constexpr std::uint64_t kRingBytes = 4096;
constexpr std::uint32_t kLimit = 1000;

Quirks quirks_of(std::uint8_t bits) {
  Quirks quirks;
  if (bits & 1) quirks.overlap = Quirks::Overlap::kInOrder;
  if (bits & 2) quirks.deferred_order = Quirks::DeferredOrder::kReversed;
  if (bits & 4) quirks.tiler_bytes_per_vertex = 1u << 20;
  if (bits & 8) quirks.sparse_mask = Quirks::SparseMask::kPacked;
  if (bits & 16) quirks.unrequested_run = Quirks::UnrequestedRun::kExecuted;
  if (bits & 32) quirks.cache_flush_time = microseconds(1);
  if (bits & 64) quirks.error_reject = Quirks::ErrorReject::kOneInherits;
  if (bits & 128) quirks.high_wait_bits = Quirks::HighWaitBits::kInvalidInstruction;
  return quirks;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const Quirks quirks = quirks_of(input.take<std::uint8_t>());
  FlatMemory memory;
  ScriptedServices services;
  Interpreter interpreter(quirks, memory, services, StreamPolicy::kAll);
  Stream stream;
  const Stream idle;
  StreamPeers peers;
  peers.fill(&idle);
  peers[0] = &stream;
  stream.address_space = kAs;
  stream.ring_base = kRing;
  stream.ring_bytes = kRingBytes;
  memory.map(kAs, kRing, kRingBytes);
  memory.map(kAs, kPages, kCount * kPageSize);
  // Pairs that lead somewhere, so that not every access faults: r64 up, 64 bytes into each page.
  for (std::uint32_t n = 0; n < 16; ++n)
    stream.state.registers[64 + 2 * n] =
        static_cast<std::uint32_t>(kPages.value + kPageSize * (n % kCount) + 64 * (n / kCount));
  // And lengths of buffers.
  for (std::uint32_t n = 0; n < 8; ++n) stream.state.registers[n] = 8 * (1 + n * n * n);

  const std::uint32_t ring_words = 1 + input.below(64);
  for (std::uint32_t n = 0; n < ring_words; ++n)
    memory.poke(kAs, kRing + 8 * std::uint64_t{n}, input.take<std::uint64_t>());
  stream.insert = 8 * std::uint64_t{ring_words};
  const std::uint32_t events = input.below(32);
  std::uint8_t what[32] = {};
  for (std::uint32_t n = 0; n < events; ++n) what[n] = input.take<std::uint8_t>();
  for (std::uint64_t n = 0; !input.is_over() && n < kCount * kPageSize / 8; ++n)
    memory.poke(kAs, kPages + 8 * n, input.take<std::uint64_t>());

  std::uint64_t extract = 0;
  for (std::uint32_t n = 0; n <= events; ++n) {
    if (stream.state.dead) return 0;
    const Interpreter::Result result =
        interpreter.run(stream, peers, &extract, kLimit, services.time);
    begin_endpoint_work(stream, services.time);
    PANTRY_CHECK(result.executed <= kLimit);
    PANTRY_CHECK(extract == stream.state.extract && extract <= stream.insert);
    PANTRY_CHECK(stream.state.depth >= 1 && stream.state.depth <= kMaxCallDepth);
    PANTRY_CHECK((result.stop == StreamStop::kFault) == (stream.state.faulted != 0));
    PANTRY_CHECK((result.stop == StreamStop::kBlocked) ==
                 (stream.blocked != datasheet::cs::BlockedReason::kUnblocked));
    // The host's answers, and its mischief.
    stream.state.faulted = 0;
    const GpuVa page = kPages + kPageSize * (what[n] >> 4 & 7);
    switch (what[n] & 7) {
      case 0:
        services.time = services.time + microseconds(what[n]);
        break;
      case 1:
        memory.unmap(kAs, page);
        break;
      case 2:
        memory.map(kAs, page, kPageSize);
        break;
      case 3:
        memory.map(kAs, page, kPageSize);
        memory.answer_page(kAs, page, MemoryStatus::kStall);
        break;
      case 4:
        if (stream.state.heap_request == HeapRequest::kAsked)
          stream.state.heap_request = HeapRequest::kRefused;
        break;
      case 5:
        if (stream.state.heap_request == HeapRequest::kAsked) {
          stream.state.heap_request = HeapRequest::kGranted;
          stream.state.heap_granted_first = stream.state.heap_granted_last = page.value | 1;
        }
        break;
      case 6:
        memory.map(kAs, page, kPageSize);
        memory.answer_page(kAs, page, MemoryStatus::kAborted);
        break;
      default:
        services.yield = !services.yield;
        break;
    }
  }
  return 0;
}
