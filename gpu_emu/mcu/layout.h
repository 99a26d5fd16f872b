// SPDX-License-Identifier: MIT
//
// How this firmware lays out the shared section, as offsets from its start: where the drivers want
// the control blocks, and behind them the input and output blocks at places of our choice.
//
//   0x0000 GLB control   0x1000 + 0x100 g    CSG g control, CS s control at +0x40 + 12 s
//   0x2000 GLB input     0x4000 + 0x2000 g   CSG g input, CS s input at +0x400 + 0x80 s
//   0x3000 GLB output    0x5000 + 0x2000 g   CSG g output, CS s output at +0x400 + 0x100 s
//
// No page is written by both sides. Constants only.
#pragma once

#include <cstdint>

#include "gpu_emu/cs/stream_state.h"
#include "gpu_emu/datasheet/firmware_interface.h"
#include "gpu_emu/mcu/firmware_dump.h"

namespace pantry::emu::layout {

inline constexpr std::uint32_t kSectionBytes = 0x1'4000;

inline constexpr std::uint32_t kGlbControl = 0x0000;
inline constexpr std::uint32_t kGlbInput = 0x2000;
inline constexpr std::uint32_t kGlbOutput = 0x3000;

inline constexpr std::uint32_t kGroupStride = 0x100;
inline constexpr std::uint32_t kStreamStride = datasheet::cs::control::kBytes;
static_assert(datasheet::firmware_interface::kStreamControls + kStreamSlots * kStreamStride <=
              kGroupStride);

constexpr std::uint32_t csg_control(std::uint32_t group) {
  return datasheet::firmware_interface::group_control(group, kGroupStride);
}
constexpr std::uint32_t cs_control(std::uint32_t group, std::uint32_t stream) {
  return datasheet::firmware_interface::stream_control(group, kGroupStride, stream, kStreamStride);
}
constexpr std::uint32_t csg_input(std::uint32_t group) { return 0x4000 + 0x2000 * group; }
constexpr std::uint32_t csg_output(std::uint32_t group) { return 0x5000 + 0x2000 * group; }
constexpr std::uint32_t cs_input(std::uint32_t group, std::uint32_t stream) {
  return csg_input(group) + 0x400 + 0x80 * stream;
}
constexpr std::uint32_t cs_output(std::uint32_t group, std::uint32_t stream) {
  return csg_output(group) + 0x400 + 0x100 * stream;
}
static_assert(csg_input(kGroupSlots) == kSectionBytes);
static_assert(cs_output(0, kStreamSlots) <= csg_input(1));

}  // namespace pantry::emu::layout
