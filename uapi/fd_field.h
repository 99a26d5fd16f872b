// SPDX-License-Identifier: MIT
//
// The number of a descriptor, an s32 in the argument of an ioctl of the DRM core, where the
// caller's command is about less than the kernel's struct: what it leaves out reads as zero, which
// is a descriptor too, and is never written.
//
// For the shim too: no C++ library.
#pragma once

#include <linux/ioctl.h>

#include <cstdint>

namespace pantry::uapi {

// How many bytes of the number at `offset` go the way of `direction`: _IOC_WRITE is to the kernel,
// _IOC_READ to the caller.
constexpr unsigned fd_field_bytes(std::uint32_t command, std::uint32_t direction,
                                  std::uint64_t offset) {
  constexpr unsigned kWhole = sizeof(std::int32_t);
  const std::uint64_t size = (_IOC_DIR(command) & direction) != 0 ? _IOC_SIZE(command) : 0;
  if (size <= offset) return 0;
  return size - offset < kWhole ? static_cast<unsigned>(size - offset) : kWhole;
}

}  // namespace pantry::uapi
