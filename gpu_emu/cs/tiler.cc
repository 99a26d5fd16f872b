// SPDX-License-Identifier: MIT
#include "gpu_emu/cs/tiler.h"

#include <algorithm>
#include <atomic>

#include "gpu_emu/cs/tiler_heap.h"
#include "gpu_emu/datasheet/cs_staging.h"
#include "gpu_emu/datasheet/tiler_heap.h"

namespace pantry::emu {
namespace {

namespace staging = datasheet::isa::staging;
namespace tiler_context = datasheet::tiler_heap::tiler_context;
namespace heap_descriptor = datasheet::tiler_heap::heap_descriptor;
using datasheet::Exception;
using datasheet::tiler_heap::chunk_address;
using datasheet::tiler_heap::chunk_bytes;
using datasheet::tiler_heap::chunk_word;
using datasheet::tiler_heap::kChunkHeaderBytes;
using datasheet::tiler_heap::kMaxChunkBytes;
using datasheet::tiler_heap::kMinChunkBytes;

// More than a heap can hold; so that chunks that a client has linked into a ring do not keep the
// device for ever (32,768 chunks at most).
constexpr std::uint64_t kMaxBytesPerRun = 4 * kGiB;

// A piece of the client's memory, translated for writing; it does not cross a page.
class Words {
 public:
  MemoryStatus open(const Execution& run, std::uint64_t address) {
    const Translation t = run.translate(address, Access::kWrite);
    host_ = t.host;
    return t.status;
  }
  std::atomic_ref<std::uint64_t> at(std::uint32_t offset) const {
    return std::atomic_ref<std::uint64_t>(*reinterpret_cast<std::uint64_t*>(host_ + offset));
  }

 private:
  std::uint8_t* host_ = nullptr;
};

bool is_chunk(std::uint64_t base, std::uint64_t bytes) {
  return is_aligned(base, kPageSize) && is_aligned(bytes, kPageSize) && bytes >= kMinChunkBytes &&
         bytes <= kMaxChunkBytes;
}

class Tiler {
 public:
  explicit Tiler(Execution& run) : run_(run) {}

  // kNext: the client's descriptors are there, and make sense.
  Step open() {
    const std::uint64_t context = run_.get(isa_register(staging::idvs::kTilerContext));
    if (context == 0 || !is_aligned(context, tiler_context::kBytes)) return invalid(context);
    if (const MemoryStatus status = context_.open(run_, context); status != MemoryStatus::kOk)
      return run_.refused(status, context);
    const std::uint64_t descriptor = context_.at(tiler_context::kHeap).load();
    if (descriptor == 0 || !is_aligned(descriptor, tiler_context::kBytes))
      return invalid(descriptor);
    if (const MemoryStatus status = chunk_.open(run_, descriptor); status != MemoryStatus::kOk)
      return run_.refused(status, descriptor);
    const std::uint64_t base = chunk_.at(heap_descriptor::kBase).load();
    const std::uint64_t bottom = chunk_.at(heap_descriptor::kBottom).load();
    const std::uint64_t top = chunk_.at(heap_descriptor::kTop).load();
    if (base > bottom || bottom > top || !is_chunk(base, top - base)) return invalid(descriptor);
    return Step::kNext;
  }

  // Takes up to `bytes` of the chunk.
  Step take(std::uint64_t bytes) {
    const std::uint64_t bottom = chunk_.at(heap_descriptor::kBottom).load();
    const std::uint64_t taken = std::min(bytes, chunk_.at(heap_descriptor::kTop).load() - bottom);
    if (taken == 0) return move_on();
    // What the tiler writes first stands for all that it would.
    Words polygons;
    if (const MemoryStatus status = polygons.open(run_, bottom); status != MemoryStatus::kOk)
      return run_.refused(status, bottom);
    chunk_.at(heap_descriptor::kBottom).store(bottom + taken);
    run_.state().tiled_bytes += taken;
    return Step::kNext;
  }

 private:
  static datasheet::isa::Reg64 isa_register(std::uint8_t index) { return {index}; }
  Step invalid(std::uint64_t address) { return run_.fault(Exception::kDataInvalidFault, address); }

  // From a full chunk to the next.
  Step move_on() {
    const std::uint64_t base = chunk_.at(heap_descriptor::kBase).load();
    const std::uint64_t bytes = chunk_.at(heap_descriptor::kTop).load() - base;
    Words header;
    if (const MemoryStatus status = header.open(run_, base); status != MemoryStatus::kOk)
      return run_.refused(status, base);
    std::uint64_t next = header.at(0).load();
    if (next == 0) {
      if (const Step step = take_chunk(run_, next); step != Step::kNext) return step;
    }
    const GpuVa next_base = chunk_address(next);
    if (!is_chunk(next_base.value, chunk_bytes(next))) return invalid(next);

    header.at(0).store(context_.at(tiler_context::kCompletedTop).load());
    const std::uint64_t full = chunk_word(GpuVa{base}, bytes);
    context_.at(tiler_context::kCompletedTop).store(full);
    if (context_.at(tiler_context::kCompletedBottom).load() == 0)
      context_.at(tiler_context::kCompletedBottom).store(full);
    chunk_.at(heap_descriptor::kBase).store(next_base.value);
    chunk_.at(heap_descriptor::kBottom).store(next_base.value + kChunkHeaderBytes);
    chunk_.at(heap_descriptor::kTop).store(next_base.value + chunk_bytes(next));
    return Step::kNext;
  }

  Execution& run_;
  Words context_;
  Words chunk_;
};

}  // namespace

Step take_tiler_memory(Execution& run) {
  StreamState& state = run.state();
  const std::uint64_t vertices =
      std::uint64_t{run.get(datasheet::isa::Reg32{staging::idvs::kIndexCount})} *
      run.get(datasheet::isa::Reg32{staging::idvs::kInstanceCount});
  std::uint64_t wanted = 0;
  if (__builtin_mul_overflow(vertices, run.quirks.tiler_bytes_per_vertex, &wanted) ||
      wanted > kMaxBytesPerRun)
    wanted = kMaxBytesPerRun;
  Step step = Step::kNext;
  while (step == Step::kNext && state.tiled_bytes < wanted) {
    Tiler tiler(run);
    step = tiler.open();
    if (step == Step::kNext) step = tiler.take(wanted - state.tiled_bytes);
  }
  if (step == Step::kNext || step == Step::kFault) {
    state.tiled_bytes = 0;
    state.handler_ran = 0;
  }
  return step;
}

}  // namespace pantry::emu
