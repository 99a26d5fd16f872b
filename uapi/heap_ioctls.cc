// SPDX-License-Identifier: MIT
//
// TILER_HEAP_CREATE and TILER_HEAP_DESTROY: panthor-uapi.md F. A handle is the VM's id in the upper
// half and the heap's in its pool in the lower.
#include <drm/panthor_drm.h>

#include "driver/csf/heap_pool.h"
#include "uapi/ioctl_handlers.h"
#include "uapi/reject.h"

namespace pantry::uapi {

Result<> tiler_heap_create(Call& call) {
  auto& args = call.arg<drm_panthor_tiler_heap_create>();
  const Ref<driver::Vm> vm = call.file.vm(args.vm_id);
  if (!vm) return reject(Errno::kInval, "TILER_HEAP_CREATE: VM {} is unknown", args.vm_id);
  const std::uint32_t stride =
      driver::HeapPool::context_stride(call.file.device().gpu_info().l2_features);
  PANTRY_TRY_ASSIGN(const Ref<driver::HeapPool> pool, driver::HeapPool::of(*vm, stride));
  GpuVa first_chunk{args.first_heap_chunk_gpu_va};
  const auto created = pool->create(
      {args.initial_chunk_count, args.chunk_size, args.max_chunks, args.target_in_flight},
      first_chunk);
  args.first_heap_chunk_gpu_va = first_chunk.value;
  if (!created) return Error(created.error());
  args.tiler_heap_ctx_gpu_va = created->context.value;
  args.handle = args.vm_id << 16 | created->id;
  return {};
}

Result<> tiler_heap_destroy(Call& call) {
  const auto& args = call.arg<drm_panthor_tiler_heap_destroy>();
  if (args.pad != 0) return reject(Errno::kInval, "TILER_HEAP_DESTROY: pad is {:#x}", args.pad);
  const Ref<driver::Vm> vm = call.file.vm(args.handle >> 16);
  if (!vm)
    return reject(Errno::kInval, "TILER_HEAP_DESTROY: handle {:#x} names no VM", args.handle);
  const Ref<driver::HeapPool> pool = driver::HeapPool::find(*vm);
  if (!pool)
    return reject(Errno::kNoEnt, "TILER_HEAP_DESTROY: VM {} never had a heap", args.handle >> 16);
  return pool->destroy(args.handle & 0xffff);
}

}  // namespace pantry::uapi
