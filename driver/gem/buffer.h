// SPDX-License-Identifier: MIT
//
// A buffer object (BO): frames of DRAM, kept alive by handles, mappings, pending binds, dma-bufs
// and kernel users. Fixed size and frames from creation to destruction. Destruction gives the
// frames back and therefore happens only where freeing is allowed (a last reference dropped inside
// a SignallingSection is destroyed on the clean-up lane).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

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

class Buffer final : public RefCounted {
 public:
  std::uint64_t size() const { return size_; }
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

  // What the client calls it, for debugging (BO_SET_LABEL). Any thread.
  void set_label(std::optional<std::string> label) PANTRY_MAY_ALLOCATE;
  std::optional<std::string> label() const PANTRY_MAY_ALLOCATE;

  // What clients call its dma-buf (DMA_BUF_SET_NAME). Any thread.
  void set_dma_buf_name(std::string name) PANTRY_MAY_ALLOCATE;
  std::optional<std::string> dma_buf_name() const PANTRY_MAY_ALLOCATE;

  // Host address of [offset, offset + bytes), or nullptr when that is outside or not contiguous.
  // Kernel buffers are always contiguous.
  void* cpu(std::uint64_t offset, std::uint64_t bytes) const;
  // Copies across frames, for clients in the same process and for reports. False when outside.
  bool read(std::uint64_t offset, void* to, std::uint64_t bytes) const;
  bool write(std::uint64_t offset, const void* from, std::uint64_t bytes) const;

 private:
  friend class BufferStore;
  // Who puts memory at the frames: the Backing, or nobody (kernel buffers are the frames' own
  // memory).
  enum class Placement { kBacked, kPlain };
  Buffer(BufferStore& store, std::uint64_t size, Placement placement)
      : store_(store), size_(size), placement_(placement) {}
  ~Buffer() override;
  template <class Use>
  void for_each_piece(std::uint64_t offset, std::uint64_t bytes, Use use) const;

  BufferStore& store_;
  const std::uint64_t size_;
  const Placement placement_;
  std::vector<PhysExtent> frames_;
  std::uint32_t create_flags_ = 0;
  Ref<Reservation> reservation_;
  bool exclusive_ = false;
  OwnedFd memfd_;
  OffsetSpace::Piece mmap_offset_;
  Charge memory_;
  Charge descriptor_;
  mutable Mutex label_mutex_;
  std::optional<std::string> label_ PANTRY_GUARDED_BY(label_mutex_);
  std::optional<std::string> dma_buf_name_ PANTRY_GUARDED_BY(label_mutex_);
};

}  // namespace pantry::driver
