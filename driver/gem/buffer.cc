// SPDX-License-Identifier: MIT
#include "driver/gem/buffer.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "driver/gem/buffer_store.h"
#include "driver/kernel/signalling.h"

namespace pantry::driver {
namespace {

bool inside(std::uint64_t size, std::uint64_t offset, std::uint64_t bytes) {
  return offset <= size && bytes <= size - offset;
}

}  // namespace

Buffer::~Buffer() { store_.destroy(*this); }

void Buffer::set_label(std::optional<std::string> label) {
  // The old one is freed without the lock.
  MutexLock lock(label_mutex_);
  label_.swap(label);
}

std::optional<std::string> Buffer::label() const {
  MutexLock lock(label_mutex_);
  return label_;
}

void Buffer::set_dma_buf_name(std::string name) {
  std::optional<std::string> renamed(std::move(name));
  MutexLock lock(label_mutex_);
  dma_buf_name_.swap(renamed);
}

std::optional<std::string> Buffer::dma_buf_name() const {
  MutexLock lock(label_mutex_);
  return dma_buf_name_;
}

template <class Use>
void Buffer::for_each_piece(std::uint64_t offset, std::uint64_t bytes, Use use) const {
  for (const PhysExtent& extent : frames_) {
    if (bytes == 0) return;
    if (offset >= extent.size) {
      offset -= extent.size;
      continue;
    }
    const std::uint64_t here = std::min(bytes, extent.size - offset);
    use(static_cast<std::uint8_t*>(store_.dram().at(extent.start + offset, here)), here);
    bytes -= here;
    offset = 0;
  }
}

void* Buffer::cpu(std::uint64_t offset, std::uint64_t bytes) const {
  if (!inside(size_, offset, bytes)) return nullptr;
  std::uint8_t* start = nullptr;
  std::uint64_t contiguous = 0;
  bool whole = true;
  for_each_piece(offset, bytes, [&](std::uint8_t* piece, std::uint64_t size) {
    if (!start) start = piece;
    whole = whole && piece == start + contiguous;
    contiguous += size;
  });
  return whole ? start : nullptr;
}

template <class Pinned, class Parked>
bool Buffer::access(Pinned pinned, Parked parked) {
  bool done = false;
  {
    MutexLock lock(residency_mutex_);
    while (!try_pin()) {
      // Stays so while the lock is held.
      if (residency() == Residency::kEvicted) return parked();
      wait_for_move();
    }
  }
  done = pinned();
  unpin();
  return done;
}

bool Buffer::read(std::uint64_t offset, void* to, std::uint64_t bytes) {
  if (!inside(size_, offset, bytes)) return false;
  return access(
      [&] {
        auto* next = static_cast<std::uint8_t*>(to);
        for_each_piece(offset, bytes, [&](const std::uint8_t* piece, std::uint64_t size) {
          std::memcpy(next, piece, size);
          next += size;
        });
        return true;
      },
      [&] { return store_.backing().read_parked(memfd(), parked_, offset, to, bytes); });
}

bool Buffer::write(std::uint64_t offset, const void* from, std::uint64_t bytes) {
  if (!inside(size_, offset, bytes)) return false;
  return access(
      [&] {
        const auto* next = static_cast<const std::uint8_t*>(from);
        for_each_piece(offset, bytes, [&](std::uint8_t* piece, std::uint64_t size) {
          std::memcpy(piece, next, size);
          next += size;
        });
        return true;
      },
      [&] { return store_.backing().write_parked(memfd(), parked_, offset, from, bytes); });
}

bool Buffer::pin_or_claim() noexcept {
  if (!try_pin()) {
    MutexLock lock(residency_mutex_);
    while (!try_pin()) {
      if (residency() == Residency::kEvicted) {
        presence_.store(static_cast<std::uint32_t>(Residency::kReturning),
                        std::memory_order_release);
        return false;
      }
      wait_for_move();
    }
  }
  last_pinned_.store(store_.next_pin(), std::memory_order_relaxed);
  return true;
}

// Until its residency may be another than kLeaving or kReturning.
void Buffer::wait_for_move() noexcept {
  while (residency() == Residency::kLeaving || residency() == Residency::kReturning)
    moved_.wait(residency_mutex_);
}

Result<BufferPin> Buffer::pin() {
  PANTRY_TRY(stay_resident());
  return BufferPin(Ref<Buffer>::share(*this));
}

Result<FramePin> Buffer::pin_frames() {
  PANTRY_TRY(stay_resident());
  return FramePin(*this);
}

// A pin that nobody has to return.
Result<> Buffer::stay_resident() {
  PANTRY_CHECK(!SignallingSection::active());
  while (!pin_or_claim()) {
    const Result<> returned = store_.bring_back(*this);
    set_residency(returned ? Residency::kResident : Residency::kEvicted);
    PANTRY_TRY(returned);
  }
  return {};
}

void Buffer::set_residency(Residency now) noexcept {
  MutexLock lock(residency_mutex_);
  presence_.store(static_cast<std::uint32_t>(now), std::memory_order_release);
  moved_.notify_all();
}

bool Buffer::begin_eviction() noexcept {
  if (placement_ == Placement::kPlain) return false;
  std::uint32_t unpinned = kResidentBits;
  return presence_.compare_exchange_strong(unpinned,
                                           static_cast<std::uint32_t>(Residency::kLeaving),
                                           std::memory_order_acq_rel, std::memory_order_relaxed);
}

void Buffer::cancel_eviction() noexcept {
  PANTRY_CHECK(leaving());
  set_residency(Residency::kResident);
}

Result<> Buffer::finish_eviction() {
  PANTRY_CHECK(leaving());
  const Result<> gone = store_.take_frames(*this);
  if (gone) ++evictions_;
  set_residency(gone ? Residency::kEvicted : Residency::kResident);
  return gone;
}

}  // namespace pantry::driver
