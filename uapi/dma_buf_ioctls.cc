// SPDX-License-Identifier: MIT
#include "uapi/dma_buf_ioctls.h"

#include <linux/dma-buf.h>
#include <sys/ioctl.h>

#include "uapi/reject.h"

namespace pantry::uapi {
namespace {

Result<> sync(UserAddr argument, UserMemory& memory) {
  PANTRY_TRY_ASSIGN(const dma_buf_sync args, memory.get<dma_buf_sync>(argument));
  if ((args.flags & ~DMA_BUF_SYNC_VALID_FLAGS_MASK) != 0 || (args.flags & DMA_BUF_SYNC_RW) == 0)
    return reject(Errno::kInval, "DMA_BUF_IOCTL_SYNC: flags {:#x}",
                  static_cast<std::uint64_t>(args.flags));
  return {};  // one copy of the memory, coherent for everybody
}

}  // namespace

IoctlReply dma_buf_ioctl(std::uint32_t command, UserAddr argument, UserMemory& memory) {
  if (command == DMA_BUF_IOCTL_SYNC) {
    const Result<> done = sync(argument, memory);
    return {done ? 0 : negated(done.error()), std::nullopt};
  }
  if (_IOC_TYPE(command) == DMA_BUF_BASE)
    log_gap("uapi", "dma-buf ioctl {:#x} is not emulated", command);
  return {negated(Errno::kNoTty), std::nullopt};
}

}  // namespace pantry::uapi
