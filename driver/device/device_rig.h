// SPDX-License-Identifier: MIT
//
// For tests only: a Device over FakeGpu, under any executor. Goes down with the test; what is left
// on then, or was not given back, is a failure of that test.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>
#include <memory>
#include <optional>

#include "driver/csf/csf_rig.h"
#include "driver/device/device.h"
#include "gpu_emu/datasheet/user_page.h"

namespace pantry::driver {

class DeviceRig {
 public:
  static constexpr std::uint64_t kDramBytes = 64 * kMiB;
  static constexpr PhysAddr kBase{0x8000'0000};

  explicit DeviceRig(Executor& on)
      : executor(on),
        frames({kBase, kDramBytes}, {FrameAllocator::Placement::kScatter, 3, nullptr}),
        gpu_irq_(on.lane(Lane::kIrq)),
        job_irq_(on.lane(Lane::kIrq)),
        mmu_irq_(on.lane(Lane::kIrq)),
        gpu(dram, gpu_irq_, job_irq_, mmu_irq_) {}
  ~DeviceRig() {
    take_down();
    EXPECT_EQ(frames.statistics().used, 0u);
    munmap(dram.host, kDramBytes);
  }

  // kOk: `device` is up.
  Errno probe() {
    auto probed = Device::probe({.executor = executor,
                                 .mmio = gpu,
                                 .dram = dram,
                                 .gpu_irq = gpu_irq_,
                                 .job_irq = job_irq_,
                                 .mmu_irq = mmu_irq_,
                                 .user_page = {&user_page},
                                 .backing = backing_,
                                 .frames = frames,
                                 .firmware_image = kFakeImage,
                                 .autosuspend_delay = autosuspend_delay});
    if (!probed) return probed.error();
    device = *std::move(probed);
    return Errno{};
  }
  void take_down() {
    device.reset();
    EXPECT_FALSE(gpu.is_powered());
    EXPECT_EQ(gpu.mcu_status(), 0u);
    EXPECT_EQ(gpu.job_mask(), 0u);
    EXPECT_EQ(gpu.gpu_mask(), 0u);
  }
  Ref<Group> new_group(const Ref<Vm>& vm) {
    return device->scheduler()
        .create_group(vm, CsfRig::group_args(GroupPriority::kMedium, 1))
        .value();
  }
  // The status of `fence` once it has signalled; 0 when it does not within a minute.
  int result(Fence& fence) {
    return wait_for(fence, executor.clock().now() + seconds(60)) ? fence.status() : 0;
  }

  Executor& executor;
  const emu::Dram dram{
      kBase, kDramBytes,
      static_cast<std::uint8_t*>(mmap(nullptr, kDramBytes, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))};
  FrameAllocator frames;
  std::atomic<std::uint32_t> user_page{0};
  std::optional<Duration> autosuspend_delay;

 private:
  ArenaBacking backing_{dram};
  InterruptLine gpu_irq_, job_irq_, mmu_irq_;

 public:
  FakeGpu gpu;
  std::unique_ptr<Device> device;
};

}  // namespace pantry::driver
