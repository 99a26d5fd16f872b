// SPDX-License-Identifier: MIT
#include "uapi/server/remote_memory.h"

#include <sys/uio.h>

#include <cerrno>

#include "base/log.h"

namespace pantry::uapi {
namespace {

Result<> outcome(ssize_t moved, std::size_t wanted, pid_t pid) {
  if (moved == static_cast<ssize_t>(wanted)) return {};
  if (moved < 0 && errno == EPERM)
    log_error("uapi/server", "process {}: the host may not read its memory (ptrace restrictions)", pid);
  return Error(Errno::kFault);
}

}  // namespace

Result<> RemoteMemory::read(UserAddr from, void* to, std::size_t bytes) {
  if (bytes == 0) return {};
  const iovec local{to, bytes};
  const iovec remote{reinterpret_cast<void*>(from.value), bytes};
  return outcome(::process_vm_readv(pid_, &local, 1, &remote, 1, 0), bytes, pid_);
}

Result<> RemoteMemory::write(UserAddr to, const void* from, std::size_t bytes) {
  if (bytes == 0) return {};
  const iovec local{const_cast<void*>(from), bytes};
  const iovec remote{reinterpret_cast<void*>(to.value), bytes};
  return outcome(::process_vm_writev(pid_, &local, 1, &remote, 1, 0), bytes, pid_);
}

}  // namespace pantry::uapi
