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

void BesideClient::served(std::uint64_t channel, std::uint64_t processor) {
  const int here = ::sched_getcpu();
  if (here < 0 || processor >= CPU_SETSIZE || processor == static_cast<unsigned>(here)) {
    row_ = 0;
    return;
  }
  row_ = channel == channel_ ? row_ + 1 : 1;
  channel_ = channel;
  if (row_ < kRow) return;
  row_ = 0;
  move_to(static_cast<unsigned>(processor));
}

}  // namespace pantry::uapi
