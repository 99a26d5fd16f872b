// SPDX-License-Identifier: MIT
//
// For tests: a reader of AArch64 tables that shares nothing with the writer, from the
// architecture's facts alone. It reads entries out of DRAM as the device would, so the tests see
// what the device sees and not what the metadata says.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/types.h"
#include "gpu_emu/ports.h"

namespace pantry::driver {

struct RawLeaf {
  std::uint64_t va;
  std::uint64_t size;
  std::uint64_t entry;
  std::uint64_t frame() const { return entry & 0x0000'ffff'ffff'f000; }
  // Everything but the address and the type: the attributes.
  std::uint64_t attributes() const { return entry & ~std::uint64_t{0x0000'ffff'ffff'f003}; }
};

class RawTable {
 public:
  // `first_level`: 0 for 48 bits, 1 for 39.
  RawTable(const emu::Dram& dram, PhysAddr root, unsigned first_level)
      : dram_(dram), root_(root), first_level_(first_level) {}

  // What an access to `va` finds, entry by entry, each read whole.
  std::optional<RawLeaf> find(std::uint64_t va) const {
    std::uint64_t table = root_.value;
    for (unsigned level = first_level_;; ++level) {
      const unsigned shift = 39 - 9 * level;
      const std::uint64_t entry = load(table, va >> shift & 511);
      const std::uint64_t size = std::uint64_t{1} << shift;
      if ((entry & 3) == 3 && level < 3) {
        table = entry & 0x0000'ffff'ffff'f000;
        continue;
      }
      if ((entry & 3) == (level == 3 ? 3u : 1u) && level > 0)
        return RawLeaf{va & ~(size - 1), size, entry};
      return std::nullopt;
    }
  }

  struct Contents {
    std::vector<RawLeaf> leaves;  // in address order
    std::vector<std::uint64_t> tables;
    unsigned empty_tables = 0;  // the root not counted
    unsigned bad_entries = 0;   // neither 0 nor a leaf or table that its level allows
  };
  Contents read_all() const {
    Contents contents;
    read(root_.value, first_level_, 0, contents);
    return contents;
  }

 private:
  std::uint64_t load(std::uint64_t table, std::uint64_t index) const {
    auto* entries = static_cast<std::uint64_t*>(dram_.at({table}, kPageSize));
    return std::atomic_ref<std::uint64_t>(entries[index]).load(std::memory_order_acquire);
  }
  unsigned read(std::uint64_t table, unsigned level, std::uint64_t base, Contents& contents) const {
    contents.tables.push_back(table);
    unsigned present = 0;
    for (std::uint64_t i = 0; i < 512; ++i) {
      const std::uint64_t entry = load(table, i);
      if (entry == 0) continue;
      ++present;
      const std::uint64_t size = std::uint64_t{1} << (39 - 9 * level);
      const std::uint64_t va = base + i * size;
      if ((entry & 3) == 3 && level < 3) {
        if (read(entry & 0x0000'ffff'ffff'f000, level + 1, va, contents) == 0)
          ++contents.empty_tables;
      } else if ((entry & 3) == (level == 3 ? 3u : 1u) && level > 0 &&
                 ((entry & 0x0000'ffff'ffff'f000) & (size - 1)) == 0) {
        contents.leaves.push_back({va, size, entry});
      } else {
        ++contents.bad_entries;
      }
    }
    return present;
  }

  emu::Dram dram_;
  PhysAddr root_;
  unsigned first_level_;
};

}  // namespace pantry::driver
