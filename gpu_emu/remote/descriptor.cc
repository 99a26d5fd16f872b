// SPDX-License-Identifier: MIT
#include "gpu_emu/remote/descriptor.h"

#include <unistd.h>

namespace pantry::emu {

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace pantry::emu
