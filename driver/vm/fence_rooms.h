// SPDX-License-Identifier: MIT
//
// Room for the fences of a batch of jobs in every reservation that the jobs may use: Vm::
// reserve_fences makes it while the batch can still fail, add() uses it when a job is published,
// and what was not used is given back at the end. So a batch that fails leaves no trace in the
// reservations, and one that is published cannot fail.
//
// One thread at a time; under no lock of its own. add() takes leaf locks only and allocates
// nothing. Making and destroying it allocate and free: outside any SignallingSection.
#pragma once

#include <cstdint>
#include <vector>

#include "driver/sync/reservation.h"

namespace pantry::driver {

class FenceRooms {
 public:
  // `count` rooms in each of `reservations`. ENOMEM: none.
  static Result<FenceRooms> reserve(std::vector<Ref<Reservation>> reservations,
                                    std::uint32_t count) PANTRY_MAY_ALLOCATE;
  FenceRooms(FenceRooms&& other) noexcept = default;
  FenceRooms& operator=(FenceRooms&&) = delete;
  ~FenceRooms() PANTRY_MAY_ALLOCATE;

  // Uses one room of each. At most `count` times (CHECK).
  void add(const Ref<Fence>& fence) noexcept;

 private:
  FenceRooms(std::vector<Ref<Reservation>> reservations, std::uint32_t count)
      : reservations_(std::move(reservations)), left_(count) {}

  std::vector<Ref<Reservation>> reservations_;  // empty once moved from
  std::uint32_t left_;                          // in each
};

}  // namespace pantry::driver
