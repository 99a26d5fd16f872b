// SPDX-License-Identifier: MIT
//
// A client that may vanish at any moment: a DRM file of its own with a space, a group and a
// heartbeat whose memory (pulse.h) belongs to somebody else, the landlord, who so sees whether the
// tenant's job still runs.
//
// Nothing of the file is mapped by a CPU, since a mapping would keep it alive, and nothing but the
// descriptor is closed at the end: the rest goes the way the kernel makes it go.
#pragma once

#include <cstdint>

#include "igt_tests/lib/pulse.h"

namespace gpu {

class Tenant {
 public:
  // Opens the device again and imports the pulse, whose file the landlord is.
  Tenant(const Device& landlord, const Pulse& pulse);

  int fd() const { return fd_.get(); }
  uint32_t vm_id() const { return vm_id_; }
  uint32_t group() const { return group_; }

  // Sends the heartbeat.
  void start();
  // Its fence, which outlives the file.
  UniqueFd fence() const;
  void map(uint32_t handle, uint64_t bo_offset, uint64_t va, uint64_t size, uint32_t flags) const;
  void close() { fd_.reset(); }
  // Leaves the descriptor to the caller.
  int release() { return fd_.release(); }

 private:
  UniqueFd fd_;
  Stream stream_;
  uint32_t vm_id_ = 0;
  uint32_t group_ = 0;
  uint32_t done_ = 0;
};

// How the fence of a job may end whose client has gone: cancelled, or without its memory first.
void expect_ended(int status);

// Stores and faults as on the first day: what somebody left behind disturbs nobody.
void expect_in_order(const Device& device);

}  // namespace gpu
