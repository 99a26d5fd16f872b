// SPDX-License-Identifier: MIT
//
// The scoreboard of a command stream: per entry the number of operations that were issued and are
// not complete. Everything asynchronous counts in exactly one entry from issue to completion.
//
// Invariant: bit n of busy() is set exactly when entry n counts something. A plain value without
// padding, part of what SUSPEND saves. No lock, no allocation.
#pragma once

#include <array>
#include <cstdint>

#include "base/check.h"
#include "gpu_emu/datasheet/model.h"

namespace pantry::emu {

class Scoreboard {
 public:
  static constexpr std::uint32_t kEntries = datasheet::kMaliG610.scoreboards;
  static constexpr std::uint32_t kAllEntries = (1u << kEntries) - 1;

  void begin(std::uint32_t entry) {
    PANTRY_CHECK(entry < kEntries && outstanding_[entry] != UINT16_MAX);
    ++outstanding_[entry];
    busy_ = static_cast<std::uint16_t>(busy_ | 1u << entry);
  }
  void end(std::uint32_t entry) {
    PANTRY_CHECK(entry < kEntries && outstanding_[entry] != 0);
    if (--outstanding_[entry] == 0) busy_ = static_cast<std::uint16_t>(busy_ & ~(1u << entry));
  }

  // Whether nothing is outstanding in the entries of `mask`.
  bool clear(std::uint32_t mask) const { return (busy_ & mask) == 0; }
  // The mask of entries that are not zero.
  std::uint32_t busy() const { return busy_; }

 private:
  std::array<std::uint16_t, kEntries> outstanding_{};
  std::uint16_t busy_ = 0;
};

}  // namespace pantry::emu
