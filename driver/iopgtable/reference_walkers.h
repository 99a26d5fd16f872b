// SPDX-License-Identifier: MIT
//
// For tests: readers of page tables, each written from its architecture's manual and sharing
// nothing with the writer: no bit layout, no height, no helper. Levels are numbered as the manual
// numbers them. A reader gets the root and what the device's registers would say about it.
//
// A reader has:
//   allows(va)                          whether the walk begins at all
//   first_level(), child_level(entry, level)
//   index(va, level), size(level)       which entry of the table, and what that covers
//   read(entry, level)                  what the entry means there
//   written(entry)                      what a write makes of the leaf that it goes through
//   kHasExecute, kContiguousEntries
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/types.h"
#include "gpu_emu/ports.h"

namespace pantry::driver {

struct ReferenceEntry {
  enum class Kind { kNothing, kTable, kLeaf, kBad } kind = Kind::kNothing;
  std::uint64_t address = 0;
  bool write = true;
  bool execute = true;
  bool cached = true;
  bool dirty = false;
  bool contiguous = false;
  static ReferenceEntry bad() { return {.kind = Kind::kBad}; }
};

// ARM DDI 0487, "The AArch64 Virtual Memory System Architecture": VMSAv8-64, 4 KiB granule, 48 bits
// of output, unprivileged accesses.
class ArmReference {
 public:
  static constexpr bool kHasExecute = true;
  // Which leaves of a level may carry the contiguous bit together.
  static constexpr std::uint64_t kContiguousEntries = 16;

  enum class Stage { k1, k2 };
  ArmReference(Stage stage, unsigned input_bits) : stage_(stage), input_bits_(input_bits) {}

  bool allows(std::uint64_t va) const { return input_bits_ == 64 || va >> input_bits_ == 0; }
  unsigned first_level() const {
    return input_bits_ > 39 ? 0 : input_bits_ > 30 ? 1 : input_bits_ > 21 ? 2 : 3;
  }
  unsigned child_level(std::uint64_t, unsigned level) const { return level + 1; }
  static unsigned low_bit(unsigned level) { return 12 + 9 * (3 - level); }
  std::uint64_t size(unsigned level) const { return std::uint64_t{1} << low_bit(level); }
  unsigned index(std::uint64_t va, unsigned level) const { return va >> low_bit(level) & 0x1ff; }

