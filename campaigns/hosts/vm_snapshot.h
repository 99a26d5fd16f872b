// SPDX-License-Identifier: MIT
//
// Everything that a bind could change, as values to compare: the VA tree, the words of every table
// page as they lie in memory, frames and pages in use, references and room for fences.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "driver/sync/syncobj.h"
#include "driver/vm/vm.h"
#include "gpu_emu/ports.h"
#include "uapi/machine/machine.h"

namespace pantry::campaigns {

struct VmSnapshot {
  struct Mapped {
    GpuRange range;
    const driver::Buffer* buffer = nullptr;
    std::uint64_t offset = 0;
    driver::Prot prot = driver::Prot::kNone;
    driver::MappingOwner owner = driver::MappingOwner::kUser;
    bool operator==(const Mapped&) const = default;
  };
  struct Object {
    std::uint32_t references = 0;
    std::uint32_t reserved_fences = 0;
    bool operator==(const Object&) const = default;
  };
  struct SyncobjState {
    std::uint32_t references = 0;
    const driver::Fence* fence = nullptr;
    std::uint64_t signalled = 0;
    std::uint64_t submitted = 0;
    bool operator==(const SyncobjState&) const = default;
  };

  std::vector<Mapped> tree;
  std::vector<std::uint64_t> table_words;  // the address of each table page, then its entries
  std::uint64_t binds = 0;                 // that have run
  std::uint64_t pending_pages = 0;
  std::uint64_t frames_used = 0;  // but for what the pool has cached
  std::uint64_t pages_lent = 0;
  std::uint64_t pages_cached = 0;
  driver::BufferStore::Totals buffers;
  bool usable = true;
  Object vm;
  std::vector<Object> objects;  // the buffers, in the order in which they were given
  std::vector<SyncobjState> syncobjs;

  // The name of the first part that differs from `other`; empty if none does. The pool's cache is
  // left out unless asked for.
  enum class Cache { kIgnore, kCompare };
  std::string difference(const VmSnapshot& other, Cache cache) const;
};

// Waits for everything that is queued and not blocked. Nothing else uses the machine.
VmSnapshot take_snapshot(uapi::Machine& machine, const Ref<driver::Vm>& vm,
                         const std::vector<Ref<driver::Buffer>>& buffers,
                         const std::vector<Ref<driver::Syncobj>>& syncobjs);

}  // namespace pantry::campaigns
