// SPDX-License-Identifier: MIT
#include "driver/vm/fence_rooms.h"

#include <utility>

#include "base/check.h"

namespace pantry::driver {

Result<FenceRooms> FenceRooms::reserve(std::vector<Ref<Reservation>> reservations,
                                       std::uint32_t count) {
  for (std::size_t i = 0; i < reservations.size(); ++i) {
    if (Result<> reserved = reservations[i]->reserve(count); !reserved) {
      // Those before it are given back by the rooms' destructor.
      reservations.resize(i);
      static_cast<void>(FenceRooms(std::move(reservations), count));
      return Error(reserved.error());
    }
  }
  return FenceRooms(std::move(reservations), count);
}

FenceRooms::~FenceRooms() {
  for (const Ref<Reservation>& reservation : reservations_) reservation->unreserve(left_);
}

void FenceRooms::add(const Ref<Fence>& fence) noexcept {
  PANTRY_CHECK(left_ != 0);
  --left_;
  for (const Ref<Reservation>& reservation : reservations_) reservation->add(fence);
}

}  // namespace pantry::driver
