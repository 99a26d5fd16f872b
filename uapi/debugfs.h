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

// clients: every open file, the oldest first: whose it is, of which minor, whether it is master and
// authenticated, and its magic number; as the DRM core of Linux 6.12 prints them. Throws
// std::bad_alloc.
std::string debugfs_clients(driver::Device& device);

// gem_names: the buffers that FLINK has given a global name: it, the size in bytes, how many
// handles and references there are. Throws std::bad_alloc.
std::string debugfs_gem_names(driver::Device& device);

}  // namespace pantry::uapi
