// SPDX-License-Identifier: MIT
#include "driver/gem/backing.h"

#include <unistd.h>

namespace pantry::driver {

OwnedFd& OwnedFd::operator=(OwnedFd&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) close(fd_);
    fd_ = other.release();
  }
  return *this;
}

OwnedFd::~OwnedFd() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace pantry::driver
