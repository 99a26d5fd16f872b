// SPDX-License-Identifier: MIT
//
// For tests: a watch that looks at nothing. An MMU that has one searches for every translation, so
// that it is the model of one that takes short cuts.
#pragma once

#include "gpu_emu/mmu/mmu_watch.h"

namespace pantry::emu {

class BlindWatch final : public MmuWatch, public AddressSpaceUsers {
 public:
  void on_command(const WatchedSpace&, const WatchedCommand&) override {}
  void examine(const WatchedSpace&, const CachedTranslation&) override {}
  void examined() override {}
  void on_lost_command(const WatchedSpace&, std::uint32_t) override {}
  void on_disturbed_command(const WatchedSpace&, std::uint32_t) override {}
  void on_fetch(const WatchedSpace&, GpuVa, FetchedEntry) override {}
  void on_cached(const WatchedSpace&, GpuVa, const CachedTranslation&) override {}
  void on_overlap(const WatchedSpace&, const CachedTranslation&) override {}
  void on_used(const WatchedSpace&, GpuVa, const CachedTranslation&) override {}
  void on_fault(const WatchedSpace&, GpuVa) override {}
  void on_reset() override {}
  std::uint32_t address_spaces_in_use() override { return 0; }
};

}  // namespace pantry::emu
