// SPDX-License-Identifier: MIT
#pragma once

namespace pantry::uapi {

// Whether the open descriptor `fd` is an eventfd, which is all that SYNCOBJ_EVENTFD takes.
bool is_eventfd(int fd);

}  // namespace pantry::uapi
