// SPDX-License-Identifier: MIT
//
// The firmware interface as a whole: where the control blocks stand in the shared section, and the
// limits that a driver checks at boot. The blocks themselves are in glb_interface.h,
// csg_interface.h and cs_interface.h; input and output blocks stand wherever the control blocks
// say, inside the section. Source: [K]. Constants only.
#pragma once

#include <cstdint>

#include "gpu_emu/datasheet/cs_interface.h"
#include "gpu_emu/datasheet/csg_interface.h"
#include "gpu_emu/datasheet/glb_interface.h"
#include "gpu_emu/datasheet/offset.h"

namespace pantry::datasheet::firmware_interface {

// The MCU address of the shared section; the global control block stands at its start.
inline constexpr std::uint32_t kSharedSectionVa = 0x0400'0000;

inline constexpr Offset kGroupControls = 0x1000;  // offset of group slot 0 in the section
inline constexpr Offset kStreamControls = 0x40;   // offset of CS slot 0 in its group control block

// Offsets in the section. With strides of 0x100 and 12: group_control(2, 0x100) == 0x1200 and
// stream_control(2, 0x100, 1, 12) == 0x124c.
constexpr Offset group_control(std::uint32_t group, std::uint32_t group_stride) {
  return kGroupControls + group * group_stride;
}
constexpr Offset stream_control(std::uint32_t group, std::uint32_t group_stride,
                                std::uint32_t stream, std::uint32_t stream_stride) {
  return group_control(group, group_stride) + kStreamControls + stream * stream_stride;
}

// Panthor refuses firmware outside of these, and firmware whose group slots differ from each other.
inline constexpr std::uint32_t kMinGroups = 3;
inline constexpr std::uint32_t kMaxGroups = 31;
inline constexpr std::uint32_t kMaxUsedGroups = 16;
inline constexpr std::uint32_t kMinStreams = 8;
inline constexpr std::uint32_t kMaxStreams = 32;

}  // namespace pantry::datasheet::firmware_interface
