// SPDX-License-Identifier: MIT
//
// One mistake of a driver, with what it takes to find it. A value of fixed size, so that it can be
// made where nothing may be allocated; the texts allocate.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "gpu_emu/checker/command_history.h"
#include "gpu_emu/checker/mistake.h"
#include "gpu_emu/mmu/origin.h"

namespace pantry::emu {

struct CheckerReport {
  static constexpr std::size_t kCommands = 8;

  Mistake mistake = Mistake::kMissingFlush;
  AsIndex as;
  std::uint64_t times = 1;  // of the same mistake with the same entry

  // What follows is there where it applies.
  std::optional<GpuVa> va;
  // Of a mistake with a frame: why it was still reachable.
  std::optional<Mistake> cause;
  // The entry that was cached.
  std::optional<unsigned> level;
  Difference difference = Difference::kNone;
  std::optional<FetchedEntry> was;
  std::uint64_t is = 0;  // the word at the same place now
  // The frame that it leads to, or the one that was walked; owners as the allocator numbers them.
  std::optional<PhysAddr> frame;
  std::uint64_t owner_then = 0;
  std::uint64_t owner_now = 0;
  // The command or register in question.
  std::optional<std::uint32_t> value;

  // The latest commands of any address space, oldest first.
  std::array<CommandRecord, kCommands> commands{};
  std::uint32_t command_count = 0;
  // The entry was unchanged at this command.
  std::uint64_t unchanged_at = 0;

  bool is_same(const CheckerReport& other) const {
    return mistake == other.mistake && as == other.as && va == other.va && level == other.level;
  }
};

// Several lines for a person, the last one ended. Written to `into` as far as it fits, without
// allocating; the number of characters.
std::size_t write_text(const CheckerReport& report, std::span<char> into);
std::string text_of(const CheckerReport& report);
// An array with one object per report.
std::string json_of(std::span<const CheckerReport> reports);

}  // namespace pantry::emu
