// SPDX-License-Identifier: MIT
//
// The files that a DRM device shows in /dev and /sys, as a real tree that the shim points its
// client to: what libdrm and IGT read to find a Mali behind the platform bus (client-facing names
// as an RK3588's), and the device and sw_sync in debugfs.
#pragma once

#include <string>

#include "base/result.h"
#include "uapi/features.h"

namespace pantry::uapi {

// Builds the tree below `root`, which must not exist, with the files that there are on this minor.
// The device nodes in it are placeholders: socket inodes, which can be looked at but not opened.
Result<> make_device_tree(const std::string& root, const Features& features);

}  // namespace pantry::uapi
