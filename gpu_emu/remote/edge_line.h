// SPDX-License-Identifier: MIT
//
// An interrupt line whose consumer is in another process: the level stays here, a rising edge goes
// out as one byte. Used by one thread. Never blocks, allocates nothing.
#pragma once

#include <sys/socket.h>

#include <cstdint>

#include "gpu_emu/ports.h"
#include "gpu_emu/remote/wire.h"

namespace pantry::emu {

class EdgeLine final : public IrqLine {
 public:
  // `socket` stays open as long as the line.
  EdgeLine(pantry_line number, int socket)
      : number_(static_cast<std::uint8_t>(number)), socket_(socket) {}

  void set(bool level) override {
    if (level && !level_) {
      ++edges_;
      (void)::send(socket_, &number_, sizeof number_, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    level_ = level;
  }
  // The line's bit in pantry_reply::levels.
  std::uint32_t bit() const { return level_ ? 1u << number_ : 0; }
  std::uint64_t edges() const { return edges_; }

 private:
  const std::uint8_t number_;
  const int socket_;
  bool level_ = false;
  std::uint64_t edges_ = 0;
};

}  // namespace pantry::emu
