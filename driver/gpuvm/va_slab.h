// SPDX-License-Identifier: MIT
//
// Where the nodes of a large tree lie: many in one piece of memory, since nodes that are scattered
// over pages of 4 KiB cost a miss of the host's TLB each. A slab of kLargeBytes is aligned to its
// size and asks for one huge page.
//
// A list of slabs hands out nodes of those that are in use already, so that others can become
// empty. Allocates and frees whole slabs only, in make and destroy. No lock of its own.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>

#include "base/signalling.h"
#include "driver/gpuvm/va_node.h"

namespace pantry::driver {

class VaSlab : public boost::intrusive::list_base_hook<> {
 public:
  static constexpr std::uint64_t kLargeBytes = std::uint64_t{2} << 20;
  static constexpr std::uint32_t kLargeNodes = kLargeBytes / sizeof(VaNode) - 1;

  // Room for `nodes`, from 1 to kLargeNodes. Null: no memory. No page of it is touched but the
  // first.
  static VaSlab* make(std::uint32_t nodes) noexcept PANTRY_MAY_ALLOCATE;
  static void destroy(VaSlab& slab) noexcept PANTRY_MAY_ALLOCATE;

  std::uint32_t nodes() const { return nodes_; }
  bool empty() const { return used_ == 0; }
  bool full() const { return used_ == nodes_; }

  // Pre: not full.
  VaNode& take() noexcept;
  // Pre: `node` is of this slab.
  void give(VaNode& node) noexcept;

 private:
  explicit VaSlab(std::uint32_t nodes) : nodes_(nodes) {}
  ~VaSlab() = default;

  const std::uint32_t nodes_;
  std::uint32_t used_ = 0;
  std::uint32_t touched_ = 0;  // nodes from here on were never handed out
  VaNode* free_ = nullptr;     // of those before
};

class VaSlabList {
 public:
  VaSlabList() = default;
  // Every slab is empty (CHECK).
  ~VaSlabList() PANTRY_MAY_ALLOCATE;
  VaSlabList(const VaSlabList&) = delete;
  VaSlabList& operator=(const VaSlabList&) = delete;

  // Nodes that can be taken.
  std::uint64_t free() const { return free_; }
  void add(VaSlab& slab) noexcept;
  // Null when there is none.
  VaNode* take() noexcept;
  void give(VaNode& node) noexcept;
  // A slab without a node in use, or null; drop takes it out of the list.
  VaSlab* empty() noexcept { return empty_.empty() ? nullptr : &empty_.front(); }
  const VaSlab* empty() const noexcept { return empty_.empty() ? nullptr : &empty_.front(); }
  void drop(VaSlab& slab) noexcept;

 private:
  using List = boost::intrusive::list<VaSlab, boost::intrusive::constant_time_size<false>>;
  // Full slabs are in neither.
  List partial_;
  List empty_;
  std::uint64_t free_ = 0;
};

}  // namespace pantry::driver
