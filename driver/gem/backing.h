// SPDX-License-Identifier: MIT
//
// What puts a buffer's memory at its frames. In a window of DRAM each buffer is a memfd of its own,
// placed at the host addresses of its frames, so that a client can map it and the device sees the
// same bytes; in an arena the frames are plain memory that no client can map (unit tests, page
// tables, firmware).
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"
#include "base/signalling.h"
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

// What a buffer holds while it has no frames, where that is not in its memfd.
using ParkedContent = std::unique_ptr<std::uint8_t[]>;

class Backing {
 public:
  virtual ~Backing() = default;
  // No piece but the last of a buffer is smaller than this: what a placement costs.
  virtual std::uint64_t min_extent() const noexcept = 0;
  // Makes `frames`, in order, the content of a new buffer of `size` bytes, zeroed. The fd is the
  // buffer's memfd (sealed against resizing), or none in an arena. ENOMEM when the host refuses.
  // Blocks, allocates.
  virtual Result<OwnedFd> place(std::span<const PhysExtent> frames,
                                std::uint64_t size) PANTRY_MAY_ALLOCATE = 0;
  // The frames are about to go back to the allocator: afterwards they hold nothing of the buffer.
  // Never fails. Blocks.
  virtual void withdraw(std::span<const PhysExtent> frames) noexcept = 0;

  // Eviction: as withdraw, but the content is kept, in the memfd that clients have mapped or, if
  // there is none, in what is returned. So a client's CPU mapping neither goes away nor has to
  // fault anything in. ENOMEM: nothing has changed. Blocks, allocates.
  virtual Result<ParkedContent> park(std::span<const PhysExtent> frames,
                                     std::uint64_t size) PANTRY_MAY_ALLOCATE = 0;
  // The way back, to any `frames` of the same size in all. ENOMEM: `frames` hold nothing of it, and
  // the content is where it was. Blocks.
  virtual Result<> unpark(std::span<const PhysExtent> frames, std::uint64_t size, int memfd,
                          const ParkedContent& content) PANTRY_MAY_ALLOCATE = 0;
  // Reads or writes a part of what is parked. False: the host fails.
  virtual bool read_parked(int memfd, const ParkedContent& content, std::uint64_t offset, void* to,
                           std::uint64_t bytes) = 0;
  virtual bool write_parked(int memfd, const ParkedContent& content, std::uint64_t offset,
                            const void* from, std::uint64_t bytes) = 0;
};

}  // namespace pantry::driver
