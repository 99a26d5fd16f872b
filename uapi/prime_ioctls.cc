// SPDX-License-Identifier: MIT
//
// PRIME_HANDLE_TO_FD, PRIME_FD_TO_HANDLE: panthor-uapi.md B.3.
#include <drm/panthor_drm.h>
#include <fcntl.h>

#include <cstddef>

#include "uapi/ioctl_handlers.h"
#include "uapi/reject.h"

namespace pantry::uapi {

Result<> prime_handle_to_fd(Call& call) {
  auto& args = call.arg<drm_prime_handle>();
  if ((args.flags & ~static_cast<std::uint32_t>(O_CLOEXEC | O_RDWR)) != 0)
    return reject(Errno::kInval, "PRIME_HANDLE_TO_FD: flags {:#x} are unknown", args.flags);
  Ref<driver::Buffer> buffer = call.file.buffer(args.handle);
  if (!buffer)
    return reject(Errno::kNoEnt, "PRIME_HANDLE_TO_FD: buffer {} is unknown", args.handle);
  if (buffer->exclusive())
    return reject(Errno::kInval, "PRIME_HANDLE_TO_FD: buffer {} is private to a VM", args.handle);
  call.file.note_export(args.handle);
  args.fd = -1;
  call.new_fd =
      NewFd{std::move(buffer), call.user_argument + offsetof(drm_prime_handle, fd),
            (args.flags & O_CLOEXEC) != 0 ? NewFd::OnExec::kClose : NewFd::OnExec::kKeep,
            (args.flags & O_RDWR) != 0 ? NewFd::Access::kReadWrite : NewFd::Access::kReadOnly};
  return {};
}

Result<> prime_fd_to_handle(Call& call) {
  auto& args = call.arg<drm_prime_handle>();
  if (std::holds_alternative<BadFd>(call.fd))
    return reject(Errno::kBadF, "PRIME_FD_TO_HANDLE: descriptor {} is not open", args.fd);
  const auto* buffer = std::get_if<Ref<driver::Buffer>>(&call.fd);
  if (!buffer)
    return reject(Errno::kInval, "PRIME_FD_TO_HANDLE: descriptor {} is not a dma-buf", args.fd);
  PANTRY_TRY_ASSIGN(args.handle, call.file.import_buffer(*buffer));
  return {};
}

}  // namespace pantry::uapi
