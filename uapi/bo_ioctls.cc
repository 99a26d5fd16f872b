// SPDX-License-Identifier: MIT
//
// BO_CREATE, BO_MMAP_OFFSET, BO_SET_LABEL, BO_SYNC, BO_QUERY_INFO, GEM_CLOSE, GEM_FLINK, GEM_OPEN:
// panthor-uapi.md A.5, A.11, A.13, A.14, B.2.
#include <drm/panthor_drm.h>

#include "uapi/ioctl_handlers.h"
#include "uapi/reject.h"

namespace pantry::uapi {
namespace {

constexpr std::size_t kLongestLabel = 4095;

// There are no caches to maintain: the CPU and the device see one memory. What is left is what a
// client can do wrong.
Result<> bo_sync_one(Call& call, const drm_panthor_bo_sync_op& op) {
  const Ref<driver::Buffer> buffer = call.file.buffer(op.handle);
  if (!buffer) return reject(Errno::kNoEnt, "BO_SYNC: buffer {} is unknown", op.handle);
  if (op.offset > buffer->size() || op.size > buffer->size() - op.offset)
    return reject(Errno::kInval, "BO_SYNC: {:#x} bytes at {:#x} are not all in buffer {} of {:#x}",
                  op.size, op.offset, op.handle, buffer->size());
  if (op.type != DRM_PANTHOR_BO_SYNC_CPU_CACHE_FLUSH &&
      op.type != DRM_PANTHOR_BO_SYNC_CPU_CACHE_FLUSH_AND_INVALIDATE)
    return reject(Errno::kInval, "BO_SYNC: type {} is unknown", op.type);
  return {};
}

}  // namespace

Result<> bo_create(Call& call) {
  auto& args = call.arg<drm_panthor_bo_create>();
  std::uint32_t known = DRM_PANTHOR_BO_NO_MMAP;
  if (call.features.wb_mmap) known |= DRM_PANTHOR_BO_WB_MMAP;
  if (args.size == 0) return reject(Errno::kInval, "BO_CREATE: size is 0");
  if (args.pad != 0) return reject(Errno::kInval, "BO_CREATE: pad is {:#x}", args.pad);
  if ((args.flags & ~known) != 0)
    return reject(Errno::kInval, "BO_CREATE: flags {:#x} are unknown", args.flags);
  if ((args.flags & (DRM_PANTHOR_BO_NO_MMAP | DRM_PANTHOR_BO_WB_MMAP)) ==
      (DRM_PANTHOR_BO_NO_MMAP | DRM_PANTHOR_BO_WB_MMAP))
    return reject(Errno::kInval, "BO_CREATE: NO_MMAP and WB_MMAP exclude each other");

  Ref<driver::Reservation> exclusive_to;
  if (args.exclusive_vm_id != 0) {
    const Ref<driver::Vm> vm = call.file.vm(args.exclusive_vm_id);
    if (!vm)
      return reject(Errno::kInval, "BO_CREATE: exclusive VM {} is unknown", args.exclusive_vm_id);
    exclusive_to = vm->reservation();
  }
  PANTRY_TRY_ASSIGN(Ref<driver::Buffer> buffer,
                    call.file.device().buffers().create(
                        args.size, args.flags, std::move(exclusive_to), &call.file.account()));
  const std::uint64_t size = buffer->size();
  PANTRY_TRY_ASSIGN(args.handle, call.file.add_buffer(std::move(buffer)));
  args.size = size;
  return {};
}

Result<> bo_mmap_offset(Call& call) {
  auto& args = call.arg<drm_panthor_bo_mmap_offset>();
  if (args.pad != 0) return reject(Errno::kInval, "BO_MMAP_OFFSET: pad is {:#x}", args.pad);
  const Ref<driver::Buffer> buffer = call.file.buffer(args.handle);
  if (!buffer) return reject(Errno::kNoEnt, "BO_MMAP_OFFSET: buffer {} is unknown", args.handle);
  if (call.features.no_mmap_refused_early && (buffer->create_flags() & DRM_PANTHOR_BO_NO_MMAP) != 0)
    return reject(Errno::kPerm, "BO_MMAP_OFFSET: buffer {} was created NO_MMAP", args.handle);
  args.offset = buffer->mmap_offset();
  return {};
}

Result<> bo_set_label(Call& call) {
  const auto& args = call.arg<drm_panthor_bo_set_label>();
  if (args.pad != 0) return reject(Errno::kInval, "BO_SET_LABEL: pad is {:#x}", args.pad);
  const Ref<driver::Buffer> buffer = call.file.buffer(args.handle);
  if (!buffer) return reject(Errno::kNoEnt, "BO_SET_LABEL: buffer {} is unknown", args.handle);
  if (args.label == 0) {
    buffer->set_label(std::nullopt);
    return {};
  }
  Result<std::string> label = read_string(call.memory, {args.label}, kLongestLabel);
  if (!label) return Error(label.error() == Errno::kInval ? Errno::kTooBig : label.error());
  buffer->set_label(*std::move(label));
  return {};
}

Result<> bo_sync(Call& call) {
  const auto& args = call.arg<drm_panthor_bo_sync>();
  PANTRY_TRY_ASSIGN(const std::vector<drm_panthor_bo_sync_op> ops,
                    read_array<drm_panthor_bo_sync_op>(
                        call.memory, {args.ops.stride, args.ops.count, {args.ops.array}}, 24));
  for (const drm_panthor_bo_sync_op& op : ops) PANTRY_TRY(bo_sync_one(call, op));
  return {};
}

Result<> bo_query_info(Call& call) {
  auto& args = call.arg<drm_panthor_bo_query_info>();
  const Ref<driver::Buffer> buffer = call.file.buffer(args.handle);
  if (!buffer) return reject(Errno::kNoEnt, "BO_QUERY_INFO: buffer {} is unknown", args.handle);
  args.extra_flags = 0;  // all buffers are of this device
  args.create_flags = buffer->create_flags();
  args.pad = 0;
  return {};
}

Result<> gem_close(Call& call) {
  const auto& args = call.arg<drm_gem_close>();
  return call.file.close_buffer(args.handle);
}

Result<> gem_flink(Call& call) {
  auto& args = call.arg<drm_gem_flink>();
  const Ref<driver::Buffer> buffer = call.file.buffer(args.handle);
  if (!buffer) return reject(Errno::kNoEnt, "GEM_FLINK: buffer {} is unknown", args.handle);
  PANTRY_TRY_ASSIGN(args.name, call.file.device().buffer_names().name_of(*buffer));
  return {};
}

Result<> gem_open(Call& call) {
  auto& args = call.arg<drm_gem_open>();
  Ref<driver::Buffer> buffer = call.file.device().buffer_names().find(args.name);
  if (!buffer) return reject(Errno::kNoEnt, "GEM_OPEN: no buffer is named {}", args.name);
  const std::uint64_t size = buffer->size();
  // A new handle, also for a file that has one.
  PANTRY_TRY_ASSIGN(args.handle, call.file.add_buffer(std::move(buffer)));
  args.size = size;
  return {};
}

}  // namespace pantry::uapi
