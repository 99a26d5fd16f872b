// SPDX-License-Identifier: MIT
#include "gpu_emu/checker/mistake.h"

#include <array>

namespace pantry::emu {
namespace {

struct Words {
  std::string_view name;
  std::string_view sentence;
};

constexpr std::array<Words, kMistakes> kWords = {{
    {"missing-flush", "a table entry was changed and nothing was flushed"},
    {"early-flush", "the flush came before the table entry was changed"},
    {"edit-before-lock", "a table entry was changed before its region was locked"},
    {"flush-too-small", "the flushed region does not cover a table entry that was changed"},
    {"flush-of-other-space", "the address was flushed in another address space"},
    {"swap-without-break", "a block and a table were swapped without a flush between"},
    {"overlapping-entries", "a block is cached over smaller leaves that are still cached"},
    {"freed-table-walk", "a walk goes through a table that was given back"},
    {"reused-table-walk", "a walk goes through a frame that is no longer the table it was"},
    {"freed-frame-access", "a cached translation leads to a frame that was given back"},
    {"reused-frame-access", "a cached translation leads to a frame that has another owner now"},
    {"free-frame-mapped", "a table entry leads to a frame that nobody owns"},
    {"flush-without-lock", "UNLOCK or a flush was given while no region was locked"},
    {"missing-unlock", "a region was locked over another one that was not released"},
    {"update-while-locked", "UPDATE was given while a region was locked"},
    {"missing-update",
     "an address space was used with a configuration that UPDATE never committed"},
    {"space-changed-in-use", "an address space was changed under a group that runs on it"},
    {"command-while-active", "a command was given while another one was in progress"},
    {"register-write-while-active", "a register was written while a command was in progress"},
    {"unknown-command", "a command was given that does not exist"},
}};
static_assert(kWords.back().name == "unknown-command");

}  // namespace

std::string_view name_of(Mistake mistake) { return kWords[static_cast<std::size_t>(mistake)].name; }
std::string_view explain(Mistake mistake) {
  return kWords[static_cast<std::size_t>(mistake)].sentence;
}

std::string_view name_of(Difference difference) {
  switch (difference) {
    case Difference::kNone:
      return "none";
    case Difference::kWayOnly:
      return "way-only";
    case Difference::kUnmapped:
      return "unmapped";
    case Difference::kMapped:
      return "mapped";
    case Difference::kRemapped:
      return "remapped";
    case Difference::kPermissions:
      return "permissions";
    case Difference::kOtherSize:
      return "other-size";
    case Difference::kOtherTable:
      return "other-table";
  }
  return "?";
}

}  // namespace pantry::emu
