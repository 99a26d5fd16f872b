// SPDX-License-Identifier: MIT
//
// DEV_QUERY, SET_USER_MMIO_OFFSET: panthor-uapi.md A.2, A.12, errata B.8.
#include <drm/panthor_drm.h>

#include <cstddef>

#include "uapi/group_priority.h"
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
  if (call.features.selected_coherency) info.selected_coherency = gpu.selected_coherency;
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

// Page tables have leaves of 4 KiB and 2 MiB.
constexpr std::uint64_t kLeafSizes = kPageSize | 2 * kMiB;

using TimestampInfo = Features::TimestampInfo;

// The flags of a caller who does not say: what there was before there were flags.
constexpr std::uint32_t kTimestampDefault =
    DRM_PANTHOR_TIMESTAMP_GPU | DRM_PANTHOR_TIMESTAMP_GPU_OFFSET | DRM_PANTHOR_TIMESTAMP_FREQ;
constexpr std::uint32_t kTimestampFlags = kTimestampDefault | DRM_PANTHOR_TIMESTAMP_CPU_TYPE_MASK |
                                          DRM_PANTHOR_TIMESTAMP_GPU_CYCLE_COUNT |
                                          DRM_PANTHOR_TIMESTAMP_DURATION;

Result<> check_timestamp_flags(std::uint32_t flags) {
  const std::uint32_t clock = flags & DRM_PANTHOR_TIMESTAMP_CPU_TYPE_MASK;
  if (clock != DRM_PANTHOR_TIMESTAMP_CPU_NONE && clock != DRM_PANTHOR_TIMESTAMP_CPU_MONOTONIC &&
      clock != DRM_PANTHOR_TIMESTAMP_CPU_MONOTONIC_RAW)
    return reject(Errno::kInval, "DEV_QUERY TIMESTAMP_INFO: CPU clock {} is unknown", clock >> 1);
  if ((flags & ~kTimestampFlags) != 0)
    return reject(Errno::kInval, "DEV_QUERY TIMESTAMP_INFO: flags {:#x} are unknown",
                  flags & ~kTimestampFlags);
  return {};
}

// What `flags` name; the rest is 0.
drm_panthor_timestamp_info timestamp_info(driver::Device& device, std::uint32_t flags) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  driver::Clock& clock = device.executor().clock();
  drm_panthor_timestamp_info info{};
  const auto wants = [flags](std::uint32_t what) { return (flags & what) != 0; };
  const std::uint32_t cpu = flags & DRM_PANTHOR_TIMESTAMP_CPU_TYPE_MASK;
  const TimePoint start = clock.now();
  // The stamps of both sides next to each other.
  const TimePoint stamp =
      cpu == DRM_PANTHOR_TIMESTAMP_CPU_MONOTONIC_RAW ? clock.raw_now() : clock.now();
  const driver::GpuTime time = device.gpu_time();
  if (wants(DRM_PANTHOR_TIMESTAMP_DURATION))
    info.duration_nsec = static_cast<std::uint32_t>((clock.now() - start).ns);
  if (wants(DRM_PANTHOR_TIMESTAMP_GPU)) info.current_timestamp = time.timestamp;
  if (wants(DRM_PANTHOR_TIMESTAMP_GPU_OFFSET)) info.timestamp_offset = time.timestamp_offset;
  if (wants(DRM_PANTHOR_TIMESTAMP_GPU_CYCLE_COUNT)) info.cycle_count = time.cycles;
  if (wants(DRM_PANTHOR_TIMESTAMP_FREQ)) info.timestamp_frequency = device.timestamp_hz();
  if (cpu != DRM_PANTHOR_TIMESTAMP_CPU_NONE) {
    info.cpu_timestamp_sec = static_cast<std::uint64_t>(stamp.ns / kSecond);
    info.cpu_timestamp_nsec = static_cast<std::uint64_t>(stamp.ns % kSecond);
  }
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

constexpr std::size_t kTimestampMinimum = offsetof(drm_panthor_timestamp_info, timestamp_offset);

Result<> answer_timestamp_whole(Call& call) {
  const drm_panthor_timestamp_info info = timestamp_info(call.file.device(), kTimestampDefault);
  return answer(call, &info, offsetof(drm_panthor_timestamp_info, flags), kTimestampMinimum);
}

// The one query with an input. A buffer that is too short to be written has run the query first.
Result<> answer_timestamp_chosen(Call& call) {
  const auto& args = call.arg<drm_panthor_dev_query>();
  drm_panthor_timestamp_info info{};
  if (args.pointer != 0) {
    drm_panthor_timestamp_info asked;
    PANTRY_TRY(read_query(call.memory, {args.pointer}, args.size, &asked, sizeof asked));
    PANTRY_TRY(check_timestamp_flags(asked.flags));
    info = timestamp_info(call.file.device(), asked.flags != 0 ? asked.flags : kTimestampDefault);
    info.flags = asked.flags;
  }
  return answer(call, &info, sizeof info, kTimestampMinimum);
}

Result<> unknown_query(const Call& call, std::uint32_t type) {
  return reject(Errno::kInval, "DEV_QUERY: type {} is unknown at uAPI 1.{}", type,
                call.features.minor);
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
    case DRM_PANTHOR_DEV_QUERY_TIMESTAMP_INFO:
      switch (call.features.timestamp_info) {
        case TimestampInfo::kUnknown:
          return unknown_query(call, args.type);
        case TimestampInfo::kWhole:
          return answer_timestamp_whole(call);
        case TimestampInfo::kChosen:
          return answer_timestamp_chosen(call);
      }
      break;
    case DRM_PANTHOR_DEV_QUERY_GROUP_PRIORITIES_INFO: {
      if (!call.features.group_priorities_info) break;
      drm_panthor_group_priorities_info info{};
      for (std::uint32_t p = 0; p <= PANTHOR_GROUP_PRIORITY_REALTIME; ++p)
        if (may_use_priority(call, p)) info.allowed_mask |= static_cast<std::uint8_t>(1u << p);
      return answer(call, &info, sizeof info, sizeof info);
    }
    case DRM_PANTHOR_DEV_QUERY_MMU_INFO: {
      if (!call.features.mmu_info) break;
      const drm_panthor_mmu_info info{kLeafSizes};
      return answer(call, &info, sizeof info, sizeof info);
    }
  }
  return unknown_query(call, args.type);
}

Result<> set_user_mmio_offset(Call& call) {
  const std::uint64_t offset = call.arg<drm_panthor_set_user_mmio_offset>().offset;
  if (offset != DRM_PANTHOR_USER_MMIO_OFFSET_32BIT && offset != DRM_PANTHOR_USER_MMIO_OFFSET_64BIT)
    return reject(Errno::kInval, "SET_USER_MMIO_OFFSET: {:#x} is no window", offset);
  call.settings.user_mmio_offset.store(offset, std::memory_order_relaxed);
  return {};
}

}  // namespace pantry::uapi
