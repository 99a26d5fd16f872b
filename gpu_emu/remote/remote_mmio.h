// SPDX-License-Identifier: MIT
//
// The host's end of a connection: registers of a device in another process. For drivers in C++,
// benchmarks and tests; a kernel speaks the protocol by itself. Any thread; one access at a time is
// under way. Allocates nothing.
#pragma once

#include "base/mutex.h"
#include "gpu_emu/ports.h"
#include "gpu_emu/remote/descriptor.h"

namespace pantry::emu {

class RemoteMmio final : public Mmio {
 public:
  // A connection whose handshake is over.
  explicit RemoteMmio(Descriptor socket) : socket_(std::move(socket)) {}

  // A device that has hung up, or refuses, reads as all ones and takes no write, as a bus without a
  // device does.
  std::uint32_t read32(std::uint32_t offset) override;
  void write32(std::uint32_t offset, std::uint32_t value) override;

  // Of the lines, as of the last access: bit n is line n.
  std::uint32_t levels();
  // The first negative status that a reply had, -EPIPE after a hang-up, or 0.
  int status();

 private:
  std::uint32_t transfer(std::uint32_t op, std::uint32_t offset, std::uint32_t value);

  const Descriptor socket_;
  Mutex mutex_;
  std::uint32_t levels_ PANTRY_GUARDED_BY(mutex_) = 0;
  int status_ PANTRY_GUARDED_BY(mutex_) = 0;
};

}  // namespace pantry::emu
