// SPDX-License-Identifier: MIT
//
// Adds one to an eventfd that is another's, as a kernel driver does: without ever waiting. A write
// would wait for as long as the counter is full, and whether its owner fills it just before is not
// ours to say.
#pragma once

#include "base/signalling.h"

namespace pantry::uapi {

// Makes what signal_eventfd needs, on the first call: so that it does not allocate.
void prepare_eventfd_signals() PANTRY_MAY_ALLOCATE;
// Any thread, also inside a SignallingSection; takes a leaf lock that is held for two system calls.
// A full counter stays as it is. About 2 us.
void signal_eventfd(int eventfd) noexcept;

}  // namespace pantry::uapi
