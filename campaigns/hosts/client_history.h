// SPDX-License-Identifier: MIT
//
// Clients of a whole machine under simulation: binds of buffers and sparse ranges, at once and
// behind fences, jobs that arrive and jobs that fault, resets of the device, clients that are
// killed with everything in flight, VMs and groups that go, idle buffers whose memory is taken,
// allocations that fail; with each provisioner in turn. After each step what must always hold is
// looked at; when a queue has run dry, each page of its VM is compared with a model; in the end
// nothing may be left. What the driver gets to see is a function of the seed, the order of its
// threads included.
#pragma once

#include "campaigns/hosts/history_hunt.h"

namespace pantry::campaigns {

class ClientHistory final : public History {
 public:
  std::size_t length(std::uint64_t) const override { return 40; }
  std::optional<std::string> play(std::uint64_t seed,
                                  std::span<const std::size_t> kept) const override;
  std::string describe(std::uint64_t seed, std::size_t step) const override;
};

}  // namespace pantry::campaigns
