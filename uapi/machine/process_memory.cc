// SPDX-License-Identifier: MIT
#include "uapi/machine/process_memory.h"

#include <fmt/core.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "base/log.h"

namespace pantry::uapi {
namespace {

using Transfer = decltype(::process_vm_readv);

ssize_t move(Transfer transfer, pid_t thread, void* here, UserAddr there, std::size_t bytes) {
  const iovec local{here, bytes};
  const iovec remote{reinterpret_cast<void*>(there.value), bytes};
  return transfer(thread, &local, 1, &remote, 1, 0);
}

// A process whose first thread has ended goes on with the others, but its own number has no memory
// any more: theirs have.
ssize_t move_by_another_thread(Transfer transfer, pid_t pid, void* here, UserAddr there,
                               std::size_t bytes) {
  ssize_t moved = -1;
  std::error_code gone;
  for (std::filesystem::directory_iterator task(fmt::format("/proc/{}/task", pid), gone), end;
       !gone && task != end; task.increment(gone)) {
    moved = move(transfer, std::atoi(task->path().filename().c_str()), here, there, bytes);
    if (moved >= 0 || errno != ESRCH) return moved;
  }
  errno = ESRCH;
  return -1;
}

Result<> move_all(Transfer transfer, pid_t pid, void* here, UserAddr there, std::size_t bytes) {
  if (bytes == 0) return {};
  ssize_t moved = move(transfer, pid, here, there, bytes);
  if (moved < 0 && errno == ESRCH)
    moved = move_by_another_thread(transfer, pid, here, there, bytes);
  if (moved == static_cast<ssize_t>(bytes)) return {};
  if (moved < 0 && errno == EPERM)
    log_error("uapi/machine", "process {}: the host may not read its memory (ptrace restrictions)",
              pid);
  log_client("uapi/machine", "process {}: {} bytes at {:#x} are not all its memory", pid, bytes,
             there.value);
  return Error(Errno::kFault);
}

}  // namespace

Result<> ProcessMemory::read(UserAddr from, void* to, std::size_t bytes) {
  return move_all(::process_vm_readv, pid_, to, from, bytes);
}

Result<> ProcessMemory::write(UserAddr to, const void* from, std::size_t bytes) {
  return move_all(::process_vm_writev, pid_, const_cast<void*>(from), to, bytes);
}

}  // namespace pantry::uapi
