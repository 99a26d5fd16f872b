// SPDX-License-Identifier: MIT
#include "gpu_emu/mcu/run_queue.h"

#include <bit>
#include <utility>

#include "base/check.h"

namespace pantry::emu {

void RunQueue::put(StreamId id, StreamPlace place) {
  PANTRY_CHECK(id.value < kStreams);
  masks_[index(places_[id.value])] &= ~bit(id);
  masks_[index(place)] |= bit(id);
  places_[id.value] = place;
}

void RunQueue::wake(StreamPlace place) {
  for (std::uint64_t left = mask(place); left != 0; left &= left - 1) {
    put({static_cast<std::uint8_t>(std::countr_zero(left))}, StreamPlace::kReady);
  }
}

void RunQueue::wake_group(StreamPlace place, std::uint32_t group) {
  for (std::uint32_t stream = 0; stream < kStreamSlots; ++stream) {
    const StreamId id = StreamId::of(group, stream);
    if (place_of(id) == place) put(id, StreamPlace::kReady);
  }
}

std::uint8_t RunQueue::priority_of(std::uint8_t group_priority, std::uint8_t stream_priority) {
  PANTRY_CHECK(group_priority < 16 && stream_priority < 16);
  return static_cast<std::uint8_t>(group_priority << 4 | stream_priority);
}

void RunQueue::set_priority(StreamId id, std::uint8_t group_priority,
                            std::uint8_t stream_priority) {
  priorities_[id.value] = priority_of(group_priority, stream_priority);
  order_is_stale_ = true;
}

std::optional<StreamId> RunQueue::next() {
  const std::uint64_t ready = mask(StreamPlace::kReady);
  if (ready == 0) return std::nullopt;
  if ((ready & ~served_) == 0) served_ = 0;  // a new round
  if (order_is_stale_) sort();
  for (const std::uint8_t number : order_) {
    const StreamId id{number};
    if ((ready & ~served_ & bit(id)) == 0) continue;
    served_ |= bit(id);
    return id;
  }
  return std::nullopt;
}

// Stable, in place and without memory of its own: insertion sort of 64 bytes, on changes only.
void RunQueue::sort() {
  for (std::uint32_t i = 0; i < kStreams; ++i) order_[i] = static_cast<std::uint8_t>(i);
  for (std::uint32_t i = 1; i < kStreams; ++i) {
    for (std::uint32_t j = i; j > 0 && priorities_[order_[j - 1]] < priorities_[order_[j]]; --j) {
      std::swap(order_[j - 1], order_[j]);
    }
  }
  order_is_stale_ = false;
}

}  // namespace pantry::emu
