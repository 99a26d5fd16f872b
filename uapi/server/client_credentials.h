// SPDX-License-Identifier: MIT
//
// What the kernel vouches for about the process at the other end of a socket.
#pragma once

#include "driver/device/file.h"
#include "uapi/server/socket.h"

namespace pantry::uapi {

// Capabilities are read from /proc at the time of the call; a process that is gone has none.
driver::Credentials credentials_of(const Peer& peer);

}  // namespace pantry::uapi
