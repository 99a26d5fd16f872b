// SPDX-License-Identifier: MIT
//
// For tests: what a client prepares for the tiler, on FlatMemory: a tiler context and a heap
// descriptor in a page of its own, and the registers of RUN_IDVS.
#pragma once

#include <cstdint>

#include "gpu_emu/cs/flat_memory.h"
#include "gpu_emu/cs/stream_fixture.h"
#include "gpu_emu/datasheet/cs_staging.h"
#include "gpu_emu/datasheet/tiler_heap.h"

namespace pantry::emu {

class TilerSetup {
 public:
  static constexpr GpuVa kContext{0x300'0000};
  static constexpr GpuVa kDescriptor{0x300'0080};
  static constexpr GpuVa kFirstChunk{0x880'0000};
  static constexpr std::uint64_t kChunkBytes = 2 * kMiB;

  // The first chunk has room for `room` bytes, and no chunk is linked behind it.
  TilerSetup(FlatMemory& memory, AsIndex as, std::uint64_t room) : memory_(memory), as_(as) {
    memory.map(as, kContext, kPageSize);
    memory.map(as, kFirstChunk, kChunkBytes);
    memory.poke(as, kContext + datasheet::tiler_heap::tiler_context::kHeap, kDescriptor.value);
    namespace descriptor = datasheet::tiler_heap::heap_descriptor;
    const std::uint64_t top = kFirstChunk.value + kChunkBytes;
    memory.poke(as, kDescriptor + descriptor::kBase, kFirstChunk.value);
    memory.poke(as, kDescriptor + descriptor::kBottom, top - room);
    memory.poke(as, kDescriptor + descriptor::kTop, top);
  }

  static Program draws(std::uint32_t vertices) {
    namespace idvs = datasheet::isa::staging::idvs;
    return program(isa::Move48{.dst = isa::d(idvs::kTilerContext), .imm = kContext.value},
                   isa::Move32{.dst = isa::r(idvs::kIndexCount), .imm = vertices},
                   isa::Move32{.dst = isa::r(idvs::kInstanceCount), .imm = 1});
  }
  std::uint64_t completed_top() {
    return word(kContext, datasheet::tiler_heap::tiler_context::kCompletedTop);
  }
  std::uint64_t completed_bottom() {
    return word(kContext, datasheet::tiler_heap::tiler_context::kCompletedBottom);
  }
  std::uint64_t base() { return word(kDescriptor, datasheet::tiler_heap::heap_descriptor::kBase); }
  std::uint64_t bottom() {
    return word(kDescriptor, datasheet::tiler_heap::heap_descriptor::kBottom);
  }

 private:
  std::uint64_t word(GpuVa at, std::uint32_t offset) {
    return memory_.peek<std::uint64_t>(as_, at + offset);
  }
  FlatMemory& memory_;
  const AsIndex as_;
};

}  // namespace pantry::emu
