// SPDX-License-Identifier: MIT
#include "uapi/server/beside_client.h"

#include <sched.h>

namespace pantry::uapi {
namespace {

// Does nothing where this thread may not run.
void move_to(unsigned processor) {
  cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0 || !CPU_ISSET(processor, &allowed))
    return;
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(processor, &only);
  if (::sched_setaffinity(0, sizeof only, &only) == 0)
    ::sched_setaffinity(0, sizeof allowed, &allowed);
}

}  // namespace

void BesideClient::served(const wire::Request& request) {
  const int here = ::sched_getcpu();
  if (here < 0 || request.processor >= CPU_SETSIZE ||
      request.processor == static_cast<unsigned>(here)) {
    next_ = Next::kSleep;
    row_ = 0;
    return;
  }
  const bool at_once = request.ask != wire::Ask::kIoctl || wire::answered_at_once(request.command);
  next_ = at_once ? Next::kPoll : Next::kSleep;
  row_ = request.channel == channel_ ? row_ + 1 : 1;
  channel_ = request.channel;
  if (row_ < kRow) return;
  row_ = 0;
  move_to(static_cast<unsigned>(request.processor));
}

bool BesideClient::polls() {
  if (next_ == Next::kSleep) return false;
  next_ = Next::kSleep;
  return polling_.worth_while();
}

void BesideClient::found() {
  polling_.found();
  row_ = 0;
}

}  // namespace pantry::uapi
