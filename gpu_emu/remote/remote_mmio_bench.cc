// SPDX-License-Identifier: MIT
//
// One register read, in the process of the device and over the wire.
#include <benchmark/benchmark.h>

#include "gpu_emu/datasheet/gpu_control.h"
#include "gpu_emu/gpu.h"
#include "gpu_emu/remote/host_end.h"

namespace pantry::emu {
namespace {

void BM_RemoteRead(benchmark::State& state) {
  HostEnd host;
  RemoteMmio& mmio = host.connect();
  for (auto _ : state) benchmark::DoNotOptimize(mmio.read32(datasheet::gpu_control::kGpuId.offset));
  if (mmio.status() != 0) state.SkipWithError("the device has refused");
}
BENCHMARK(BM_RemoteRead);

struct Ports final : IrqLine, Wake, TimeSource {
  void set(bool) override {}
  void wake() override {}
  TimePoint now() override { return {}; }
};

void BM_LocalRead(benchmark::State& state) {
  Ports ports;
  alignas(kPageSize) static std::uint8_t dram[kPageSize];
  std::atomic<std::uint32_t> page{0};
  Gpu gpu(datasheet::kMaliG610, {},
          {.dram = {HostEnd::kDramBase, kPageSize, dram},
           .gpu_irq = &ports,
           .job_irq = &ports,
           .mmu_irq = &ports,
           .user_page = {&page},
           .wake = &ports,
           .time = &ports,
           .frame_owner = nullptr},
          StreamPolicy::kAll);
  for (auto _ : state) benchmark::DoNotOptimize(gpu.read32(datasheet::gpu_control::kGpuId.offset));
}
BENCHMARK(BM_LocalRead);

}  // namespace
}  // namespace pantry::emu
