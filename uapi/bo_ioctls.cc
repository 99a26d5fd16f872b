// SPDX-License-Identifier: MIT
//
// BO_CREATE, BO_MMAP_OFFSET, GEM_CLOSE, GEM_FLINK, GEM_OPEN: panthor-uapi.md A.5, B.2.
#include <drm/panthor_drm.h>

#include "uapi/ioctl_handlers.h"
#include "uapi/reject.h"

namespace pantry::uapi {

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
  PANTRY_TRY_ASSIGN(
      Ref<driver::Buffer> buffer,
      call.file.device().buffers().create(args.size, args.flags, std::move(exclusive_to)));
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

Result<> gem_close(Call& call) {
  const auto& args = call.arg<drm_gem_close>();
  return call.file.close_buffer(args.handle);
}

Result<> gem_flink(Call& call) {
  const auto& args = call.arg<drm_gem_flink>();
  if (!call.file.buffer(args.handle))
    return reject(Errno::kNoEnt, "GEM_FLINK: buffer {} is unknown", args.handle);
  log_gap("uapi", "GEM_FLINK: global names are not emulated");
  return Error(Errno::kNotSupp);
}

Result<> gem_open(Call& call) {
  // Nothing ever has a global name (gem_flink).
  return reject(Errno::kNoEnt, "GEM_OPEN: no buffer is named {}", call.arg<drm_gem_open>().name);
}

}  // namespace pantry::uapi
