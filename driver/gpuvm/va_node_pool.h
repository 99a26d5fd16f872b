// SPDX-License-Identifier: MIT
//
// The nodes of one VA tree, laid in before they are needed. Each operation that is being prepared
// holds a VaReserve; as long as its incomplete() once said no, the operation finds every node that
// it needs, whatever other operations run before it and in which order.
//
// The nodes are not set aside one by one. With O operations to come and M mappings in the tree, all
// of them together need no more than 7 nodes each (kVaNodesPerOp), and no more than the largest
// tree of M + 2 O mappings has over what the tree has now (most_va_nodes). The pool keeps the
// smaller of the two:
//
//   Invariant: free >= min(7 O, most_va_nodes(M + 2 O) - used).
//
// An operation keeps it: O falls by one, M rises by two at most, and each node that moves between
// tree and pool changes `free` and `used` alike. So a deep queue on a small VM costs a node per
// 16 operations, and a single operation on a large one seven nodes.
//
// No lock of its own: whoever serialises the changes of the tree (the VM's operation lock)
// serialises all calls of pool and reserves. Only grow() and trim() allocate and free; who must do
// neither under that lock calls the parts of which they consist. Nodes that a tree no longer needs
// stay in the pool, also where freeing is forbidden; slabs (va_slab.h) that are too much are freed
// when a reserve dies, or by whoever asks whether there are any.
#pragma once

#include <cstdint>
#include <utility>

#include "base/check.h"
#include "base/signalling.h"
#include "driver/gpuvm/va_node.h"
#include "driver/gpuvm/va_slab.h"

namespace pantry::driver {

struct VaNodeStatistics {
  std::uint64_t free = 0;
  std::uint64_t used = 0;        // in the tree
  std::uint64_t operations = 0;  // to come
  std::uint64_t mappings = 0;    // in the tree
  // What the invariant asks for.
  constexpr std::uint64_t needed() const {
    const std::uint64_t largest = most_va_nodes(mappings + kVaMappingsPerOp * operations);
    return std::min(kVaNodesPerOp * operations, largest - std::min(largest, used));
  }
};

class VaNodePool {
 public:
  // Free nodes that are kept although nothing needs them.
  static constexpr std::uint64_t kKept = 16;
  // How many nodes are allocated at once: few as long as there are few, then a large slab; or
  // always one, which only tests want.
  enum class Growth { kBySize, kByOne };

  explicit VaNodePool(Growth growth = Growth::kBySize) : growth_(growth) {}
  // Every operation is over and the tree empty (CHECK).
  ~VaNodePool();
  VaNodePool(const VaNodePool&) = delete;
  VaNodePool& operator=(const VaNodePool&) = delete;

  // Allocates at least one node more. False: no memory. Not inside a SignallingSection.
  [[nodiscard]] bool grow() noexcept PANTRY_MAY_ALLOCATE;
  // The same in parts: add(VaSlab::make(next_slab_nodes())), of which make alone allocates.
  std::uint32_t next_slab_nodes() const noexcept;
  void add(VaSlab& slab) noexcept { slabs_.add(slab); }
  // Frees slabs that are too much. Not inside a SignallingSection.
  void trim() noexcept PANTRY_MAY_ALLOCATE;
  // The same in parts: one such slab, which is the caller's to destroy, or null.
  VaSlab* take_surplus() noexcept;
  // Of a moment between operations: a running one has nodes that count as used.
  VaNodeStatistics statistics() const noexcept;

 private:
  friend class VaReserve;
  bool lacks_nodes() const noexcept {
    const std::uint64_t free = slabs_.free();
    return free < kVaNodesPerOp * counts_.operations && free < counts_.needed();
  }
  bool has_surplus() const noexcept {
    const VaSlab* const slab = slabs_.empty();
    return slab && slabs_.free() >= counts_.needed() + kKept + slab->nodes();
  }

  const Growth growth_;
  VaSlabList slabs_;
  VaNodeStatistics counts_;  // but `free`, which slabs_ knows
};

// The claim of one operation, and the nodes that are in its hands while it runs. Prepare:
//
//   VaReserve nodes = VaReserve::for_operation(pool);
//   while (nodes.incomplete())
//     if (!pool.grow()) return Error(Errno::kNoMem);
//
// Making, asking, running and abandoning allocate and free nothing. Destroying it gives the claim
// back if it was not used, and may free: not inside a SignallingSection. After abandon() and
// forget_surplus(), destroying it does nothing, and needs no lock.
class VaReserve {
 public:
  // No pool: for what changes nothing.
  VaReserve() = default;
  static VaReserve for_operation(VaNodePool& pool) noexcept {
    ++pool.counts_.operations;
    return VaReserve(pool, Claim::kOpen);
  }
  // For an operation that removes whole mappings and so needs no node; it may still give some back.
  static VaReserve for_removal(VaNodePool& pool) noexcept { return VaReserve(pool, Claim::kNone); }

  VaReserve(VaReserve&& other) noexcept;
  VaReserve& operator=(VaReserve&& other) noexcept PANTRY_MAY_ALLOCATE;
  ~VaReserve() PANTRY_MAY_ALLOCATE { release(); }

  // Makes this one, which is of no pool yet, one for an operation.
  void claim(VaNodePool& pool) noexcept {
    PANTRY_CHECK(claim_ == Claim::kNone && !in_hand_);
    pool_ = &pool;
    claim_ = Claim::kOpen;
    ++pool.counts_.operations;
  }
  // The same for a removal: as for_removal().
  void take_part_in_removal(VaNodePool& pool) noexcept {
    PANTRY_CHECK(!pool_ && !in_hand_);
    pool_ = &pool;
  }
  // Whether the operation is still to come.
  bool open() const noexcept { return claim_ == Claim::kOpen; }
  // The operation will not run: gives the claim back, if it is still open.
  void abandon() noexcept {
    if (claim_ != Claim::kOpen) return;
    claim_ = Claim::kNone;
    --pool_->counts_.operations;
    surplus_ = Surplus::kYes;  // of what it had asked for
  }
  // Whether the pool may have too many nodes because of this operation; asked once, the answer is
  // the caller's to act on (VaNodePool::trim).
  bool forget_surplus() noexcept { return std::exchange(surplus_, Surplus::kNo) == Surplus::kYes; }
  // Whether the pool has too few nodes for all operations to come, this one among them.
  bool incomplete() const noexcept {
    PANTRY_CHECK(claim_ == Claim::kOpen);
    return pool_->lacks_nodes();
  }

  // For the tree, while the operation runs. take: never more than kVaNodesPerOp over what was given
  // (CHECK); its content is undefined.
  VaNode& take() noexcept;
  void give(VaNode& node) noexcept;
  // The operation is over and left `mappings` mappings in the tree.
  void finish(std::uint64_t mappings) noexcept;

  // How many nodes the operation has taken from the pool.
  std::uint32_t taken() const noexcept { return taken_; }

 private:
  // kOpen: counted in the pool's operations.
  enum class Claim : std::uint8_t { kNone, kOpen };
  enum class Surplus : std::uint8_t { kNo, kYes };
  VaReserve(VaNodePool& pool, Claim claim) noexcept : pool_(&pool), claim_(claim) {}
  void release() noexcept PANTRY_MAY_ALLOCATE;

  VaNodePool* pool_ = nullptr;
  Claim claim_ = Claim::kNone;
  Surplus surplus_ = Surplus::kNo;  // the pool had too many when the operation ended
  std::uint32_t taken_ = 0;
  VaNode* in_hand_ = nullptr;  // given, until the operation takes them again or finishes
};

}  // namespace pantry::driver
