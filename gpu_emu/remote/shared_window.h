// SPDX-License-Identifier: MIT
//
// A shared mapping of a file that another process can shrink at any time. Where the file has no
// page any more, an access would be SIGBUS; instead the page becomes private and zero, and lost()
// says so from then on. So the device may use the memory of a peer that it does not trust.
//
// The first window installs the process's SIGBUS handler, which hands on what is none of its
// business. At most kMax windows exist at a time. Any thread may touch the memory.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace pantry::emu {

class SharedWindow {
 public:
  static constexpr int kMax = 32;

  // [offset, offset + bytes) of `fd`, both multiples of 4 KiB. EFAULT when the file is shorter, is
  // no regular file or does not allow it; ENFILE when there are kMax windows.
  static Result<SharedWindow> map(int fd, std::uint64_t offset, std::uint64_t bytes);
  SharedWindow(SharedWindow&& other) noexcept;
  SharedWindow& operator=(SharedWindow&&) = delete;
  ~SharedWindow();

  std::uint8_t* data() const;
  std::uint64_t bytes() const;
  bool lost() const;

 private:
  explicit SharedWindow(int slot) : slot_(slot) {}
  int slot_;
};

}  // namespace pantry::emu
