// SPDX-License-Identifier: MIT
//
// Descriptors sent in messages, between a test and its children. Made before the fork; either side
// may use either end.
#pragma once

#include "igt_tests/lib/unique_fd.h"

namespace gpu {

class Channel {
 public:
  Channel();

  void send(int fd) const;
  // Waits for at most kPatience.
  UniqueFd receive() const;

 private:
  UniqueFd in_;
  UniqueFd out_;
};

}  // namespace gpu
