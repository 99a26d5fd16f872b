// SPDX-License-Identifier: MIT
//
// What files of the device in debugfs show.
#pragma once

#include <string>

#include "driver/device/device.h"

namespace pantry::uapi {

// gpuvas: every mapping of every VM, the firmware's first, as the DRM core prints them; but an
// object is named by its mmap offset instead of by its address in the kernel. Throws
// std::bad_alloc.
std::string debugfs_gpuvas(driver::Device& device);

}  // namespace pantry::uapi
