// SPDX-License-Identifier: MIT
//
// A range of numbers handed out in pieces, best fit: the smallest hole that holds the piece, the
// lowest of those, from its lower end. Makes the mmap offsets of buffers.
//
// Invariant: holes and pieces tile the range, and no two holes touch. take allocates; give_back
// does not (a piece brings the nodes of the hole that it leaves) and may free. No lock of its own.
#pragma once

#include <cstdint>
#include <set>

#include "base/result.h"
#include "base/signalling.h"

namespace pantry::driver {

class OffsetSpace {
 private:
  struct Hole {
    std::uint64_t first;
    std::uint64_t size;
  };
  struct LowerFirst {
    bool operator()(const Hole& a, const Hole& b) const { return a.first < b.first; }
  };
  struct SmallerThenLower {
    bool operator()(const Hole& a, const Hole& b) const {
      return a.size != b.size ? a.size < b.size : a.first < b.first;
    }
  };
  using ByFirst = std::set<Hole, LowerFirst>;
  using BySize = std::set<Hole, SmallerThenLower>;

 public:
  // What take() gave; goes back through give_back().
  class Piece {
   public:
    Piece() = default;
    std::uint64_t first() const { return hole_.first; }
    std::uint64_t size() const { return hole_.size; }

   private:
    friend class OffsetSpace;
    Hole hole_{};
    ByFirst::node_type by_first_;
    BySize::node_type by_size_;
  };

  // The range is [first, first + size).
  OffsetSpace(std::uint64_t first, std::uint64_t size);

  // ENOSPC when no hole is large enough, ENOMEM. `size` is not 0.
  Result<Piece> take(std::uint64_t size) PANTRY_MAY_ALLOCATE;
  void give_back(Piece piece) noexcept PANTRY_MAY_ALLOCATE;

  // visit(first, size) for each hole, lowest first.
  template <class Visit>
  void for_each_hole(Visit visit) const {
    for (const Hole& hole : by_first_) visit(hole.first, hole.size);
  }

 private:
  ByFirst by_first_;
  BySize by_size_;
};

}  // namespace pantry::driver
