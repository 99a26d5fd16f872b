// SPDX-License-Identifier: MIT
#include "gpu_emu/remote/remote_mmio.h"

#include <errno.h>
#include <sys/socket.h>

#include "gpu_emu/remote/wire.h"

namespace pantry::emu {

std::uint32_t RemoteMmio::transfer(std::uint32_t op, std::uint32_t offset, std::uint32_t value) {
  constexpr std::uint32_t kNobody = 0xffff'ffff;
  const pantry_request request{op, offset, value, 0};
  pantry_reply reply{};
  MutexLock lock(mutex_);
  if (status_ == -EPIPE) return kNobody;
  if (::send(socket_.get(), &request, sizeof request, MSG_NOSIGNAL) != sizeof request ||
      ::recv(socket_.get(), &reply, sizeof reply, MSG_WAITALL) != sizeof reply) {
    status_ = -EPIPE;
    return kNobody;
  }
  levels_ = reply.levels;
  if (reply.status == 0) return reply.value;
  if (status_ == 0) status_ = reply.status;
  return kNobody;
}

std::uint32_t RemoteMmio::read32(std::uint32_t offset) {
  return transfer(PANTRY_READ32, offset, 0);
}

void RemoteMmio::write32(std::uint32_t offset, std::uint32_t value) {
  transfer(PANTRY_WRITE32, offset, value);
}

std::uint32_t RemoteMmio::levels() {
  MutexLock lock(mutex_);
  return levels_;
}

int RemoteMmio::status() {
  MutexLock lock(mutex_);
  return status_;
}

}  // namespace pantry::emu
