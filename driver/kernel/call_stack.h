// SPDX-License-Identifier: MIT
//
// Return addresses of the calling thread, innermost first: who it was that an injected fault hit.
// A value; turning addresses into names is for whoever reports them.
#pragma once

#include <array>
#include <cstddef>
#include <span>

namespace pantry::driver {

class CallStack {
 public:
  // Deep enough for an allocation of the standard library below an ioctl of a client.
  static constexpr std::size_t kDeepest = 40;

  // What called the caller of this, and so on. The first call of a process loads the unwinder,
  // which allocates (by malloc): not inside a SignallingSection.
  void capture() noexcept;
  std::span<void* const> frames() const noexcept { return {frames_.data(), count_}; }

 private:
  std::array<void*, kDeepest> frames_{};
  std::size_t count_ = 0;
};

}  // namespace pantry::driver
