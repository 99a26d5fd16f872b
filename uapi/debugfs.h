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

// gems: every buffer with its creator, global name, references, sizes in bytes, mmap offset in
// pages, state and usage bits and label, and the sums, in the columns of Panthor's. The driver's
// own buffers have no creator and no label here. Throws std::bad_alloc.
std::string debugfs_gems(driver::Device& device);

}  // namespace pantry::uapi
