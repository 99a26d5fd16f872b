// SPDX-License-Identifier: MIT
#include "gpu_emu/checker/frame_ledger.h"

#include <sys/mman.h>

#include <algorithm>

#include "base/check.h"

namespace pantry::emu {
namespace {

void* map_zeros(std::size_t bytes) {
  void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  PANTRY_CHECK(memory != MAP_FAILED);
  return memory;
}

}  // namespace

void FrameLedger::Release::operator()(Word* words) const {
  if (bytes != 0) ::munmap(words, bytes);
}

FrameLedger::FrameLedger(const Dram& dram)
    : range_{dram.base, dram.size},
      words_(static_cast<Word*>(map_zeros(bytes_for(dram))), Release{bytes_for(dram)}) {}

FrameLedger::FrameLedger(const Dram& dram, void* words)
    : range_{dram.base, dram.size}, words_(static_cast<Word*>(words), Release{}) {}

std::uint64_t FrameLedger::bytes_for(const Dram& dram) {
  return align_up((1 + dram.size / kPageSize) * sizeof(Word), kPageSize);
}

void FrameLedger::changed(PhysExtent frames, std::uint64_t owner) {
  const std::uint64_t number = words_[0].changed_at.fetch_add(1, std::memory_order_acq_rel) + 1;
  const PhysAddr end = std::min(frames.start + frames.size, range_.start + range_.size);
  for (PhysAddr pa = std::max(frames.start, range_.start); pa < end; pa = pa + kPageSize) {
    Word& word = word_of(pa);
    word.owner.store(owner, std::memory_order_relaxed);
    word.changed_at.store(number, std::memory_order_release);
  }
}

FrameLedger::Entry FrameLedger::at(PhysAddr pa) const {
  if (pa < range_.start || pa - range_.start >= range_.size) return {};
  const Word& word = word_of(pa);
  const std::uint64_t changed_at = word.changed_at.load(std::memory_order_acquire);
  return {word.owner.load(std::memory_order_relaxed), changed_at};
}

}  // namespace pantry::emu
