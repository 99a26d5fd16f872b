// SPDX-License-Identifier: MIT
#include "tools/info_command.h"

#include <drm/panthor_drm.h>
#include <fmt/core.h>

#include "driver/kernel/thread_executor.h"
#include "uapi/machine/local_client.h"

namespace pantry::tools {
namespace {

template <class T>
bool query(uapi::LocalClient& client, std::uint32_t type, T& value) {
  drm_panthor_dev_query args{type, sizeof value, reinterpret_cast<std::uint64_t>(&value)};
  return client.call(DRM_IOCTL_PANTHOR_DEV_QUERY, args) == 0;
}

}  // namespace

int info_command(const uapi::MachineConfig& config) {
  driver::ThreadExecutor executor(1);
  auto machine = uapi::Machine::create(executor, config);
  if (!machine) {
    fmt::print(stderr, "pantry: the machine cannot be brought up: {}\n", name_of(machine.error()));
    return 1;
  }
  uapi::LocalClient client(**machine, driver::NodeType::kRender, {});
  char name[16] = {};
  drm_version version{};
  version.name = name;
  version.name_len = sizeof name - 1;
  drm_panthor_gpu_info gpu{};
  drm_panthor_csif_info csif{};
  if (client.call(DRM_IOCTL_VERSION, version) != 0 ||
      !query(client, DRM_PANTHOR_DEV_QUERY_GPU_INFO, gpu) ||
      !query(client, DRM_PANTHOR_DEV_QUERY_CSIF_INFO, csif))
    return 1;
  fmt::print("driver              {} {}.{}.{}\n", name, version.version_major,
             version.version_minor, version.version_patchlevel);
  fmt::print("gpu_id              {:#010x} (architecture {}.{}.{}, product {})\n", gpu.gpu_id,
             DRM_PANTHOR_ARCH_MAJOR(gpu.gpu_id), DRM_PANTHOR_ARCH_MINOR(gpu.gpu_id),
             DRM_PANTHOR_ARCH_REV(gpu.gpu_id), DRM_PANTHOR_PRODUCT_MAJOR(gpu.gpu_id));
  fmt::print("csf_id              {:#010x}\n", gpu.csf_id);
  fmt::print("VA bits             {}\n", DRM_PANTHOR_MMU_VA_BITS(gpu.mmu_features));
  fmt::print("PA bits             {}\n", gpu.mmu_features >> 8 & 0xff);
  fmt::print("address spaces      {:#x}\n", gpu.as_present);
  fmt::print("shader cores        {:#x}\n", static_cast<unsigned long long>(gpu.shader_present));
  fmt::print("group slots         {}\n", csif.csg_slot_count);
  fmt::print("queues per group    {}\n", csif.cs_slot_count);
  fmt::print("registers           {} ({} not preserved)\n", csif.cs_reg_count,
             csif.unpreserved_cs_reg_count);
  fmt::print("scoreboard entries  {}\n", csif.scoreboard_slot_count);
  return 0;
}

}  // namespace pantry::tools
