// SPDX-License-Identifier: MIT
//
// A buffer object (BO): frames of DRAM, kept alive by handles, mappings, pending binds, dma-bufs
// and kernel users. Fixed size from creation to destruction. Destruction gives the frames back and
// therefore happens only where freeing is allowed (a last reference dropped inside a
// SignallingSection is destroyed on the clean-up lane).
//
// Residency. A client's buffer that nobody has pinned may be evicted (driver/vm/shrinker.h): its
// frames go to others, its content stays in its memfd, or in a copy where it has none. The next
// pin() gives it other frames. A kernel buffer keeps its frames for life. A client's CPU mapping is
// a mapping of the memfd, so it always shows the content, with frames or without: it neither
// prevents an eviction nor is it torn down. So do read() and write(); a pointer from cpu() or the
// frames are good only while the caller has a pin, or for a kernel buffer.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/mutex.h"
#include "base/ref.h"
#include "base/result.h"
#include "base/types.h"
#include "driver/gem/backing.h"
#include "driver/gem/offset_space.h"
#include "driver/kernel/quota.h"
#include "driver/sync/reservation.h"

namespace pantry::driver {

class BufferStore;
class BufferPin;
class FramePin;

class Buffer final : public RefCounted {
 public:
  std::uint64_t size() const { return size_; }
  // None while it is evicted. See above.
  std::span<const PhysExtent> frames() const { return frames_; }
  // The flags of BO_CREATE: DRM_PANTHOR_BO_NO_MMAP and so on.
  std::uint32_t create_flags() const { return create_flags_; }

  // The object that holds the fences of everything that uses the buffer: the VM's for a buffer that
  // is private to a VM, null for a kernel buffer.
  const Ref<Reservation>& reservation() const { return reservation_; }
  // Only the VM with this same reservation may map the buffer, and it cannot be exported.
  bool exclusive() const { return exclusive_; }

  // The memfd that clients map, or -1 (kernel buffers, arenas). Stays owned by the buffer.
  int memfd() const { return memfd_.get(); }
  // The device-wide cookie of BO_MMAP_OFFSET; stable for the life of the buffer.
  std::uint64_t mmap_offset() const { return mmap_offset_.first(); }

  // Who created it; null: the driver itself, or nobody who pays.
  const Account* creator() const { return creator_.get(); }
  // It went out as a dma-buf once. Any thread.
  void note_exported() noexcept { exported_.store(true, std::memory_order_relaxed); }
  bool exported() const noexcept { return exported_.load(std::memory_order_relaxed); }
  // Memory of the driver's own, which no client can map.
  bool is_kernel() const { return placement_ == Placement::kPlain; }

  // What the client calls it, for debugging (BO_SET_LABEL). Any thread.
  void set_label(std::optional<std::string> label) PANTRY_MAY_ALLOCATE;
  std::optional<std::string> label() const PANTRY_MAY_ALLOCATE;

  // What clients call its dma-buf (DMA_BUF_SET_NAME). Any thread.
  void set_dma_buf_name(std::string name) PANTRY_MAY_ALLOCATE;
  std::optional<std::string> dma_buf_name() const PANTRY_MAY_ALLOCATE;

  // Makes it resident, and keeps it so while the pin lives. ENOMEM: it stays as it is. Waits for an
  // eviction or a return that is under way; takes frames, which may evict others. Not inside a
  // SignallingSection, and under no lock that is taken inside one.
  // One atomic operation if it is resident, and one when the pin is dropped.
  Result<BufferPin> pin() PANTRY_MAY_ALLOCATE;
  // For a caller that has a reference for longer than the pin.
  Result<FramePin> pin_frames() PANTRY_MAY_ALLOCATE;
  // The same for the rest of its life.
  Result<> stay_resident() PANTRY_MAY_ALLOCATE;
  // What it may say changes at once, unless the caller has a pin.
  bool resident() const noexcept { return residency() != Residency::kEvicted; }
  // How often it gave its frames up.
  std::uint64_t evictions() const noexcept { return evictions_; }

  // The shrinker's, in this order; one thread at a time. begin: false when it is pinned, evicted
  // already, or stays for life. Between begin and the end who wants to pin it waits.
  bool begin_eviction() noexcept;
  bool leaving() const noexcept { return residency() == Residency::kLeaving; }
  // It stays, with the frames that it has.
  void cancel_eviction() noexcept;
  // Gives the frames to the allocator. Pre: no page table leads to them any more, nor does the
  // device remember that one did. ENOMEM: it stays.
  Result<> finish_eviction() PANTRY_MAY_ALLOCATE;
  // When it was last pinned: larger is later; those that several threads pin at the same moment may
  // have the same.
  std::uint64_t last_pinned() const noexcept {
    return last_pinned_.load(std::memory_order_relaxed);
  }

  // Host address of [offset, offset + bytes), or nullptr when that is outside or not contiguous.
  // Kernel buffers are always contiguous.
  void* cpu(std::uint64_t offset, std::uint64_t bytes) const;
  // Copies across frames, or from and to where an evicted one is kept; for clients in the same
  // process and for reports. False when outside. May wait as pin does, but takes no frames.
  bool read(std::uint64_t offset, void* to, std::uint64_t bytes);
  bool write(std::uint64_t offset, const void* from, std::uint64_t bytes);

