// SPDX-License-Identifier: MIT
//
// The firmware file of the emulated MCU. Its behaviour is emulated at a high level, so the image
// holds no code: one shared, zero-filled section, 0x04000000 to 0x04014000, in which the interface
// is published (mali-csf-hw.md §3.1).
#pragma once

#include <array>
#include <cstdint>

namespace pantry::uapi {

inline constexpr std::array<std::uint8_t, 44> kFirmwareImage = {
    // Header: magic, minor 3, major 0, version hash, padding, end of the entry table.
    0x6e, 0x3a, 0xf1, 0xc3, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x2c, 0x00, 0x00, 0x00,
    // Entry: section, 24 bytes.
    0x00, 0x18, 0x00, 0x00,
    // Flags (read, write, uncached, shared, zero), VA from and to, no data.
    0x13, 0x00, 0x00, 0xc0, 0x00, 0x00, 0x00, 0x04, 0x00, 0x40, 0x01, 0x04, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00};

}  // namespace pantry::uapi
