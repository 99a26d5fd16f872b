// SPDX-License-Identifier: MIT
//
// The identity of one GPU as data: what its constant registers and its firmware report, and thereby
// what DEV_QUERY shows to clients. gpu_emu/models has others, as files. Facts that no source
// settles are not here but in gpu_emu/quirks.h. A value: no state, no lock, no allocation.
//
// Sources for the G610: register dump in Mesa's drm-shim [M], kernel boot logs of RK3588 boards.
// Values that only the dump gives (thread_features, csf_id, texture_features) deserve a second look
// on hardware.
#pragma once

#include <array>
#include <cstdint>

namespace pantry::datasheet {

struct GpuModel {
  // Registers of GPU_CONTROL, by their names there.
  std::uint32_t gpu_id = 0;
  std::uint32_t rev_id = 0;
  std::uint32_t csf_id = 0;
  std::uint32_t l2_features = 0;
  std::uint32_t core_features = 0;
  std::uint32_t tiler_features = 0;
  std::uint32_t mem_features = 0;
  std::uint32_t mmu_features = 0;
  std::uint32_t thread_features = 0;
  std::uint32_t thread_max_threads = 0;
  std::uint32_t thread_max_workgroup_size = 0;
  std::uint32_t thread_max_barrier_size = 0;
  std::uint32_t coherency_features = 0;
  std::array<std::uint32_t, 4> texture_features = {};
  std::uint32_t as_present = 0;
  std::uint64_t shader_present = 0;
  std::uint64_t tiler_present = 0;
  std::uint64_t l2_present = 0;
  std::uint64_t gpu_features = 0;

  // What the firmware reports.
  std::uint32_t group_slots = 0;   // at most the G610's
  std::uint32_t stream_slots = 0;  // per group; this and what follows is the same on all of v10
  std::uint32_t stream_registers = 0;
  std::uint32_t scoreboards = 0;

  // Ticks of TIMESTAMP per second.
  std::uint64_t timestamp_hz = 0;

  constexpr bool operator==(const GpuModel&) const = default;
};

// The GPU of an RK3588: Mali-G610 with four cores, architecture 10.8.
inline constexpr GpuModel kMaliG610 = {
    .gpu_id = 0xa867'0005,
    .rev_id = 0,
    .csf_id = 0x040a'0412,
    .l2_features = 0x0712'0306,
    .core_features = 0,
    .tiler_features = 0x0000'0809,
    .mem_features = 0x0000'0301,
    .mmu_features = 0x0000'2830,
    .thread_features = 0x0401'0000,
    .thread_max_threads = 2048,
    .thread_max_workgroup_size = 1024,
    .thread_max_barrier_size = 1024,
    .coherency_features = 0,
    .texture_features = {0xc1ff'ff9e, 0, 0, 0},
    .as_present = 0xff,
    .shader_present = 0x0005'0005,
    .tiler_present = 1,
    .l2_present = 1,
    .gpu_features = 0,
    .group_slots = 8,
    .stream_slots = 8,
    .stream_registers = 96,
    .scoreboards = 8,
    .timestamp_hz = 24'000'000,
};

}  // namespace pantry::datasheet
