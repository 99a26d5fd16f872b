// SPDX-License-Identifier: MIT
//
// Adds one to an eventfd that is another's, as a kernel driver does: without ever waiting. A write
// would wait for as long as the counter is full, and whether its owner fills it just before is not
// ours to say.
#pragma once

namespace pantry::uapi {

// Any thread that may make system calls; takes a lock that is held for two of them. A full counter
// stays as it is. About 2 us.
void signal_eventfd(int eventfd) noexcept;

}  // namespace pantry::uapi
