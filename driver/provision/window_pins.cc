// SPDX-License-Identifier: MIT
#include "driver/provision/window_pins.h"

#include <bit>
#include <new>
#include <utility>

#include "base/check.h"

namespace pantry::driver {

Result<WindowPins::Storage> WindowPins::Storage::make(std::uint32_t windows) {
  Storage storage;
  storage.bits_ = std::bit_width(std::bit_ceil(std::uint32_t{2} * (windows < 8 ? 8 : windows))) - 1;
  storage.entries_.reset(new (std::nothrow) Entry[std::size_t{1} << storage.bits_]());
  if (!storage.entries_) return Error(Errno::kNoMem);
  return storage;
}

void WindowPins::adopt(Storage& larger) noexcept {
  if (larger.windows() <= storage_.windows()) return;
  // Piece by piece: nothing here can free.
  storage_.entries_.swap(larger.entries_);
  std::swap(storage_.bits_, larger.bits_);
  if (!larger.entries_) return;
  for (std::uint32_t i = 0; i < 1u << larger.bits_; ++i)
    if (const Entry& entry = larger.entries_[i]; entry.pins != 0) find(entry.key) = entry;
}

WindowPins::Entry& WindowPins::find(std::uint64_t key) const noexcept {
  for (std::uint32_t i = home(key);; i = (i + 1) & mask()) {
    Entry& entry = storage_.entries_[i];
    if (entry.pins == 0 || entry.key == key) return entry;
  }
}

WindowPins::Pins WindowPins::pins(TableWindow window) const noexcept {
  if (size_ == 0) return {};
  const Entry& entry = find(window.key());
  return {entry.pins, entry.queued};
}

void WindowPins::pin(TableWindow window, By by) noexcept {
  PANTRY_CHECK(storage_.entries_);
  Entry& entry = find(window.key());
  if (entry.pins == 0) {
    PANTRY_CHECK(has_room(1));
    entry.key = window.key();
    ++size_;
  }
  ++entry.pins;
  entry.queued += by == By::kQueued;
}

WindowPins::Pins WindowPins::unpin(TableWindow window, By by) noexcept {
  PANTRY_CHECK(size_ != 0);
  Entry& entry = find(window.key());
  PANTRY_CHECK((by == By::kQueued ? entry.queued : entry.pins - entry.queued) != 0);
  entry.queued -= by == By::kQueued;
  if (--entry.pins != 0) return {entry.pins, entry.queued};
  --size_;
  // Closes the gap: an entry behind it moves in unless its search starts after the gap. With homes
  // 3 3 4 at 3, 4, 5 and the first gone, the second moves to 3 and the third to 4.
  auto gap = static_cast<std::uint32_t>(&entry - storage_.entries_.get());
  for (std::uint32_t i = (gap + 1) & mask(); storage_.entries_[i].pins != 0; i = (i + 1) & mask()) {
    Entry& candidate = storage_.entries_[i];
    if (((i - home(candidate.key)) & mask()) < ((i - gap) & mask())) continue;
    storage_.entries_[gap] = std::exchange(candidate, Entry());
    gap = i;
  }
  return {};
}

}  // namespace pantry::driver
