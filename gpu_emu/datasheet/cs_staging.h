// SPDX-License-Identifier: MIT
//
// The registers in which RUN_* instructions find their operands, by number. Where an instruction
// has a select field, the register is kFirst + kStep * select. Source: [M]. Constants only.
#pragma once

#include <cstdint>

#include "gpu_emu/datasheet/field.h"

namespace pantry::datasheet::isa::staging {

// Pairs; four of each, chosen by the selects of RUN_COMPUTE, RUN_TILING and RUN_IDVS.
inline constexpr std::uint8_t kSrtFirst = 0;   // resource tables
inline constexpr std::uint8_t kFauFirst = 8;   // uniforms
inline constexpr std::uint8_t kSpdFirst = 16;  // shader program descriptors
inline constexpr std::uint8_t kTsdFirst = 24;  // thread storage descriptors
inline constexpr std::uint8_t kStep = 2;

struct SrtPointer {
  using TableCount = Field<5, 0>;
};
struct FauPointer {
  using Address = Field<55, 0, std::uint64_t>;
  using EntryCount = Field<63, 56>;  // of 64 bits each
};

namespace compute {
inline constexpr std::uint8_t kGlobalAttributeOffset = 32;
inline constexpr std::uint8_t kWorkgroupSize = 33;  // fields: WorkgroupSize
inline constexpr std::uint8_t kJobOffset = 34;      // x, y, z
inline constexpr std::uint8_t kJobSize = 37;        // x, y, z in workgroups

struct WorkgroupSize {
  using XMinus1 = Field<9, 0>;
  using YMinus1 = Field<19, 10>;
  using ZMinus1 = Field<29, 20>;
  using AllowMerging = Bit<31>;
};
}  // namespace compute

namespace idvs {
inline constexpr std::uint8_t kGlobalAttributeOffset = 32;
inline constexpr std::uint8_t kIndexCount = 33;
inline constexpr std::uint8_t kInstanceCount = 34;
inline constexpr std::uint8_t kIndexOffset = 35;
inline constexpr std::uint8_t kVertexOffset = 36;
inline constexpr std::uint8_t kInstanceOffset = 37;
inline constexpr std::uint8_t kDcd2 = 38;
inline constexpr std::uint8_t kIndexBufferBytes = 39;
inline constexpr std::uint8_t kTilerContext = 40;  // pair
inline constexpr std::uint8_t kScissor = 42;       // pair
inline constexpr std::uint8_t kDepthClampLow = 44;
inline constexpr std::uint8_t kDepthClampHigh = 45;
inline constexpr std::uint8_t kOcclusion = 46;  // pair
inline constexpr std::uint8_t kVaryingSize = 48;
inline constexpr std::uint8_t kBlend = 50;         // pair
inline constexpr std::uint8_t kDepthStencil = 52;  // pair
inline constexpr std::uint8_t kIndexBuffer = 54;   // pair
inline constexpr std::uint8_t kTilerFlags = 56;
inline constexpr std::uint8_t kDcd0 = 57;
inline constexpr std::uint8_t kDcd1 = 58;
inline constexpr std::uint8_t kPrimitiveSize = 60;  // pair
}  // namespace idvs

namespace fragment {
inline constexpr std::uint8_t kFramebuffer = 40;  // pair; tag in bits 5:0
inline constexpr std::uint8_t kBoundsMin = 42;    // fields: Bounds
inline constexpr std::uint8_t kBoundsMax = 43;    // fields: Bounds
inline constexpr std::uint8_t kTemPointer = 44;   // pair
inline constexpr std::uint8_t kTemRowStride = 46;

struct Bounds {
  using X = Field<15, 0>;
  using Y = Field<31, 16>;
};
}  // namespace fragment

}  // namespace pantry::datasheet::isa::staging
