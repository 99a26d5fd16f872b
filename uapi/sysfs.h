// SPDX-License-Identifier: MIT
//
// What the device's attributes in sysfs show and take (panthor-uapi.md B.5).
#pragma once

#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>

#include "driver/device/device.h"

namespace pantry::uapi {

// What the table of errnos has no name for, since no ioctl returns it.
inline constexpr Errno kRange{ERANGE};

// A number as sysfs attributes take it: decimal, 0x or 0 before it for hexadecimal and octal, a
// plus sign and one line end allowed. EINVAL; ERANGE past 32 bits.
Result<std::uint32_t> parse_attribute(std::string_view text);

// profiling: which counters jobs have noted, as a mask. Throws std::bad_alloc.
std::string show_profiling(driver::Device& device);
// EINVAL for what is no number and for unknown bits, ERANGE; then nothing changes. Jobs submitted
// from now on.
Result<> store_profiling(driver::Device& device, std::string_view text);

}  // namespace pantry::uapi
