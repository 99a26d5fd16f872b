// SPDX-License-Identifier: MIT
//
// The latest address-space commands of all address spaces, in order, each with a number. A value;
// allocates nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/types.h"
#include "gpu_emu/datasheet/address_space.h"
#include "gpu_emu/mmu/gpu_memory.h"

namespace pantry::emu {

struct CommandRecord {
  using Command = datasheet::address_space::Command;
  std::uint64_t number = 0;  // counts commands that took effect; the first is 1
  AsIndex as;
  Command command = Command::kNop;
  GpuRange region;

  // Drops what is cached of the region.
  bool releases() const {
    return command == Command::kUnlock || command == Command::kFlushPt ||
           command == Command::kFlushMem;
  }
};

class CommandHistory {
 public:
  static constexpr std::size_t kKept = 64;

  // Of the latest command; 0 before the first.
  std::uint64_t now() const { return now_; }
  void add(AsIndex as, CommandRecord::Command command, GpuRange region) {
    ++now_;
    records_[now_ % kKept] = {now_, as, command, region};
  }
  // visit(const CommandRecord&) -> bool, from the latest back to the one after `number`, as far as
  // they are kept, until it says false.
  template <class Visit>
  void back_to(std::uint64_t number, Visit visit) const {
    for (std::uint64_t n = now_; n > number && now_ - n < kKept; --n)
      if (!visit(records_[n % kKept])) return;
  }

 private:
  std::array<CommandRecord, kKept> records_{};
  std::uint64_t now_ = 0;
};

}  // namespace pantry::emu
