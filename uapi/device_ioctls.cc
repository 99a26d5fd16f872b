// SPDX-License-Identifier: MIT
//
// DEV_QUERY: panthor-uapi.md A.2.
#include <drm/panthor_drm.h>

#include <cstddef>

#include "uapi/ioctl_handlers.h"
#include "uapi/reject.h"

namespace pantry::uapi {
namespace {

drm_panthor_gpu_info gpu_info(const Call& call) {
  const driver::GpuInfo& gpu = call.file.device().gpu_info();
  drm_panthor_gpu_info info{};
  info.gpu_id = gpu.gpu_id;
  info.gpu_rev = gpu.gpu_rev;
  info.csf_id = gpu.csf_id;
  info.l2_features = gpu.l2_features;
  info.tiler_features = gpu.tiler_features;
  info.mem_features = gpu.mem_features;
  info.mmu_features = gpu.mmu_features;
  info.thread_features = gpu.thread_features;
  info.max_threads = gpu.max_threads;
  info.thread_max_workgroup_size = gpu.thread_max_workgroup_size;
  info.thread_max_barrier_size = gpu.thread_max_barrier_size;
  info.coherency_features = gpu.coherency_features;
  for (int i = 0; i < 4; ++i) info.texture_features[i] = gpu.texture_features[i];
  info.as_present = gpu.as_present;
  if (call.features.wb_mmap) info.selected_coherency = gpu.selected_coherency;
  info.shader_present = gpu.shader_present;
  info.l2_present = gpu.l2_present;
  info.tiler_present = gpu.tiler_present;
  info.core_features = gpu.core_features;
  info.gpu_features = gpu.gpu_features;
  return info;
}

drm_panthor_csif_info csif_info(const Call& call) {
  const driver::CsifInfo& csif = call.file.device().csif_info();
  drm_panthor_csif_info info{};
  info.csg_slot_count = csif.csg_slot_count;
  info.cs_slot_count = csif.cs_slot_count;
  info.cs_reg_count = csif.cs_reg_count;
  info.scoreboard_slot_count = csif.scoreboard_slot_count;
  info.unpreserved_cs_reg_count = csif.unpreserved_cs_reg_count;
  return info;
}

// Both halves of a query: the size when there is no pointer, else the struct.
Result<> answer(Call& call, const void* value, std::size_t size, std::size_t minimum) {
  auto& args = call.arg<drm_panthor_dev_query>();
  if (args.pointer == 0) {
    args.size = static_cast<std::uint32_t>(size);
    return {};
  }
  return write_query(call.memory, {args.pointer}, args.size, value, size, minimum);
}

}  // namespace

Result<> dev_query(Call& call) {
  const auto& args = call.arg<drm_panthor_dev_query>();
  switch (args.type) {
    case DRM_PANTHOR_DEV_QUERY_GPU_INFO: {
      const drm_panthor_gpu_info info = gpu_info(call);
      const std::size_t size = call.features.gpu_features_field
                                   ? sizeof info
                                   : offsetof(drm_panthor_gpu_info, gpu_features);
      return answer(call, &info, size, offsetof(drm_panthor_gpu_info, core_features));
    }
    case DRM_PANTHOR_DEV_QUERY_CSIF_INFO: {
      const drm_panthor_csif_info info = csif_info(call);
      return answer(call, &info, sizeof info, sizeof info);
    }
    default:
      return reject(Errno::kInval, "DEV_QUERY: type {} is unknown at uAPI 1.{}", args.type,
                    call.features.minor);
  }
}

}  // namespace pantry::uapi
