// SPDX-License-Identifier: MIT
//
// One WAIT or TIMELINE_WAIT over several sync objects, with any flags: for tests of the calls
// themselves. Plain waits are in syncobj.h.
#pragma once

#include <cstdint>
#include <vector>

#include "igt_tests/lib/syncobj.h"

namespace gpu {

class Waits {
 public:
  // What `first_signaled` holds until the kernel writes it.
  static constexpr uint32_t kUntouched = 0xDEAD;

  explicit Waits(const Device& device) : fd_(device.fd()) {}

  Waits& add(const Syncobj& object) { return add(object, 0); }
  Waits& add(const Syncobj& object, uint64_t point);
  Waits& add_handle(uint32_t handle);

  // 0 or the errno; the timeout is relative, 0 polls.
  int run(uint32_t flags, int64_t timeout);
  int run_timeline(uint32_t flags, int64_t timeout);
  // The deadline as the interface wants it.
  int run_until(uint32_t flags, int64_t absolute);
  // After the last run.
  uint32_t first() const { return first_; }

 private:
  int fd_;
  uint32_t first_ = kUntouched;
  std::vector<uint32_t> handles_;
  std::vector<uint64_t> points_;
};

}  // namespace gpu
