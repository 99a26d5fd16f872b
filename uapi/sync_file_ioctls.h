// SPDX-License-Identifier: MIT
//
// The ioctls of a sync_file descriptor: FILE_INFO and MERGE.
#pragma once

#include "uapi/session.h"

namespace pantry::uapi {

// `fd`: for MERGE, what its second descriptor stands for. EINVAL, ENOENT (MERGE with what is no sync_file), EFAULT, ENOMEM;
// ENOTTY for any other command.
IoctlReply sync_file_ioctl(driver::SyncFile& file, std::uint32_t command, UserAddr argument, UserMemory& memory,
                           const FdObject& fd);

}  // namespace pantry::uapi
