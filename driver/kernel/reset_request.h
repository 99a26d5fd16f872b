// SPDX-License-Identifier: MIT
//
// How lower rooms ask for a full GPU reset when the device does not answer. Any context: queues a
// work item, never allocates or blocks. Requests made while one is pending are merged. `why` is
// static storage and is logged.
#pragma once

namespace pantry::driver {

class ResetRequest {
 public:
  virtual void request_reset(const char* why) noexcept = 0;

 protected:
  ~ResetRequest() = default;
};

}  // namespace pantry::driver
