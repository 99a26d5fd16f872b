// SPDX-License-Identifier: MIT
//
// What the driver knows about each table page beside its 512 entries: which of them are present,
// where the table stands, and how many rely on its standing there. With it, whether a range is
// free, and whether a table has become empty, is a matter of one cache line and never of reading
// entries back.
//
// One TableInfo per frame of DRAM, reserved by the constructor (untouched memory costs nothing) and
// shared by all page tables of a device, so that run needs no allocation. The info of a frame
// belongs to the page table that holds the frame.
//
// Which entries are present may be asked while another thread changes it: the answer is then right
// for some moment, entry by entry. Everything else is for one thread at a time, but for the members
// that say otherwise: those are for page tables with several writers (writers.h), which keep the
// count alone and take the entries themselves for what is present.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>

#include "base/check.h"
#include "base/types.h"
#include "driver/iopgtable/table_window.h"
#include "gpu_emu/ports.h"

namespace pantry::driver {

inline constexpr std::uint32_t kTableEntries = 512;

class TableInfo {
 public:
  std::uint32_t count() const { return load(count_) & ~kDead; }
  bool test(std::uint32_t index) const { return load(words_[index / 64]) >> (index % 64) & 1; }
  // The first present entry in [first, end), or `end`.
  std::uint32_t next_present(std::uint32_t first, std::uint32_t end) const;
  bool any(std::uint32_t first, std::uint32_t end) const { return next_present(first, end) != end; }
  // Pre: none of [first, end) is present (CHECK); as for the next two, first < end.
  void set(std::uint32_t first, std::uint32_t end);
  // False, and nothing is changed, if any of [first, end), or the entry, is present.
  bool try_set(std::uint32_t first, std::uint32_t end);
  bool try_set(std::uint32_t index);
  // Returns how many of [first, end) were present, or of one entry.
  std::uint32_t clear(std::uint32_t first, std::uint32_t end);
  std::uint32_t clear(std::uint32_t index);
  // A fresh table, for `window`: nothing present, no references.
  void reset(TableWindow window) {
    *this = TableInfo();
    window_ = window.key();
  }
  // Where the table stands, or stood last; of a repeated one, a window that no other table has.
  TableWindow window() const { return TableWindow::of_key(window_); }

  // A table with references stays when it becomes empty, and no block takes its place
  // (RadixTable::reference). One without a writer of its own has none (ManyWriters).
  std::uint32_t references() const { return references_; }
  void add_reference() { ++references_; }
  void drop_reference() {
    PANTRY_CHECK(references_ != 0);
    --references_;
  }

  // A fresh table that will stand in many windows (RadixTable::map_repeated): instead of a window
  // and references it has parents, the entries that lead to it.
  void reset_repeated() {
    *this = TableInfo();
    window_ = kNoWindow.key();
  }
  bool is_repeated() const { return window_ == kNoWindow.key(); }
  std::uint32_t parents() const { return references_; }
  void add_parents(std::uint32_t entries) { references_ += entries; }
  // Returns how many are left.
  std::uint32_t drop_parents(std::uint32_t entries) {
    PANTRY_CHECK(references_ >= entries);
    return references_ -= entries;
  }

  // Any number of threads at a time. Counts `entries` more, unless the table is dead: then false.
  bool try_add(std::uint32_t entries);
  // Counts `entries` fewer. True: none is left, and this call has made the table dead.
  bool subtract(std::uint32_t entries);

  // Of a page that is in no table: the next in a list of such pages (epoch_allocator.h).
  std::uint32_t link() const { return references_; }
  void set_link(std::uint32_t link) { references_ = link; }

 private:
  static constexpr TableWindow kNoWindow{7, 0};  // of a height that no table has
  static constexpr std::uint32_t kDead = std::uint32_t{1} << 31;
  // A plain load or store as far as the processor is concerned.
  template <class T>
  static T load(const T& word) {
    return std::atomic_ref<T>(const_cast<T&>(word)).load(std::memory_order_relaxed);
  }
  template <class T>
  static void store(T& word, T value) {
    std::atomic_ref<T>(word).store(value, std::memory_order_relaxed);
  }
  bool try_set_words(std::uint32_t first, std::uint32_t end);
  // visit(word, the bits of it that [first, end) has).
  template <class Visit>
  [[gnu::always_inline]] static void for_each_word(std::uint32_t first, std::uint32_t end,
                                                   Visit visit);
  std::array<std::uint64_t, kTableEntries / 64> words_{};
  std::uint32_t count_ = 0;       // with kDead
  std::uint32_t references_ = 0;  // of a repeated table: parents; of a page in no table: its link
  std::uint64_t window_ = 0;      // TableWindow::key()
};

class TableMetadata {
 public:
  // Allocates one TableInfo per frame of `dram`.
  explicit TableMetadata(emu::Dram dram);

