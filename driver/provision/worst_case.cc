// SPDX-License-Identifier: MIT
#include "driver/provision/worst_case.h"

namespace pantry::driver {

namespace {

// Aligned windows of 2^shift bytes that `range` touches: [0x1ff000, 0x200fff] touches two of 2 MiB.
std::uint64_t windows(GpuRange range, std::uint32_t shift) {
  return (range.last.value >> shift) - (range.first.value >> shift) + 1;
}

}  // namespace

std::uint32_t worst_case_map_pages(GpuRange range, const TableConfig& config) noexcept {
  // Every table but the root covers a window of its own: 2 MiB, 1 GiB, 512 GiB.
  std::uint64_t pages = 0;
  for (std::uint32_t level = 1; level < config.levels(); ++level)
    pages += windows(range, static_cast<std::uint32_t>(kPageShift) + 9 * level);
  return static_cast<std::uint32_t>(pages);
}

std::uint32_t worst_case_unmap_pages(GpuRange range, const TableConfig& config) noexcept {
  std::uint32_t pages = 0;
  for (std::uint64_t block = 2 * kMiB; block <= kGiB; block *= 512) {
    if (!(config.page_sizes & block)) continue;
    const std::uint64_t start = range.first.value;
    const std::uint64_t end = range.last.value + 1;
    // The windows whose block sticks out at the start and at the end; they may be the same.
    const bool at_start = !is_aligned(start, block);
    const bool at_end = !is_aligned(end, block);
    pages += at_start;
    pages += at_end && !(at_start && align_down(start, block) == align_down(end, block));
  }
  return pages;
}

std::uint32_t worst_case_pages(const BindShape& shape, const TableConfig& config) noexcept {
  if (shape.kind == BindShape::Kind::kMap) return worst_case_map_pages(shape.range, config);
  if (shape.kind == BindShape::Kind::kUnmap && shape.cuts == BindShape::Cuts::kBlocks)
    return worst_case_unmap_pages(shape.range, config);
  // At most two windows for each height.
  std::uint32_t pages = repeated_pages(shape, config);
  for_each_window(shape, config, [&](TableWindow) { ++pages; });
  return pages;
}

bool WorstCase::claim(Provision& provision, Needs& needs) noexcept {
  const BindShape& shape = provision.shape();
  const std::uint32_t pages = worst_case_pages(shape, config_);
  if (provision.tables().suffices(pages)) return true;
  needs = {.pages = pages};
  return false;
}

}  // namespace pantry::driver
