// SPDX-License-Identifier: MIT
#include "driver/gem/buffer_store.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <new>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/mutex.h"
#include "driver/gem/deferred_withdrawal.h"
#include "driver/gem/zero_frames.h"

namespace pantry::driver {
namespace {

constexpr const char* kRoom = "driver/gem";

// Cookies start one page above 4 GiB, so that no test suite that compares their low half with 0
// trips; there is 1 TiB of them, which also limits the size of a buffer.
constexpr std::uint64_t kFirstOffset = 4 * kGiB + kPageSize;
constexpr std::uint64_t kOffsets = 1024 * kGiB;

}  // namespace

struct BufferStore::State {
  State(FrameAllocator& frame_allocator, emu::Dram memory, Backing& placement)
      : frames(frame_allocator),
        dram(memory),
        backing(placement),
        offsets(kFirstOffset, kOffsets),
        withdrawal(frame_allocator, placement) {}

  FrameAllocator& frames;
  const emu::Dram dram;
  Backing& backing;
  std::atomic<std::uint64_t> swap{0};
  std::atomic<std::uint64_t> pins{0};

  mutable Mutex mutex;
  OffsetSpace offsets PANTRY_GUARDED_BY(mutex);
  std::map<std::uint64_t, Buffer*> by_offset PANTRY_GUARDED_BY(mutex);
  Totals totals PANTRY_GUARDED_BY(mutex);
  DeferredWithdrawal withdrawal;
};

BufferStore::BufferStore(FrameAllocator& frames, emu::Dram dram, Backing& backing)
    : state_(std::make_unique<State>(frames, dram, backing)) {}

BufferStore::~BufferStore() { PANTRY_CHECK(totals().buffers == 0); }

void BufferStore::withdraw_on(WorkLane& lane) { state_->withdrawal.start_on(lane); }

const emu::Dram& BufferStore::dram() const { return state_->dram; }
Backing& BufferStore::backing() const { return state_->backing; }
void BufferStore::set_swap(std::uint64_t bytes) noexcept { state_->swap = bytes; }
std::uint64_t BufferStore::swap() const noexcept { return state_->swap; }
std::uint64_t BufferStore::next_pin() noexcept {
  // Not one operation: that pins at the same moment are in no order costs nothing.
  const std::uint64_t next = state_->pins.load(std::memory_order_relaxed) + 1;
  state_->pins.store(next, std::memory_order_relaxed);
  return next;
}

// An object that owns nothing yet. Whatever later steps give it, its destructor takes back.
Result<Ref<Buffer>> BufferStore::new_buffer(std::uint64_t size, Buffer::Placement placement) {
  auto* const buffer = state_->frames.faults().should_fail() ? nullptr
                                                             : new (std::nothrow)
                                                                   Buffer(*this, size, placement);
  if (!buffer) return Error(Errno::kNoMem);
  MutexLock lock(state_->mutex);
  ++state_->totals.buffers;
  state_->totals.bytes += size;
  return Ref<Buffer>::adopt(buffer);
}

Result<> BufferStore::number(Buffer& buffer) {
  if (state_->frames.faults().should_fail()) return Error(Errno::kNoMem);
  MutexLock lock(state_->mutex);
  PANTRY_TRY_ASSIGN(buffer.mmap_offset_, state_->offsets.take(buffer.size()));
  return {};
}

Result<> BufferStore::publish(Buffer& buffer) {
  if (state_->frames.faults().should_fail()) return Error(Errno::kNoMem);
  MutexLock lock(state_->mutex);
  try {
    state_->by_offset.emplace(buffer.mmap_offset(), &buffer);
  } catch (const std::bad_alloc&) {
    return Error(Errno::kNoMem);
  }
  return {};
}

Result<Ref<Buffer>> BufferStore::create(std::uint64_t size, std::uint32_t create_flags,
                                        Ref<Reservation> exclusive_to, Account* payer) {
  const std::uint64_t rounded = align_up(size, kPageSize);
  if (rounded == 0) {
    log_client(kRoom, "BO_CREATE: size {:#x} is 0 once rounded up to pages", size);
    return Error(Errno::kNoSpc);
  }
  if (rounded >> 63) {
    log_client(kRoom, "BO_CREATE: size {:#x} does not fit a file", size);
    return Error(Errno::kInval);
  }
  PANTRY_TRY_ASSIGN(Ref<Buffer> buffer, new_buffer(rounded, Buffer::Placement::kBacked));
  if (payer) {
    buffer->creator_ = Ref<Account>::share(*payer);
    PANTRY_TRY_ASSIGN(buffer->memory_, payer->charge(Resource::kMemory, rounded));
    if (auto descriptor = payer->charge(Resource::kDescriptors, 1))
      buffer->descriptor_ = *std::move(descriptor);
    else
      return Error(Errno::kNoMem);
  }
  buffer->create_flags_ = create_flags;
  buffer->exclusive_ = static_cast<bool>(exclusive_to);
  buffer->reservation_ = std::move(exclusive_to);
  if (!buffer->exclusive_) {
    if (state_->frames.faults().should_fail()) return Error(Errno::kNoMem);
    try {
      buffer->reservation_ = make_ref<Reservation>();
    } catch (const std::bad_alloc&) {
      return Error(Errno::kNoMem);
    }
  }
  if (Result<> numbered = number(*buffer); !numbered) {
    if (numbered.error() == Errno::kNoSpc)
      log_client(kRoom, "BO_CREATE: no mmap offsets left for {:#x} bytes", size);
    return Error(numbered.error());
  }
  PANTRY_TRY_ASSIGN(Extents frames,
                    state_->frames.alloc_extents(rounded, state_->backing.min_extent(),
                                                 state_->frames.new_owner()));
  Result<OwnedFd> memfd = state_->backing.place(frames, rounded);
  if (!memfd) {
    state_->frames.free(frames);
    return Error(memfd.error());
  }
  buffer->frames_ = std::move(frames);
  buffer->memfd_ = std::move(*memfd);
  buffer->last_pinned_ = next_pin();
  PANTRY_TRY(publish(*buffer));
  return buffer;
}

Result<Ref<Buffer>> BufferStore::create_kernel(std::uint64_t size, Account* payer) {
  const std::uint64_t rounded = align_up(size, kPageSize);
  PANTRY_CHECK(size != 0 && rounded != 0);
  PANTRY_TRY_ASSIGN(Ref<Buffer> buffer, new_buffer(rounded, Buffer::Placement::kPlain));
  if (payer) {
    PANTRY_TRY_ASSIGN(buffer->memory_, payer->charge(Resource::kMemory, rounded));
  }
  PANTRY_TRY(number(*buffer));
  if (state_->frames.faults().should_fail()) return Error(Errno::kNoMem);
  try {
    buffer->frames_.reserve(1);
  } catch (const std::bad_alloc&) {
    return Error(Errno::kNoMem);
  }
  PANTRY_TRY_ASSIGN(const PhysExtent extent,
                    state_->frames.alloc_contiguous(rounded, state_->frames.new_owner()));
  buffer->frames_.push_back(extent);
  zero_frames(state_->dram, extent);
  PANTRY_TRY(publish(*buffer));
  return buffer;
}

Ref<Buffer> BufferStore::find_by_mmap_offset(std::uint64_t offset) {
  MutexLock lock(state_->mutex);
  const auto found = state_->by_offset.find(offset);
  if (found == state_->by_offset.end() || !found->second->try_acquire()) return nullptr;
  return Ref<Buffer>::adopt(found->second);
}

std::vector<Ref<Buffer>> BufferStore::resident_buffers() {
  std::vector<Ref<Buffer>> all;
  for (;;) {
    all.reserve(totals().buffers);
    MutexLock lock(state_->mutex);
    if (state_->by_offset.size() > all.capacity()) continue;
    for (const auto& [offset, buffer] : state_->by_offset)
      if (buffer->placement_ == Buffer::Placement::kBacked && buffer->resident() &&
          buffer->try_acquire())
        all.push_back(Ref<Buffer>::adopt(buffer));
    break;
  }
  // Read once each: they may change meanwhile.
  std::vector<std::pair<std::uint64_t, Ref<Buffer>>> aged;
  aged.reserve(all.size());
  for (Ref<Buffer>& buffer : all) aged.emplace_back(buffer->last_pinned(), std::move(buffer));
  std::ranges::sort(aged, {}, [](const auto& one) { return one.first; });
  all.clear();
  for (auto& [when, buffer] : aged) all.push_back(std::move(buffer));
  return all;
}

Result<> BufferStore::take_frames(Buffer& buffer) {
  {
    MutexLock lock(state_->mutex);
    if (state_->totals.evicted_bytes + buffer.size() > state_->swap) return Error(Errno::kNoMem);
    state_->totals.evicted_bytes += buffer.size();
  }
  Result<ParkedContent> parked = state_->backing.park(buffer.frames_, buffer.size());
  if (!parked) {
    MutexLock lock(state_->mutex);
    state_->totals.evicted_bytes -= buffer.size();
    return Error(parked.error());
  }
  buffer.parked_ = std::move(*parked);
  state_->frames.free(buffer.frames_);
  buffer.frames_.clear();
  return {};
}

Result<> BufferStore::bring_back(Buffer& buffer) {
  PANTRY_TRY_ASSIGN(Extents frames,
                    state_->frames.alloc_extents(buffer.size(), state_->backing.min_extent(),
                                                 state_->frames.new_owner()));
  const Result<> placed =
      state_->backing.unpark(frames, buffer.size(), buffer.memfd(), buffer.parked_);
  if (!placed) {
    state_->frames.free(frames);
    return placed;
  }
  buffer.frames_ = std::move(frames);
  buffer.parked_.reset();
  MutexLock lock(state_->mutex);
  state_->totals.evicted_bytes -= buffer.size();
  return {};
}

// A reference taken under the lock may turn out to be the last: it must be dropped without it.
std::vector<Ref<Buffer>> BufferStore::all() {
  std::vector<Ref<Buffer>> found;
  MutexLock lock(state_->mutex);
  found.reserve(state_->by_offset.size());
  for (const auto& [offset, buffer] : state_->by_offset)
    if (buffer->try_acquire()) found.push_back(Ref<Buffer>::adopt(buffer));
  return found;
}

BufferStore::Totals BufferStore::totals() const {
  MutexLock lock(state_->mutex);
  return state_->totals;
}

// Runs in the destructor of a buffer, which may have come only part of the way through create.
void BufferStore::destroy(Buffer& buffer) noexcept {
  PANTRY_CHECK(!SignallingSection::active());
  {
    // Where it cannot be found any more before anything of it can belong to another.
    MutexLock lock(state_->mutex);
    const auto at_offset = state_->by_offset.find(buffer.mmap_offset());
    if (at_offset != state_->by_offset.end() && at_offset->second == &buffer)
      state_->by_offset.erase(at_offset);
    if (buffer.mmap_offset_.size() != 0) state_->offsets.give_back(std::move(buffer.mmap_offset_));
    --state_->totals.buffers;
    state_->totals.bytes -= buffer.size();
    if (!buffer.resident()) state_->totals.evicted_bytes -= buffer.size();
  }
  if (buffer.frames_.empty()) return;
  if (buffer.placement_ == Buffer::Placement::kBacked) {
    if (state_->withdrawal.take(buffer.frames_, buffer.memfd_)) return;
    state_->backing.withdraw(buffer.frames_);
  }
  state_->frames.free(buffer.frames_);
}

}  // namespace pantry::driver
