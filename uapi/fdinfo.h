// SPDX-License-Identifier: MIT
//
// What /proc/PID/fdinfo/FD shows of descriptors of ours, behind the lines that every file has
// (panthor-uapi.md B.5).
#pragma once

#include <string>

#include "uapi/session.h"

namespace pantry::uapi {

// Of a device node: nothing on uAPI 1.0, the client and the GPU's clock from 1.1 on, and
// what its jobs have taken of the GPU while they are profiled; memory from 1.4 on. Walks the file's
// buffers and the mappings of its VMs. Throws std::bad_alloc.
std::string device_fdinfo(driver::File& file, const Features& features);
// Of a dma-buf: size, exporter and name. Throws std::bad_alloc.
std::string dma_buf_fdinfo(const driver::Buffer& buffer);

}  // namespace pantry::uapi