  ReferenceEntry read(std::uint64_t d, unsigned level) const {
    if ((d & 1) == 0) return d == 0 ? ReferenceEntry{} : ReferenceEntry::bad();
    const bool type = d >> 1 & 1;
    if (level < 3 && type) {
      // A table: nothing but the address, since no hierarchical control is used.
      if (d & ~std::uint64_t{0x0000'ffff'ffff'f003}) return ReferenceEntry::bad();
      return {.kind = ReferenceEntry::Kind::kTable, .address = d & 0x0000'ffff'ffff'f000};
    }
    if ((level == 3) != type || level == 0) return ReferenceEntry::bad();
    ReferenceEntry leaf{.kind = ReferenceEntry::Kind::kLeaf};
    leaf.address = d & 0x0000'ffff'ffff'f000;
    if (leaf.address % size(level) != 0) return ReferenceEntry::bad();
    if (!(d >> 10 & 1)) return ReferenceEntry::bad();  // access flag fault
    leaf.contiguous = d >> 52 & 1;
    const bool dbm = d >> 51 & 1;
    const bool software_dirty = d >> 56 & 1;  // ignored by hardware
    if (stage_ == Stage::k1) {
      // AttrIndx 4:2, NS 5, AP[2:1] 7:6, SH 9:8, AF 10, nG 11, DBM 51, Contiguous 52, PXN 53,
      // UXN 54.
      if (d & ~std::uint64_t{0x0178'ffff'ffff'ffdf}) return ReferenceEntry::bad();
      if (!(d >> 6 & 1)) return ReferenceEntry::bad();  // no unprivileged access
      const bool read_only = d >> 7 & 1;
      leaf.write = !read_only || dbm;
      leaf.dirty = (!read_only && dbm) || software_dirty;
      leaf.execute = !(d >> 54 & 1);
      const unsigned attribute = d >> 2 & 7;
      if (attribute > 1 || (d >> 8 & 3) != (attribute == 1 ? 3 : 2)) return ReferenceEntry::bad();
      leaf.cached = attribute == 1;
    } else {
      // MemAttr 5:2, S2AP 7:6, SH 9:8, AF 10, DBM 51, Contiguous 52, XN[1:0] 54:53.
      if (d & ~std::uint64_t{0x0158'ffff'ffff'f7ff}) return ReferenceEntry::bad();
      if (!(d >> 6 & 1)) return ReferenceEntry::bad();  // not readable
      const bool written = d >> 7 & 1;
      leaf.write = written || dbm;
      leaf.dirty = (written && dbm) || software_dirty;
      leaf.execute = (d >> 53 & 3) == 0;
      const unsigned attribute = d >> 2 & 0xf;
      if (attribute != 0xf && attribute != 0x5) return ReferenceEntry::bad();
      if ((d >> 8 & 3) != (attribute == 0xf ? 3 : 2)) return ReferenceEntry::bad();
      leaf.cached = attribute == 0xf;
    }
    return leaf;
  }
  // What a write makes of the leaf that it goes through (hardware management of dirty state).
  std::uint64_t written(std::uint64_t d) const {
    if (!(d >> 51 & 1)) return d;
    return stage_ == Stage::k1 ? d & ~(std::uint64_t{1} << 7) : d | std::uint64_t{1} << 7;
  }

 private:
  Stage stage_;
  unsigned input_bits_;
};

// Mali's legacy mode: docs of the Mali MMU as the open drivers have them.
class MaliReference {
 public:
  static constexpr bool kHasExecute = true;
  static constexpr std::uint64_t kContiguousEntries = 1;

  explicit MaliReference(unsigned va_bits) : va_bits_(va_bits) {}
  bool allows(std::uint64_t va) const { return va >> va_bits_ == 0; }
  unsigned first_level() const { return 0; }
  unsigned child_level(std::uint64_t, unsigned level) const { return level + 1; }
  std::uint64_t size(unsigned level) const { return std::uint64_t{4096} << (27 - 9 * level); }
  unsigned index(std::uint64_t va, unsigned level) const { return va / size(level) % 512; }

  ReferenceEntry read(std::uint64_t d, unsigned level) const {
    if (d == 0) return {};
    const std::uint64_t address = d & 0x0000'00ff'ffff'f000;
    if (level != 3 && (d & 3) == 3) {
      if (d != (address | 3)) return ReferenceEntry::bad();
      return {.kind = ReferenceEntry::Kind::kTable, .address = address};
    }
    if ((d & 3) != 1 || address % size(level) != 0) return ReferenceEntry::bad();
    // Readable; outer; index 0 or 1; both execute-never bits or none; nothing else.
    if ((d >> 6 & 1) != 1 || (d >> 8 & 3) != 2 || (d >> 2 & 7) > 1) return ReferenceEntry::bad();
    if ((d >> 53 & 3) != 0 && (d >> 53 & 3) != 3) return ReferenceEntry::bad();
    if (d & ~(address | 0x0060'0000'0000'03df)) return ReferenceEntry::bad();
    return {.kind = ReferenceEntry::Kind::kLeaf,
            .address = address,
            .write = (d & 0x80) != 0,
            .execute = (d >> 54 & 1) == 0,
            .cached = (d >> 2 & 7) == 1};
  }
  std::uint64_t written(std::uint64_t d) const { return d; }

 private:
  unsigned va_bits_;
};

// Intel SDM volume 3, "Paging": 4-level and 5-level paging with 52 bits of physical address, NXE
// set, PAT as after reset. Level 5 is a PML5E, 4 a PML4E, 3 a PDPTE, 2 a PDE, 1 a PTE.
class X86Reference {
 public:
  static constexpr bool kHasExecute = true;
  static constexpr std::uint64_t kContiguousEntries = 1;

  explicit X86Reference(unsigned levels) : levels_(levels) {}
  // The linear address that a program uses for `va`, counted from 0: sign-extended.
  std::uint64_t linear(std::uint64_t va) const {
    const unsigned unused = 64 - (12 + 9 * levels_);
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(va << unused) >> unused);
  }
  bool allows(std::uint64_t va) const { return va >> (12 + 9 * levels_) == 0; }
  unsigned first_level() const { return levels_; }
  unsigned child_level(std::uint64_t, unsigned level) const { return level - 1; }
  std::uint64_t size(unsigned level) const { return std::uint64_t{1} << (9 * level + 3); }
  unsigned index(std::uint64_t va, unsigned level) const {
    const std::uint64_t address = linear(va);
    switch (level) {
      case 5:
        return address >> 48 & 511;
      case 4:
        return address >> 39 & 511;
      case 3:
        return address >> 30 & 511;
      case 2:
        return address >> 21 & 511;
      default:
        return address >> 12 & 511;
    }
  }

  ReferenceEntry read(std::uint64_t e, unsigned level) const {
    const bool present = e & 1;
    if (!present) return e == 0 ? ReferenceEntry{} : ReferenceEntry::bad();
    const bool user = e & 4;
    const bool writable = e & 2;
    const bool execute = !(e >> 63);
    // Of the ignored bits and keys 62:52 only the lowest is used, for a leaf.
    if (!user || (e >> 53 & 0x3ff) != 0) return ReferenceEntry::bad();
    const bool software_dirty = e >> 52 & 1;
    if (level > 1 && !(e & 0x80)) {
      if (software_dirty) return ReferenceEntry::bad();
      return {.kind = ReferenceEntry::Kind::kTable,
              .address = e & 0x000f'ffff'ffff'f000,
              .write = writable,
              .execute = execute};
    }
    if (level > 3) return ReferenceEntry::bad();  // PS is reserved
    // 2 MiB: bits 20:13 are reserved, 1 GiB: 29:13. Bit 12 is PAT, of a page bit 7.
    const std::uint64_t below = level == 1 ? 0 : level == 2 ? 0x1f'e000 : 0x3fff'e000;
    const bool pat = level == 1 ? e & 0x80 : e & 0x1000;
    if ((e & below) || pat || (e & 0x100)) return ReferenceEntry::bad();  // G is not used
    if (!writable && (e & 0x40)) return ReferenceEntry::bad();            // a shadow stack
    const unsigned memory_type = e >> 3 & 3;                              // PCD, PWT
    if (memory_type != 0 && memory_type != 3) return ReferenceEntry::bad();
    const std::uint64_t low = level == 1 ? 0xfff : level == 2 ? 0x1f'ffff : 0x3fff'ffff;
    return {.kind = ReferenceEntry::Kind::kLeaf,
            .address = e & 0x000f'ffff'ffff'ffff & ~low,
            .write = writable,
            .execute = execute,
            .cached = memory_type == 0,
            .dirty = (e & 0x40) != 0 || software_dirty};
  }
  std::uint64_t written(std::uint64_t e) const { return e & 2 ? e | 0x40 : e; }

 private:
  unsigned levels_;
};

// AMD I/O Virtualization Technology (IOMMU) Specification, "I/O Page Tables for Host Translations".
// Levels 6 to 1; the page mode is the level of the root.
class AmdReference {
 public:
  static constexpr bool kHasExecute = false;
  static constexpr std::uint64_t kContiguousEntries = 1;

  AmdReference(unsigned mode, unsigned va_bits) : mode_(mode), va_bits_(va_bits) {}
  bool allows(std::uint64_t va) const { return va_bits_ == 64 || va >> va_bits_ == 0; }
  unsigned first_level() const { return mode_; }
  // The entry says. Skipping levels is not expected here.
  unsigned child_level(std::uint64_t e, unsigned) const { return e >> 9 & 7; }
  std::uint64_t size(unsigned level) const { return std::uint64_t{0x1000} << (level * 9 - 9); }
  unsigned index(std::uint64_t va, unsigned level) const { return (va >> (level * 9 + 3)) & 511; }

  ReferenceEntry read(std::uint64_t e, unsigned level) const {
    if (!(e & 1)) return e == 0 ? ReferenceEntry{} : ReferenceEntry::bad();
    const unsigned next = e >> 9 & 7;
    const std::uint64_t address = e & 0x000f'ffff'ffff'f000;
    const bool read = e >> 61 & 1;
    const bool write = e >> 62 & 1;
    if (!read || e >> 63 || (e >> 52 & 0x7f) || (e >> 59 & 1)) return ReferenceEntry::bad();
    if (next == 0) {
      if (address % size(level) != 0 || (e & 0x1be)) return ReferenceEntry::bad();
      return {.kind = ReferenceEntry::Kind::kLeaf,
              .address = address,
              .write = write,
              .cached = (e >> 60 & 1) != 0,
              .dirty = (e & 0x40) != 0};
    }
    if (next != level - 1 || (e & 0x1fe)) return ReferenceEntry::bad();
    return {.kind = ReferenceEntry::Kind::kTable, .address = address, .write = write};
  }
  std::uint64_t written(std::uint64_t e) const { return e >> 62 & 1 ? e | 0x40 : e; }

 private:
  unsigned mode_;
  unsigned va_bits_;
};

// Intel Virtualization Technology for Directed I/O, "Second-Stage Translation": levels are those of
// the adjusted guest address width; 5 is an SS-PML5E, 4 an SS-PML4E, 3 an SS-PDPE, 2 an SS-PDE, 1
// an SS-PTE. With snoop control, accessed and dirty flags, 52 bits of address.
class VtdReference {
 public:
  static constexpr bool kHasExecute = false;
  static constexpr std::uint64_t kContiguousEntries = 1;

  explicit VtdReference(unsigned width) : width_(width) {}
  bool allows(std::uint64_t va) const { return va >> width_ == 0; }
  unsigned first_level() const { return width_ == 39 ? 3 : width_ == 48 ? 4 : 5; }
  unsigned child_level(std::uint64_t, unsigned level) const { return level - 1; }
  std::uint64_t size(unsigned level) const {
    static constexpr std::uint64_t kSizes[] = {0,           0x1000,         0x20'0000,
                                               0x4000'0000, 0x80'0000'0000, 0x1'0000'0000'0000};
    return kSizes[level];
  }
  unsigned index(std::uint64_t va, unsigned level) const { return va / size(level) & 511; }

  ReferenceEntry read(std::uint64_t e, unsigned level) const {
    const bool read = e & 1;
    const bool write = e & 2;
    if (!read && !write) return e == 0 ? ReferenceEntry{} : ReferenceEntry::bad();
    // X, EMT, IPAT, bit 10 and 63:52 are not used.
    if (!read || (e & 0x47c) || e >> 52) return ReferenceEntry::bad();
    if (!(e >> 8 & 1)) return ReferenceEntry::bad();  // A: the walk would write to the table
    const std::uint64_t address = e & 0x000f'ffff'ffff'f000;
    if (level == 1 || (e & 0x80)) {
      // Bit 7 of an SS-PTE is not used; in levels above the SS-PDPE it is reserved.
      if (level > 3 || (level == 1 && (e & 0x80)) || address % size(level) != 0)
        return ReferenceEntry::bad();
      return {.kind = ReferenceEntry::Kind::kLeaf,
              .address = address,
              .write = write,
              .cached = (e & 0x800) != 0,
              .dirty = (e & 0x200) != 0};
    }
    if (e & 0xa00) return ReferenceEntry::bad();  // D and SNP are of leaves
    return {.kind = ReferenceEntry::Kind::kTable, .address = address, .write = write};
  }
  std::uint64_t written(std::uint64_t e) const { return e & 2 ? e | 0x200 : e; }

 private:
  unsigned width_;
};

// The RISC-V Instruction Set Manual volume II, "Virtual Address Translation Process" of Sv39 and
// its larger siblings: levels are numbered from 0, the leaves. User mode, Svpbmt, hardware that
// sets A and D.
class RiscVReference {
 public:
  static constexpr bool kHasExecute = true;
  static constexpr std::uint64_t kContiguousEntries = 1;

  explicit RiscVReference(unsigned bits) : bits_(bits) {}
  bool allows(std::uint64_t va) const { return va >> bits_ == 0; }
  unsigned first_level() const { return (bits_ - 12) / 9 - 1; }
  unsigned child_level(std::uint64_t, unsigned level) const { return level - 1; }
  std::uint64_t size(unsigned level) const {
    std::uint64_t size = 4096;
    while (level-- != 0) size *= 512;
    return size;
  }
  // VPN[level] of the address that a program uses, which is sign-extended.
  unsigned index(std::uint64_t va, unsigned level) const {
    const unsigned unused = 64 - bits_;
    const std::int64_t extended = static_cast<std::int64_t>(va << unused) >> unused;
    return static_cast<std::uint64_t>(extended >> (12 + 9 * level)) & 0x1ff;
  }

  ReferenceEntry read(std::uint64_t pte, unsigned level) const {
    const bool v = pte & 1, r = pte & 2, w = pte & 4, x = pte & 8, u = pte & 16, g = pte & 32;
    const bool a = pte & 64, d = pte & 128;
    if (!v) return pte == 0 ? ReferenceEntry{} : ReferenceEntry::bad();
    if (!r && w) return ReferenceEntry::bad();
    // RSW, 60:54 and N are not used.
    if ((pte >> 8 & 3) || (pte >> 54 & 0x7f) || pte >> 63 || g) return ReferenceEntry::bad();
    const unsigned memory_type = pte >> 61 & 3;
    const std::uint64_t ppn = pte >> 10 & 0xfff'ffff'ffff;
    if (!r && !x) {
      // D, A, U and PBMT of a pointer are reserved.
      if (level == 0 || d || a || u || memory_type != 0) return ReferenceEntry::bad();
      return {.kind = ReferenceEntry::Kind::kTable, .address = ppn * 4096};
    }
    if (!r || !u || !a || memory_type > 1) return ReferenceEntry::bad();
    if (ppn * 4096 % size(level) != 0) return ReferenceEntry::bad();  // a misaligned superpage
    return {.kind = ReferenceEntry::Kind::kLeaf,
            .address = ppn * 4096,
            .write = w,
            .execute = x,
            .cached = memory_type == 0,
            .dirty = d};
  }
  std::uint64_t written(std::uint64_t pte) const { return pte & 4 ? pte | 0x80 : pte; }

 private:
  unsigned bits_;
};

struct ReferenceLeaf {
  std::uint64_t va;
  std::uint64_t size;
  ReferenceEntry entry;  // with the permissions of the whole way
};

// Walks, entry by entry, each read whole out of DRAM.
template <class Reader>
class ReferenceWalker {
 public:
  ReferenceWalker(const emu::Dram& dram, PhysAddr root, Reader reader)
      : dram_(dram), root_(root.value), reader_(reader) {}

  // What an access to `va` finds.
  std::optional<ReferenceLeaf> find(std::uint64_t va) const {
    if (!reader_.allows(va)) return std::nullopt;
    ReferenceEntry way;
    std::uint64_t table = root_;
    for (unsigned level = reader_.first_level();;) {
      const std::uint64_t raw = slot(table, reader_.index(va, level)).load();
      ReferenceEntry entry = reader_.read(raw, level);
      entry.write &= way.write;
      entry.execute &= way.execute;
      if (entry.kind == ReferenceEntry::Kind::kLeaf)
        return ReferenceLeaf{va / reader_.size(level) * reader_.size(level), reader_.size(level),
                             entry};
      if (entry.kind != ReferenceEntry::Kind::kTable) return std::nullopt;
      way = entry;
      table = entry.address;
      level = reader_.child_level(raw, level);
    }
  }
  // A write by the device to `va`, which is mapped: it notes it if the format does.
  void write(std::uint64_t va) const {
    std::uint64_t table = root_;
    for (unsigned level = reader_.first_level();;) {
      const auto at = slot(table, reader_.index(va, level));
      const std::uint64_t raw = at.load();
      const ReferenceEntry entry = reader_.read(raw, level);
      if (entry.kind == ReferenceEntry::Kind::kLeaf) return at.store(reader_.written(raw));
      table = entry.address;
      level = reader_.child_level(raw, level);
    }
  }

  struct Contents {
    std::vector<ReferenceLeaf> leaves;  // in address order
    std::uint64_t tables = 0;
    std::uint64_t empty_tables = 0;  // the root not counted
    std::uint64_t bad = 0;           // entries that are not as the manual and the driver want them
  };
  Contents read_all() const {
    Contents contents;
    read(root_, reader_.first_level(), 0, {}, contents);
    return contents;
  }

 private:
  std::atomic_ref<std::uint64_t> slot(std::uint64_t table, std::uint64_t index) const {
    auto* entries = static_cast<std::uint64_t*>(dram_.at({table}, kPageSize));
    return std::atomic_ref<std::uint64_t>(entries[index]);
  }
  unsigned read(std::uint64_t table, unsigned level, std::uint64_t base, ReferenceEntry way,
                Contents& contents) const {
    ++contents.tables;
    unsigned present = 0;
    for (std::uint64_t i = 0; i < 512; ++i) {
      const std::uint64_t raw = slot(table, i).load();
      if (raw == 0) continue;
      ++present;
      const std::uint64_t va = base + i * reader_.size(level);
      ReferenceEntry entry = reader_.read(raw, level);
      entry.write &= way.write;
      entry.execute &= way.execute;
      if (entry.kind == ReferenceEntry::Kind::kTable) {
        if (read(entry.address, reader_.child_level(raw, level), va, entry, contents) == 0)
          ++contents.empty_tables;
      } else if (entry.kind == ReferenceEntry::Kind::kLeaf && reader_.allows(va)) {
        contents.leaves.push_back({va, reader_.size(level), entry});
        if (entry.contiguous && !run_is_whole(table, i, level)) ++contents.bad;
      } else {
        ++contents.bad;
      }
    }
    return present;
  }
  // Every entry of an aligned group has the bit or none; with it, they map one aligned piece alike.
  bool run_is_whole(std::uint64_t table, std::uint64_t index, unsigned level) const {
    constexpr std::uint64_t kEntries = Reader::kContiguousEntries;
    const std::uint64_t first = index / kEntries * kEntries;
    const ReferenceEntry head = reader_.read(slot(table, first).load(), level);
    for (std::uint64_t i = 0; i < kEntries; ++i) {
      const ReferenceEntry entry = reader_.read(slot(table, first + i).load(), level);
      if (entry.kind != ReferenceEntry::Kind::kLeaf || !entry.contiguous ||
          entry.address != head.address + i * reader_.size(level) || entry.write != head.write ||
          entry.execute != head.execute || entry.cached != head.cached)
        return false;
    }
    return head.address % (kEntries * reader_.size(level)) == 0;
  }

  emu::Dram dram_;
  std::uint64_t root_;
  Reader reader_;
};

}  // namespace pantry::driver
