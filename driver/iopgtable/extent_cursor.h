// SPDX-License-Identifier: MIT
//
// A position in a buffer's frames. The page table reads where it is and how much lies contiguously
// ahead, and advances by what it mapped, so that after a map the cursor says how far it came. A
// view: the extents outlive it. Allocates nothing.
#pragma once

#include <cstdint>
#include <span>

#include "base/check.h"
#include "base/types.h"

namespace pantry::driver {

class ExtentCursor {
 public:
  // Starts `offset` bytes into the concatenation of `extents`.
  ExtentCursor(std::span<const PhysExtent> extents, std::uint64_t offset) : extents_(extents) {
    advance(offset);
  }

  // Pre: not at the end.
  PhysAddr address() const {
    PANTRY_CHECK(!extents_.empty());
    return extents_.front().start + into_;
  }
  // Bytes from address() to the end of the extent; 0 at the end of the buffer.
  std::uint64_t contiguous() const { return extents_.empty() ? 0 : extents_.front().size - into_; }
  // What lies ahead: into() bytes into the first of these.
  std::span<const PhysExtent> extents() const { return extents_; }
  std::uint64_t into() const { return into_; }
  void advance(std::uint64_t bytes) {
    if (bytes < contiguous()) {
      into_ += bytes;
      return;
    }
    into_ += bytes;
    while (!extents_.empty() && into_ >= extents_.front().size) {
      into_ -= extents_.front().size;
      extents_ = extents_.subspan(1);
    }
    PANTRY_CHECK(!extents_.empty() || into_ == 0);
  }

 private:
  std::span<const PhysExtent> extents_;
  std::uint64_t into_ = 0;  // the first of extents_
};

}  // namespace pantry::driver
