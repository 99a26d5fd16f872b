// SPDX-License-Identifier: MIT
//
// The ioctls of a dma-buf descriptor: SYNC. EXPORT_SYNC_FILE and IMPORT_SYNC_FILE are gaps, and say
// so.
#pragma once

#include "uapi/session.h"

namespace pantry::uapi {

// EINVAL, EFAULT; ENOTTY for any other command.
IoctlReply dma_buf_ioctl(std::uint32_t command, UserAddr argument, UserMemory& memory);

}  // namespace pantry::uapi
