// SPDX-License-Identifier: MIT
//
// The ioctls of a sync_file descriptor: FILE_INFO, MERGE and SET_DEADLINE.
#pragma once

#include <linux/ioctl.h>

#include "uapi/session.h"

namespace pantry::uapi {

// SYNC_IOC_SET_DEADLINE and its argument, which are younger than the headers of Debian 12.
struct SyncSetDeadline {
  std::uint64_t deadline_ns;
  std::uint64_t pad;
};
inline constexpr std::uint32_t kSyncSetDeadline = _IOW('>', 5, SyncSetDeadline);

// `fd`: for MERGE, what its second descriptor stands for. EINVAL, ENOENT (MERGE with what is no
// sync_file), EFAULT, ENOMEM; ENOTTY for any other command.
IoctlReply sync_file_ioctl(driver::SyncFile& file, std::uint32_t command, UserAddr argument,
                           UserMemory& memory, const FdObject& fd);

}  // namespace pantry::uapi
