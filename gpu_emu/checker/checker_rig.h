// SPDX-License-Identifier: MIT
//
// For tests: an MMU with a checker beside it, driven through its registers as a driver does.
#pragma once

#include <algorithm>
#include <vector>

#include "gpu_emu/checker/checker.h"
#include "gpu_emu/mmu/mmu_rig.h"

namespace pantry::emu {

class CheckerRig final : public MmuRig, private AddressSpaceUsers {
 public:
  using Order = Checker::EditOrder;
  using Command = MmuRig::Command;

  explicit CheckerRig(const Quirks& quirks = {}, Order order = Order::kLockEditUnlock)
      : MmuRig(quirks),
        ledger(memory.dram()),
        checker(memory.dram(), {.order = order, .ledger = &ledger}) {
    mmu.attach(checker, *this);
    // All of it belongs to somebody, tables to others than the rest.
    ledger.changed({{SparseMemory::kBase}, 256 * kMiB}, 1);
    ledger.changed({{SparseMemory::kBase + 256 * kMiB}, 1024 * kMiB}, 2);
  }

  // As our driver: the region locked around the edit.
  template <class Edit>
  void update(std::uint32_t as, GpuRange range, Edit edit) {
    lock(as, range);
    edit();
    command(as, Command::kUnlock);
  }
  std::uint64_t& leaf(std::uint64_t va) { return memory.word(entry_at(root, va, 3)); }
  std::uint64_t& block(std::uint64_t va) { return memory.word(entry_at(root, va, 2)); }

  // The names of all mistakes so far, each once.
  std::vector<Mistake> found() const {
    std::vector<Mistake> names;
    for (const CheckerReport& report : checker.reports()) names.push_back(report.mistake);
    return names;
  }

  FrameLedger ledger;
  Checker checker;
  std::uint32_t in_use = 0;

 private:
  std::uint32_t address_spaces_in_use() override { return in_use; }
};

}  // namespace pantry::emu
