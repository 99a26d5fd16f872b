// SPDX-License-Identifier: MIT
#include "driver/gem/offset_space.h"

#include <iterator>
#include <new>
#include <utility>

#include "base/check.h"

namespace pantry::driver {

OffsetSpace::OffsetSpace(std::uint64_t first, std::uint64_t size) {
  by_first_.insert({first, size});
  by_size_.insert({first, size});
}

Result<OffsetSpace::Piece> OffsetSpace::take(std::uint64_t size) {
  PANTRY_CHECK(size != 0);
  const auto found = by_size_.lower_bound({0, size});
  if (found == by_size_.end()) return Error(Errno::kNoSpc);
  const Hole hole = *found;
  Piece piece;
  if (hole.size == size) {
    piece.by_size_ = by_size_.extract(found);
    piece.by_first_ = by_first_.extract(hole);
  } else {
    try {
      ByFirst by_first{hole};
      BySize by_size{hole};
      piece.by_first_ = by_first.extract(by_first.begin());
      piece.by_size_ = by_size.extract(by_size.begin());
    } catch (const std::bad_alloc&) {
      return Error(Errno::kNoMem);
    }
    const Hole rest{hole.first + size, hole.size - size};
    auto by_size = by_size_.extract(found);
    by_size.value() = rest;
    by_size_.insert(std::move(by_size));
    auto by_first = by_first_.extract(hole);
    by_first.value() = rest;
    by_first_.insert(std::move(by_first));
  }
  piece.hole_ = {hole.first, size};
  return piece;
}

void OffsetSpace::give_back(Piece piece) noexcept {
  PANTRY_CHECK(piece.by_first_ && piece.by_size_);
  Hole hole = piece.hole_;
  auto above = by_first_.lower_bound(hole);
  if (above != by_first_.begin()) {
    const Hole below = *std::prev(above);
    PANTRY_CHECK(below.first + below.size <= hole.first);
    if (below.first + below.size == hole.first) {
      by_size_.erase(below);
      by_first_.erase(std::prev(above));
      hole = {below.first, below.size + hole.size};
    }
  }
  if (above != by_first_.end()) {
    PANTRY_CHECK(hole.first + hole.size <= above->first);
    if (hole.first + hole.size == above->first) {
      hole.size += above->size;
      by_size_.erase(*above);
      by_first_.erase(above);
    }
  }
  piece.by_first_.value() = hole;
  by_first_.insert(std::move(piece.by_first_));
  piece.by_size_.value() = hole;
  by_size_.insert(std::move(piece.by_size_));
}

}  // namespace pantry::driver
