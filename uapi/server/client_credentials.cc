// SPDX-License-Identifier: MIT
#include "uapi/server/client_credentials.h"

#include <fmt/core.h>
#include <linux/capability.h>

#include <fstream>

namespace pantry::uapi {
namespace {

std::uint64_t effective_capabilities(pid_t pid) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  for (std::string word; status >> word;) {
    if (word != "CapEff:") continue;
    std::uint64_t capabilities = 0;
    status >> std::hex >> capabilities;
    return capabilities;
  }
  return 0;
}

}  // namespace

driver::Credentials credentials_of(const Peer& peer) {
  const std::uint64_t capabilities = effective_capabilities(peer.pid);
  return {.pid = peer.pid,
          .uid = peer.uid,
          .sys_nice = (capabilities >> CAP_SYS_NICE & 1) != 0,
          .sys_admin = (capabilities >> CAP_SYS_ADMIN & 1) != 0};
}

}  // namespace pantry::uapi
