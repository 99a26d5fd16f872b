// SPDX-License-Identifier: MIT
#include "bench/table_pair.h"

#include <algorithm>

#include "base/check.h"

namespace pantry::bench {
namespace {

constexpr driver::TableConfig kConfig{48, 40, kPageSize | 2 * kMiB};

// The hook's cookie is the pair; its functions are C's.
void* alloc_page(void* cookie, std::size_t bytes, unsigned) {
  auto& pair = *static_cast<TablePair*>(cookie);
  const Result<PhysAddr> page = pair.their_pages().alloc(bytes);
  return page ? pair.dram().at(*page, bytes) : nullptr;
}
void free_page(void* cookie, void* page, std::size_t bytes) {
  auto& pair = *static_cast<TablePair*>(cookie);
  const auto offset =
      static_cast<std::uint64_t>(static_cast<std::uint8_t*>(page) - pair.dram().host);
  pair.their_pages().free(pair.dram().base + offset, bytes);
}

}  // namespace

TablePair::TablePair(std::uint64_t dram_bytes)
    : dram_(dram_bytes),
      frames_({dram().base, dram().size}, {}),
      pool_(frames_, dram()),
      our_pages_(pool_),
      their_pages_(pool_) {
  refill(our_pages_, 1);
  ours_.emplace(ArmLpaeS1Table::create(kConfig, pool_.metadata(), our_pages_).value());
  if (!linux_peer_installed()) return;
  linux_peer_set_dram(dram().host, dram().base.value);
  refill(their_pages_, 1);
  const linux_pages pages{alloc_page, free_page, this};
  theirs_ = linux_page_table_create(&pages, kConfig.va_bits, kConfig.pa_bits, kConfig.page_sizes);
}

TablePair::~TablePair() {
  ours_->destroy(our_pages_);
  our_pages_.release_after_flush();
  if (!theirs_) return;
  linux_page_table_destroy(&*theirs_);
  their_pages_.release_after_flush();
}

std::vector<LeafRun> TablePair::leaf_runs(GpuVa va, PhysAddr frame, std::uint64_t size) {
  std::vector<LeafRun> runs;
  // Else no address and its frame are both multiples of 2 MiB.
  const bool blocks_possible = is_aligned(va.value ^ frame.value, 2 * kMiB);
  while (size != 0) {
    const bool block = blocks_possible && is_aligned(va.value, 2 * kMiB) && size >= 2 * kMiB;
    const std::uint64_t leaf = block ? 2 * kMiB : kPageSize;
    const std::uint64_t table = 512 * leaf;
    const std::uint64_t to_end = align_down(va.value, table) + table - va.value;
    const std::uint64_t bytes = std::min(align_down(size, leaf), to_end);
    runs.push_back({va.value, frame.value, leaf, bytes / leaf});
    va = va + bytes;
    frame = frame + bytes;
    size -= bytes;
  }
  return runs;
}

void TablePair::map_theirs(GpuVa va, PhysAddr frame, std::uint64_t size, int prot) {
  for (const LeafRun& run : leaf_runs(va, frame, size)) {
    std::size_t mapped = 0;
    const int error =
        theirs_->map_pages(theirs_->ops, run.va, run.frame, run.leaf, run.count, prot, 0, &mapped);
    PANTRY_CHECK(error == 0 && mapped == run.leaf * run.count);
  }
}

void TablePair::unmap_theirs(GpuVa va, std::uint64_t size) {
  for (const LeafRun& run : leaf_runs(va, {va.value}, size)) {
    const std::uint64_t done =
        theirs_->unmap_pages(theirs_->ops, run.va, run.leaf, run.count, nullptr);
    PANTRY_CHECK(done == run.leaf * run.count);
  }
}

int TablePair::linux_prot(Prot prot) {
  int bits = LINUX_PROT_READ;
  if (!has(prot, Prot::kReadOnly)) bits |= LINUX_PROT_WRITE;
  if (has(prot, Prot::kNoExec)) bits |= LINUX_PROT_NO_EXEC;
  if (!has(prot, Prot::kUncached)) bits |= LINUX_PROT_CACHED;
  return bits;
}

void TablePair::refill(driver::TableReserve& reserve, std::uint32_t pages) {
  reserve.release_after_flush();
  const Result<> grown = reserve.grow(pages);
  PANTRY_CHECK(grown.has_value());
}

}  // namespace pantry::bench
