// SPDX-License-Identifier: MIT
//
// What is cached against what memory says now. Reads memory alone: any thread, no allocation.
#pragma once

#include <cstdint>

#include "gpu_emu/checker/mistake.h"
#include "gpu_emu/mmu/mmu_watch.h"
#include "gpu_emu/ports.h"

namespace pantry::emu {

// Whether each entry that the walk read is still what it was. One load per level.
bool is_unchanged(const Dram& dram, const Origin& origin);

struct Comparison {
  Difference difference = Difference::kNone;
  FetchedEntry was;      // the first entry from the root on that changed
  std::uint64_t is = 0;  // its word now
};
// `config`: of the address space that the entry belongs to. Walks when something has changed.
Comparison compare(const Dram& dram, const TranslationConfig& config,
                   const CachedTranslation& cached);

}  // namespace pantry::emu
