// SPDX-License-Identifier: MIT
//
// What puts a buffer's memory at its frames. In a window of DRAM each buffer is a memfd of its own,
// placed at the host addresses of its frames, so that a client can map it and the device sees the
// same bytes; in an arena the frames are plain memory that no client can map (unit tests, page
// tables, firmware).
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "base/types.h"

namespace pantry::driver {

// Owns a file descriptor; -1 is none.
class OwnedFd {
 public:
  OwnedFd() = default;
  explicit OwnedFd(int fd) : fd_(fd) {}
  OwnedFd(OwnedFd&& other) noexcept : fd_(other.release()) {}
  OwnedFd& operator=(OwnedFd&& other) noexcept;
  ~OwnedFd();
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }

 private:
  int fd_ = -1;
};

class Backing {
 public:
  virtual ~Backing() = default;
  // No piece but the last of a buffer is smaller than this: what a placement costs.
  virtual std::uint64_t min_extent() const noexcept = 0;
  // Makes `frames`, in order, the content of a new buffer of `size` bytes, zeroed. The fd is the
  // buffer's memfd (sealed against resizing), or none in an arena. ENOMEM when the host refuses.
  // Blocks, allocates.
  virtual Result<OwnedFd> place(std::span<const PhysExtent> frames, std::uint64_t size) = 0;
  // The frames are about to go back to the allocator: afterwards they hold nothing of the buffer.
  // Never fails. Blocks.
  virtual void withdraw(std::span<const PhysExtent> frames) noexcept = 0;
};

}  // namespace pantry::driver
