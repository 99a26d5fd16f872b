// SPDX-License-Identifier: MIT
//
// The ioctls of a dma-buf descriptor: SYNC, SET_NAME, EXPORT_SYNC_FILE and IMPORT_SYNC_FILE. The
// last two are how explicit and implicit synchronisation meet: jobs of Panthor are bookkeeping in
// the buffer's reservation, which nobody sees there until a client imports their fences as reads or
// writes.
#pragma once

#include "uapi/session.h"

namespace pantry::uapi {

struct DmaBufReply : IoctlReply {
  // Not null: the reply holds once this has signalled, or is EINTR when a signal of the client's
  // comes first. Of SYNC, whose access begins when those that exclude it are over.
  Ref<driver::Fence> after = nullptr;
};

// `fd`: for IMPORT_SYNC_FILE, what its descriptor stands for. EINVAL (flags; no sync_file; a name
// of more than 31 characters), EFAULT,
// ENOMEM; ENOTTY for any other command.
DmaBufReply dma_buf_ioctl(driver::Buffer& buffer, std::uint32_t command, UserAddr argument,
                          UserMemory& memory, const FdObject& fd);

}  // namespace pantry::uapi
