// SPDX-License-Identifier: MIT
//
// Where each stream of the device stands: ready to run, or waiting for what. Streams are numbered
// group slot * 8 + CS slot, so that a set of them is one 64-bit mask.
//
// Invariant: a stream is in exactly one place. ready() streams are served in rounds: in every round
// each gets one turn, those of the group with the highest priority first, then by the priority of
// the stream; so a stream that never stops delays others but does not starve them.
//
// Called with the device's lock held. No allocation.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "gpu_emu/mcu/firmware_dump.h"

namespace pantry::emu {

struct StreamId {
  std::uint8_t value = 0;
  constexpr bool operator==(const StreamId&) const = default;
  constexpr std::uint32_t group() const { return value / kStreamSlots; }
  constexpr std::uint32_t stream() const { return value % kStreamSlots; }
  static constexpr StreamId of(std::uint32_t group, std::uint32_t stream) {
    return {static_cast<std::uint8_t>(group * kStreamSlots + stream)};
  }
};

enum class StreamPlace : std::uint8_t {
  kOff,             // not started, out of work, held by a fault, or dead
  kReady,           // may have something to do
  kStalled,         // memory
  kScoreboardWait,  // its own work in flight
  kSyncWait,
  kProgressWait,
  kHeapWait,
};

class RunQueue {
 public:
  static constexpr std::uint32_t kStreams = kGroupSlots * kStreamSlots;
  static_assert(kStreams <= 64);

  void put(StreamId id, StreamPlace place);
  StreamPlace place_of(StreamId id) const { return places_[id.value]; }
  std::uint64_t mask(StreamPlace place) const { return masks_[index(place)]; }

  // Everything in `place`, of all groups or of one, becomes ready.
  void wake(StreamPlace place);
  void wake_group(StreamPlace place, std::uint32_t group);

  // One number for both, each below 16: the group's in the high half.
  static std::uint8_t priority_of(std::uint8_t group_priority, std::uint8_t stream_priority);
  // Higher goes first; equal ones in the order of their numbers.
  void set_priority(StreamId id, std::uint8_t group_priority, std::uint8_t stream_priority);

  // The stream whose turn it is.
  std::optional<StreamId> next();

 private:
  static constexpr std::uint32_t kPlaces = 7;
  static constexpr std::uint32_t index(StreamPlace place) {
    return static_cast<std::uint32_t>(place);
  }
  static constexpr std::uint64_t bit(StreamId id) { return std::uint64_t{1} << id.value; }
  void sort();

  std::array<StreamPlace, kStreams> places_{};
  std::array<std::uint64_t, kPlaces> masks_{~std::uint64_t{0} >> (64 - kStreams)};  // all off
  std::array<std::uint8_t, kStreams> priorities_{};  // group in the high half, stream in the low
  std::array<std::uint8_t, kStreams> order_{};
  bool order_is_stale_ = true;
  std::uint64_t served_ = 0;  // had their turn in this round
};

}  // namespace pantry::emu
