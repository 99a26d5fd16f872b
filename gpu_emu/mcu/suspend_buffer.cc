// SPDX-License-Identifier: MIT
#include "gpu_emu/mcu/suspend_buffer.h"

#include <bit>
#include <cstring>
#include <span>

namespace pantry::emu {
namespace {

constexpr AsIndex kFirmwareSpace{0};
constexpr std::uint64_t kMagic = 0x5355'5350'454e'4431;
constexpr std::uint32_t kAllStreams = (1u << kStreamSlots) - 1;

static_assert(sizeof(StreamState) % 8 == 0);

std::size_t bytes_for(std::uint32_t mask) {
  return sizeof(SuspendBuffer::Header) +
         static_cast<std::size_t>(std::popcount(mask)) * sizeof(StreamState);
}

// Of everything but the tag itself: each word is mixed in so that its place matters.
std::uint64_t tag_of(SuspendBuffer::Header header, std::span<const std::byte> streams) {
  std::uint64_t hash = kMagic ^ (std::uint64_t{header.stream_bytes} << 32 | header.mask);
  for (std::size_t i = 0; i < streams.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, streams.data() + i, 8);
    hash = (hash ^ word) * 0x9e37'79b9'7f4a'7c15;
    hash ^= hash >> 32;
  }
  return hash;
}

void shift_times(StreamState& state, std::int64_t by_ns) {
  for (std::uint32_t i = 0; i < state.in_flight.size(); ++i) {
    if (!state.in_flight[i].waits_for_endpoint()) state.in_flight[i].done_ns += by_ns;
  }
  for (std::uint32_t i = 0; i < state.deferred.size(); ++i) {
    if (state.deferred[i].done_ns != 0) state.deferred[i].done_ns += by_ns;
  }
}

}  // namespace

MemoryStatus SuspendBuffer::save(GpuMemory& memory, GpuVa buffer, const SavedStreams& saved,
                                 TimePoint now) {
  Header header = {.magic = kMagic,
                   .tag = 0,
                   .stream_bytes = sizeof(StreamState),
                   .mask = saved.mask & kAllStreams};
  std::byte* place = scratch_.data() + sizeof(Header);
  for (std::uint32_t i = 0; i < kStreamSlots; ++i) {
    if ((header.mask >> i & 1) == 0) continue;
    StreamState state = saved.streams[i];
    shift_times(state, -now.ns);
    std::memcpy(place, &state, sizeof(state));
    place += sizeof(state);
  }
  const std::span<const std::byte> all(scratch_.data(), bytes_for(header.mask));
  header.tag = tag_of(header, all.subspan(sizeof(Header)));
  std::memcpy(scratch_.data(), &header, sizeof(header));
  return memory.write(kFirmwareSpace, buffer, all);
}

void SuspendBuffer::corrupt(GpuMemory& memory, GpuVa buffer) {
  constexpr std::size_t kVictim = offsetof(Header, tag);
  scratch_[kVictim] ^= std::byte{1};
  // Of the same page that has just been written.
  static_cast<void>(
      memory.write(kFirmwareSpace, buffer + kVictim, std::span(scratch_).subspan(kVictim, 1)));
}

SuspendBuffer::Loaded SuspendBuffer::load(GpuMemory& memory, GpuVa buffer, SavedStreams& into,
                                          TimePoint now) {
  Header header;
  const std::span<std::byte> head(scratch_.data(), sizeof(Header));
  MemoryStatus status = memory.read(kFirmwareSpace, buffer, head, Access::kRead);
  if (status != MemoryStatus::kOk) return {status, Content::kCorrupted};
  std::memcpy(&header, head.data(), sizeof(header));
  if (header.magic != kMagic || header.stream_bytes != sizeof(StreamState) ||
      (header.mask & ~kAllStreams) != 0) {
    return {MemoryStatus::kOk, Content::kCorrupted};
  }

  const std::span<std::byte> all(scratch_.data(), bytes_for(header.mask));
  status = memory.read(kFirmwareSpace, buffer, all, Access::kRead);
  if (status != MemoryStatus::kOk) return {status, Content::kCorrupted};
  if (header.tag != tag_of(header, all.subspan(sizeof(Header)))) {
    return {MemoryStatus::kOk, Content::kCorrupted};
  }
  into.mask = header.mask;
  const std::byte* place = scratch_.data() + sizeof(Header);
  for (std::uint32_t i = 0; i < kStreamSlots; ++i) {
    if ((header.mask >> i & 1) == 0) continue;
    std::memcpy(&into.streams[i], place, sizeof(StreamState));
    shift_times(into.streams[i], now.ns);
    place += sizeof(StreamState);
  }
  return {MemoryStatus::kOk, Content::kIntact};
}

}  // namespace pantry::emu
