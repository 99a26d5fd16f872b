// SPDX-License-Identifier: MIT
//
// How many binds need a table in which windows, and how many of these are asynchronous: a hash
// table of (window, pins), 16 bytes each, at most half full. It allocates nothing by itself:
// whoever pins makes sure of room first, with storage made outside of all locks, so that pins can
// be dropped while signalling.
//
// No lock: the operation lock of the VM serialises all calls but Storage::make. Pin, unpin and
// lookup are O(1); adopting larger storage is linear in the number of windows, and happens each
// time that number doubles.
#pragma once

#include <cstdint>
#include <memory>

#include "base/result.h"
#include "base/signalling.h"
#include "driver/iopgtable/table_window.h"

namespace pantry::driver {

class WindowPins {
  struct Entry {
    std::uint64_t key = 0;
    std::uint32_t pins = 0;    // 0: the entry is free
    std::uint32_t queued = 0;  // of these
  };

 public:
  // Memory for a table of windows.
  class Storage {
   public:
    Storage() = default;
    // Room for `windows`. ENOMEM.
    static Result<Storage> make(std::uint32_t windows) PANTRY_MAY_ALLOCATE;
    std::uint32_t windows() const { return entries_ ? (1u << bits_) / 2 : 0; }

   private:
    friend class WindowPins;
    std::unique_ptr<Entry[]> entries_;
    std::uint32_t bits_ = 0;  // log2 of the number of entries
  };

  // Windows with pins.
  std::uint32_t size() const { return size_; }
  bool has_room(std::uint32_t more) const { return more <= storage_.windows() - size_; }
  // Moves to `larger`, which holds the old memory afterwards, unless that has no more room.
  void adopt(Storage& larger) noexcept;

  // Whose pin: of a bind that runs as soon as it is prepared, or of one that is queued.
  enum class By { kSync, kQueued };
  struct Pins {
    std::uint32_t all = 0;
    std::uint32_t queued = 0;  // of these
    constexpr bool operator==(const Pins&) const = default;
  };
  Pins pins(TableWindow window) const noexcept;
  // Pre: the window is pinned, or there is room for one more.
  void pin(TableWindow window, By by) noexcept;
  // Returns the pins that are left. Pre: the window has such a pin.
  Pins unpin(TableWindow window, By by) noexcept;
  // visit(TableWindow) for each window with pins, in no order. For checks.
  template <class Visit>
  void for_each(Visit visit) const {
    if (!storage_.entries_) return;
    for (std::uint32_t i = 0; i <= mask(); ++i)
      if (const Entry& entry = storage_.entries_[i]; entry.pins != 0)
        visit(TableWindow::of_key(entry.key));
  }

 private:
  std::uint32_t mask() const { return (1u << storage_.bits_) - 1; }
  // Where the search for a key starts: the top bits of a product with 2^64 / golden ratio.
  std::uint32_t home(std::uint64_t key) const {
    return static_cast<std::uint32_t>(key * 0x9e37'79b9'7f4a'7c15u >> (64 - storage_.bits_));
  }
  // The entry of the key, or the free one where it would be. Pre: there is storage.
  Entry& find(std::uint64_t key) const noexcept;

  Storage storage_;
  std::uint32_t size_ = 0;
};

}  // namespace pantry::driver
