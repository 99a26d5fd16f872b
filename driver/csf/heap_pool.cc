// SPDX-License-Identifier: MIT
#include "driver/csf/heap_pool.h"

#include <algorithm>
#include <new>
#include <utility>

#include "base/log.h"
#include "driver/csf/interface_block.h"
#include "gpu_emu/datasheet/tiler_heap.h"

namespace pantry::driver {
namespace {

namespace layout = datasheet::tiler_heap;

// The device may look at any time, so whole words.
void clear(void* start, std::uint32_t bytes) {
  InterfaceBlock block(start);
  for (std::uint32_t offset = 0; offset < bytes; offset += sizeof(std::uint64_t))
    block.store64(offset, 0);
}

Result<> check(const HeapPool::Args& args) PANTRY_MAY_ALLOCATE {
  if (args.initial_chunks == 0 || args.initial_chunks > args.max_chunks) {
    log_client("driver/csf", "a tiler heap of {} chunks, {} at most", args.initial_chunks,
               args.max_chunks);
    return Error(Errno::kInval);
  }
  if (!is_aligned(args.chunk_bytes, kPageSize) || args.chunk_bytes < layout::kMinChunkBytes ||
      args.chunk_bytes > layout::kMaxChunkBytes) {
    log_client("driver/csf", "heap chunks of {:#x} bytes: no pages from 128 KiB to 8 MiB",
               args.chunk_bytes);
    return Error(Errno::kInval);
  }
  return {};
}

}  // namespace

std::uint32_t HeapPool::context_stride(std::uint32_t l2_features) {
  // Bits 7:0: log2 of the line. 6 on a G610: 64 bytes.
  const std::uint32_t line = 1u << std::min<std::uint32_t>(l2_features & 0xff, 12);
  return static_cast<std::uint32_t>(align_up(layout::kContextBytes, line));
}

Result<Ref<HeapPool>> HeapPool::of(Vm& vm, std::uint32_t stride) {
  if (Ref<HeapPool> there = find(vm)) return there;
  try {
    Ref<HeapPool> fresh = Ref<HeapPool>::adopt(new HeapPool(vm, stride));
    PANTRY_TRY_ASSIGN(KernelMapping contexts,
                      vm.map_kernel(layout::kContextsPerPool * stride, Prot::kNoExec));
    {
      MutexLock lock(fresh->mutex_);
      fresh->contexts_ = std::move(contexts);
    }
    PANTRY_TRY_ASSIGN(Ref<VmAttachment> attached, vm.attach(std::move(fresh)));
    return Ref<HeapPool>::adopt(static_cast<HeapPool*>(attached.detach()));
  } catch (const std::bad_alloc&) {
    return Error(Errno::kNoMem);
  }
}

Ref<HeapPool> HeapPool::find(const Vm& vm) {
  return Ref<HeapPool>::adopt(static_cast<HeapPool*>(vm.attachment().detach()));
}

// Mappings are dropped after the lock: that takes the VM's, and polls the device.
void HeapPool::on_vm_destroyed() {
  KernelMapping contexts;
  std::vector<Ref<Heap>> heaps;
  MutexLock lock(mutex_);
  destroyed_ = true;
  contexts = std::move(contexts_);
  heaps.reserve(heaps_.size());
  heaps_.take_all([&](std::uint32_t, Ref<Heap> heap) { heaps.push_back(std::move(heap)); });
}

Ref<HeapPool::Heap> HeapPool::heap_at(GpuVa context) {
  if (!contexts_) return nullptr;
  const std::uint64_t offset = context.value - contexts_.va().value;
  if (offset > UINT32_MAX) return nullptr;
  Ref<Heap>* const heap = heaps_.find(static_cast<std::uint32_t>(offset) / stride_);
  return heap ? *heap : nullptr;
}

Result<KernelMapping> HeapPool::new_chunk(const Heap& heap, std::uint64_t next) {
  PANTRY_TRY_ASSIGN(KernelMapping chunk, vm_.map_kernel(heap.args.chunk_bytes, Prot::kNoExec));
  clear(chunk.cpu(), layout::kChunkHeaderBytes);
  if (next != 0) InterfaceBlock(chunk.cpu()).store64(0, next);
  return chunk;
}

Result<HeapPool::Created> HeapPool::create(const Args& args, GpuVa& first_chunk) {
  PANTRY_TRY(check(args));
  try {
    Ref<Heap> heap = make_ref<Heap>(args);
    std::uint64_t next = 0;
    for (std::uint32_t i = 0; i < args.initial_chunks; ++i) {
      PANTRY_TRY_ASSIGN(KernelMapping chunk, new_chunk(*heap, next));
      next = layout::chunk_word(chunk.va(), args.chunk_bytes);
      heap->chunks.push_back(std::move(chunk));
    }
    heap->chunk_count = args.initial_chunks;
    first_chunk = heap->chunks.back().va();

    MutexLock lock(mutex_);
    if (destroyed_) return Error(Errno::kInval);
    // Kept here as well, so that a refused heap goes only after the lock.
    PANTRY_TRY_ASSIGN(const std::uint32_t id, heaps_.put(heap, Errno::kBusy));
    const std::uint32_t offset = id * stride_;
    clear(static_cast<std::byte*>(contexts_.cpu()) + offset, stride_);
    return Created{id, contexts_.va() + offset};
  } catch (const std::bad_alloc&) {
    return Error(Errno::kNoMem);
  }
}

Result<> HeapPool::destroy(std::uint32_t id) {
  std::optional<Ref<Heap>> heap;
  MutexLock lock(mutex_);
  heap = heaps_.take(id);
  if (heap) return {};
  log_client("driver/csf", "tiler heap {} is unknown", id);
  return Error(Errno::kInval);
}

Result<std::uint64_t> HeapPool::grow(GpuVa context, const Passes& passes) {
  if (passes.rendered > passes.tiled || passes.tiled >= passes.begun) return Error(Errno::kInval);
  Ref<Heap> heap;
  {
    MutexLock lock(mutex_);
    heap = heap_at(context);
    if (!heap) return Error(Errno::kInval);
    if (passes.begun - passes.rendered > heap->args.target_in_flight ||
        heap->chunk_count >= heap->args.max_chunks)
      return Error(Errno::kNoMem);
    ++heap->chunk_count;
  }
  Result<KernelMapping> chunk = new_chunk(*heap, 0);
  const std::uint64_t word = chunk ? layout::chunk_word(chunk->va(), heap->args.chunk_bytes) : 0;
  MutexLock lock(mutex_);
  if (chunk) {
    // Destroyed meanwhile?
    if (heap_at(context).get() != heap.get()) return Error(Errno::kInval);
    try {
      heap->chunks.push_back(*std::move(chunk));
      return word;
    } catch (const std::bad_alloc&) {
      --heap->chunk_count;
      return Error(Errno::kNoMem);
    }
  }
  --heap->chunk_count;
  return Error(chunk.error());
}

void HeapPool::give_back(GpuVa context, std::uint64_t chunk_word) {
  KernelMapping chunk;
  MutexLock lock(mutex_);
  const Ref<Heap> heap = heap_at(context);
  if (!heap) return;
  const auto it =
      std::ranges::find(heap->chunks, layout::chunk_address(chunk_word), &KernelMapping::va);
  if (it == heap->chunks.end()) return;
  chunk = std::move(*it);
  heap->chunks.erase(it);
  --heap->chunk_count;
}

HeapPool::Totals HeapPool::totals() {
  MutexLock lock(mutex_);
  Totals totals;
  heaps_.for_each([&](std::uint32_t, const Ref<Heap>& heap) {
    ++totals.heaps;
    totals.chunks += heap->chunk_count;
    totals.bytes += std::uint64_t{heap->chunk_count} * heap->args.chunk_bytes;
  });
  return totals;
}

}  // namespace pantry::driver