 private:
  friend class BufferStore;
  friend class BufferPin;
  friend class FramePin;
  enum class Residency : std::uint8_t { kResident, kLeaving, kEvicted, kReturning };
  // Who puts memory at the frames: the Backing, or nobody (kernel buffers are the frames' own
  // memory).
  enum class Placement { kBacked, kPlain };
  Buffer(BufferStore& store, std::uint64_t size, Placement placement)
      : store_(store), size_(size), placement_(placement) {}
  ~Buffer() override PANTRY_MAY_ALLOCATE;
  Residency residency() const noexcept {
    return static_cast<Residency>(presence_.load(std::memory_order_acquire) % kOnePin);
  }
  // False: it is not resident.
  bool try_pin() noexcept {
    std::uint32_t now = presence_.load(std::memory_order_relaxed);
    while (now % kOnePin == kResidentBits)
      if (presence_.compare_exchange_weak(now, now + kOnePin, std::memory_order_acquire,
                                          std::memory_order_relaxed))
        return true;
    return false;
  }
  // Whether it is resident and now pinned; else it is evicted, and now marked as returning.
  bool pin_or_claim() noexcept;
  // Anywhere, also inside a SignallingSection.
  void unpin() noexcept {
    const std::uint32_t before = presence_.fetch_sub(kOnePin, std::memory_order_release);
    PANTRY_CHECK(before >= kOnePin);
  }
  void set_residency(Residency now) noexcept;
  void wait_for_move() noexcept PANTRY_REQUIRES(residency_mutex_);
  // With a pin if it is resident, else under the lock.
  template <class Pinned, class Parked>
  bool access(Pinned pinned, Parked parked);
  template <class Use>
  void for_each_piece(std::uint64_t offset, std::uint64_t bytes, Use use) const;

  BufferStore& store_;
  const std::uint64_t size_;
  const Placement placement_;
  // Changed only by who has set kLeaving or kReturning, or during creation.
  std::vector<PhysExtent> frames_;
  ParkedContent parked_;
  std::uint32_t create_flags_ = 0;
  Ref<Reservation> reservation_;
  bool exclusive_ = false;
  OwnedFd memfd_;
  OffsetSpace::Piece mmap_offset_;
  Ref<Account> creator_;
  std::atomic<bool> exported_{false};
  Charge memory_;
  Charge descriptor_;
  mutable Mutex label_mutex_;
  std::optional<std::string> label_ PANTRY_GUARDED_BY(label_mutex_);
  std::optional<std::string> dma_buf_name_ PANTRY_GUARDED_BY(label_mutex_);

  // A Residency, and how many pins there are in units of kOnePin. There are none unless it is
  // kResident, and it leaves that state only while there are none: one compare-and-swap decides
  // between a pin and an eviction. What changes the frames afterwards has thus seen the end of all
  // pins (release by unpin, acquire by begin_eviction), and who pins next sees all that has changed
  // (release by set_residency, acquire by try_pin). To and from the other states it is written by
  // who has set kLeaving or kReturning alone, under the lock.
  static constexpr std::uint32_t kOnePin = 4;
  static constexpr std::uint32_t kResidentBits = static_cast<std::uint32_t>(Residency::kResident);
  std::atomic<std::uint32_t> presence_{kResidentBits};
  // For who waits until the residency changes. Leaf lock but for access to what is parked. Never
  // taken inside a SignallingSection.
  mutable Mutex residency_mutex_;
  CondVar moved_;
  std::atomic<std::uint64_t> last_pinned_{0};
  std::atomic<std::uint64_t> evictions_{0};
};

// Keeps a buffer, and its frames where they are. Dropped outside any SignallingSection. Move-only.
class BufferPin {
 public:
  BufferPin() = default;
  BufferPin(BufferPin&&) noexcept = default;
  BufferPin& operator=(BufferPin&& other) noexcept {
    std::swap(buffer_, other.buffer_);
    return *this;
  }
  ~BufferPin() {
    if (buffer_) buffer_->unpin();
  }
  explicit operator bool() const { return static_cast<bool>(buffer_); }

 private:
  friend class Buffer;
  explicit BufferPin(Ref<Buffer> buffer) noexcept : buffer_(std::move(buffer)) {}
  Ref<Buffer> buffer_;
};

// Keeps a buffer's frames where they are, but not the buffer: whoever has the pin has a reference
// to the buffer for longer. Dropped anywhere. Move-only.
class FramePin {
 public:
  FramePin() = default;
  FramePin(FramePin&& other) noexcept : buffer_(std::exchange(other.buffer_, nullptr)) {}
  FramePin& operator=(FramePin&&) = delete;
  ~FramePin() { release(); }
  void release() noexcept {
    if (Buffer* const buffer = std::exchange(buffer_, nullptr)) buffer->unpin();
  }

 private:
  friend class Buffer;
  explicit FramePin(Buffer& buffer) noexcept : buffer_(&buffer) {}
  Buffer* buffer_ = nullptr;
};

}  // namespace pantry::driver