  const emu::Dram& dram() const { return dram_; }
  // Pre: `table` is in DRAM.
  TableInfo& info(PhysAddr table) const {
    PANTRY_CHECK(dram_.contains(table, kPageSize));
    return infos_[(table - dram_.base) / kPageSize];
  }

 private:
  struct Release {
    void operator()(TableInfo* infos) const;
  };
  emu::Dram dram_;
  std::unique_ptr<TableInfo[], Release> infos_;
};

inline std::uint32_t TableInfo::next_present(std::uint32_t first, std::uint32_t end) const {
  while (first < end) {
    const std::uint64_t rest = load(words_[first / 64]) >> (first % 64);
    if (rest != 0) {
      const std::uint32_t found = first + static_cast<std::uint32_t>(std::countr_zero(rest));
      return found < end ? found : end;
    }
    first = (first / 64 + 1) * 64;
  }
  return end;
}

// Most ranges lie in one word; of others, all words but the first and the last count whole.
template <class Visit>
inline void TableInfo::for_each_word(std::uint32_t first, std::uint32_t end, Visit visit) {
  const std::uint32_t last = (end - 1) / 64;
  std::uint32_t word = first / 64;
  const std::uint64_t from = ~std::uint64_t{0} << (first % 64);
  const std::uint64_t to = ~std::uint64_t{0} >> (63 - (end - 1) % 64);
  if (word == last) [[likely]]
    return visit(word, from & to);
  visit(word, from);
  while (++word != last) visit(word, ~std::uint64_t{0});
  visit(last, to);
}

[[gnu::always_inline]] inline bool TableInfo::try_set(std::uint32_t first, std::uint32_t end) {
  const std::uint32_t word = first / 64;
  if (word != (end - 1) / 64) return try_set_words(first, end);
  const std::uint64_t bits = (~std::uint64_t{0} >> (64 - (end - first))) << (first % 64);
  if (words_[word] & bits) return false;
  store(words_[word], words_[word] | bits);
  count_ += end - first;
  return true;
}

inline bool TableInfo::try_set(std::uint32_t index) {
  std::uint64_t& word = words_[index / 64];
  const std::uint64_t bit = std::uint64_t{1} << (index % 64);
  if (word & bit) return false;
  store(word, word | bit);
  ++count_;
  return true;
}

inline std::uint32_t TableInfo::clear(std::uint32_t index) {
  std::uint64_t& word = words_[index / 64];
  const std::uint64_t bit = std::uint64_t{1} << (index % 64);
  const std::uint32_t present = (word & bit) != 0;
  store(word, word & ~bit);
  count_ -= present;
  return present;
}

inline void TableInfo::set(std::uint32_t first, std::uint32_t end) {
  PANTRY_CHECK(try_set(first, end));
}

inline std::uint32_t TableInfo::clear(std::uint32_t first, std::uint32_t end) {
  std::uint64_t absent = 0;
  for_each_word(first, end,
                [&](std::uint32_t word, std::uint64_t bits) { absent |= ~words_[word] & bits; });
  std::uint32_t cleared = end - first;
  // Counted only if it must be: a baseline x86-64 has no instruction for it.
  if (absent != 0) {
    cleared = 0;
    for_each_word(first, end, [&](std::uint32_t word, std::uint64_t bits) {
      cleared += static_cast<std::uint32_t>(std::popcount(words_[word] & bits));
    });
  }
  for_each_word(first, end, [&](std::uint32_t word, std::uint64_t bits) {
    store(words_[word], words_[word] & ~bits);
  });
  count_ -= cleared;
  return cleared;
}

inline bool TableInfo::try_add(std::uint32_t entries) {
  const std::atomic_ref<std::uint32_t> count(count_);
  std::uint32_t now = count.load(std::memory_order_relaxed);
  do {
    if (now & kDead) return false;
  } while (!count.compare_exchange_weak(now, now + entries, std::memory_order_acq_rel,
                                        std::memory_order_relaxed));
  return true;
}

inline bool TableInfo::subtract(std::uint32_t entries) {
  const std::atomic_ref<std::uint32_t> count(count_);
  const std::uint32_t before = count.fetch_sub(entries, std::memory_order_acq_rel);
  PANTRY_CHECK((before & kDead) == 0 && before >= entries);
  if (before != entries) return false;
  // Somebody may have added since, and then it lives on.
  std::uint32_t none = 0;
  return count.compare_exchange_strong(none, kDead, std::memory_order_acq_rel,
                                       std::memory_order_relaxed);
}

}  // namespace pantry::driver
