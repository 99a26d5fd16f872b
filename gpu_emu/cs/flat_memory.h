// SPDX-License-Identifier: MIT
//
// For tests: a GpuMemory without page tables. Pages are mapped one by one, each backed by host
// memory of its own, so that two neighbours are never contiguous there. Stalls and aborts are
// chosen by the test.
//
// Not thread-safe; map() allocates.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <map>
#include <memory>
#include <utility>

#include "base/check.h"
#include "gpu_emu/mmu/gpu_memory.h"

namespace pantry::emu {

class FlatMemory final : public GpuMemory {
 public:
  enum class Permission : std::uint8_t { kReadWrite, kReadOnly };

  // Whole pages around [va, va + bytes), zeroed; pages that are mapped stay as they are.
  void map(AsIndex as, GpuVa va, std::uint64_t bytes, Permission permission) {
    for (std::uint64_t page = va.value / kPageSize; page <= (va.value + bytes - 1) / kPageSize;
         ++page) {
      Page& entry = pages_[{as.value, page}];
      if (!entry.bytes) entry.bytes = std::make_unique<Bytes>();
      entry.permission = permission;
    }
  }
  void map(AsIndex as, GpuVa va, std::uint64_t bytes) {
    map(as, va, bytes, Permission::kReadWrite);
  }
  void unmap(AsIndex as, GpuVa va) { pages_.erase({as.value, va.value / kPageSize}); }
  // The same page under a second address.
  void alias(AsIndex as, GpuVa va, AsIndex of_as, GpuVa of) {
    pages_[{as.value, va.value / kPageSize}] = pages_.at({of_as.value, of.value / kPageSize});
  }

  // From now on the accesses of this address space, or of one page, get this answer.
  void answer_all(AsIndex as, MemoryStatus status) { spaces_[as.value] = status; }
  void answer_page(AsIndex as, GpuVa va, MemoryStatus status) {
    pages_.at({as.value, va.value / kPageSize}).status = status;
  }
  // The translation after `count` others stalls, once. A negative count: none.
  void stall_once_after(int count) { countdown_ = count; }

  std::uint64_t translations() const { return translations_; }
  // Translations of pages that are not mapped, or not writable: what the MMU would raise.
  std::uint64_t faults() const { return faults_; }

  Translation translate(AsIndex as, GpuVa va, Access access) override {
    ++translations_;
    if (countdown_ >= 0 && countdown_-- == 0) return {MemoryStatus::kStall};
    const MemoryStatus space = spaces_[as.value];
    if (space != MemoryStatus::kOk) return {space};
    const auto found = pages_.find({as.value, va.value / kPageSize});
    const bool writes = access == Access::kWrite || access == Access::kAtomic;
    if (found == pages_.end() || (writes && found->second.permission == Permission::kReadOnly)) {
      ++faults_;
      return {MemoryStatus::kStall};
    }
    if (found->second.status != MemoryStatus::kOk) return {found->second.status};
    const std::uint64_t offset = va.value % kPageSize;
    return {MemoryStatus::kOk, found->second.bytes->data() + offset, kPageSize - offset};
  }

  // As the host sees memory. Pre: mapped.
  template <class Word>
  Word peek(AsIndex as, GpuVa va) {
    return word<Word>(as, va).load(std::memory_order_acquire);
  }
  template <class Word>
  void poke(AsIndex as, GpuVa va, Word value) {
    word<Word>(as, va).store(value, std::memory_order_release);
  }
  // Instruction words at `va`; may cross pages.
  template <class Words>
  void poke_words(AsIndex as, GpuVa va, const Words& words) {
    for (const std::uint64_t one : words) {
      poke<std::uint64_t>(as, va, one);
      va = va + 8;
    }
  }
  // All bytes of all pages, in a fixed order, for comparing outcomes.
  std::uint64_t digest() const {
    std::uint64_t hash = 0xcbf2'9ce4'8422'2325;
    for (const auto& [key, page] : pages_) {
      for (const std::uint8_t byte : *page.bytes) hash = (hash ^ byte) * 0x100'0000'01b3;
    }
    return hash;
  }

 private:
  using Bytes = std::array<std::uint8_t, kPageSize>;
  struct Page {
    std::shared_ptr<Bytes> bytes;
    Permission permission = Permission::kReadWrite;
    MemoryStatus status = MemoryStatus::kOk;
  };

  template <class Word>
  std::atomic_ref<Word> word(AsIndex as, GpuVa va) {
    PANTRY_CHECK(va.value % sizeof(Word) == 0);
    Page& page = pages_.at({as.value, va.value / kPageSize});
    return std::atomic_ref<Word>(
        *reinterpret_cast<Word*>(page.bytes->data() + va.value % kPageSize));
  }

  std::map<std::pair<std::uint8_t, std::uint64_t>, Page> pages_;
  std::array<MemoryStatus, 16> spaces_{};
  int countdown_ = -1;
  std::uint64_t translations_ = 0;
  std::uint64_t faults_ = 0;
};

}  // namespace pantry::emu
