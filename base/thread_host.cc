// SPDX-License-Identifier: MIT
#include "base/thread_host.h"

namespace pantry {
namespace {
thread_local ThreadHost* current_host = nullptr;
}

ThreadHost* ThreadHost::current() noexcept { return current_host; }
void ThreadHost::set_current(ThreadHost* host) noexcept { current_host = host; }

}  // namespace pantry
