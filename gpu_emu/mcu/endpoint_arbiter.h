// SPDX-License-Identifier: MIT
//
// Who has which endpoints: shader cores, for compute and fragment work, and tilers. A stream claims
// endpoints for one piece of work of each kind at a time; claims of all streams contend.
//
// A shader core or tiler serves one claim at a time. A claim takes as many as its group may have,
// are free and suit its masks, at least one, and goes on in proportion: with one of four cores four
// times as long as with all of them. Higher priorities come first, and take endpoints away at once.
// Within one priority a claim keeps what it has for a round (Quirks::endpoint_round); at the end of
// a round in which somebody waits, those that were served longest ago come first. How a real GPU
// shares its endpoints is not documented beyond priorities and masks (docs/reference).
//
// What is held follows from the claims alone, so a claim that is withdrawn leaves nothing locked.
// Time only goes forward: a call for `now` comes when next_finished() has no more to say of `now`.
// Everything is decided by claims and their times, so the same calls give the same order. Called
// with the device's lock held. No allocation.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/types.h"
#include "gpu_emu/cs/pending_ops.h"
#include "gpu_emu/mcu/run_queue.h"

namespace pantry::emu {

// What a stream may use of each kind of endpoint, as its group's input block says.
struct EndpointRights {
  struct Share {
    std::uint64_t allowed = 0;  // mask of cores or tilers
    std::uint32_t at_most = 0;
  };
  std::uint8_t priority = 0;  // higher goes first
  std::array<Share, kEndpointKinds> shares{};
};

class EndpointArbiter {
 public:
  struct Claimant {
    StreamId stream;
    EndpointKind kind = EndpointKind::kCompute;
    constexpr bool operator==(const Claimant&) const = default;
  };
  struct Finished {
    Claimant claimant;
    TimePoint at;
  };
  struct Account {
    Duration left;  // as a time with all endpoints of the kind
    Duration held;  // how long it has had any
  };

  EndpointArbiter(std::uint64_t cores, std::uint64_t tilers, Duration round);

  // The cores in use, of those that there are: GLB CFG_ALLOC_EN.
  void set_cores(std::uint64_t mask, TimePoint now);
  std::uint64_t cores() const { return cores_; }
  // There is a claim, whether it holds endpoints or waits for them.
  bool has_work() const { return active_ != 0; }
  void set_rights(StreamId stream, const EndpointRights& rights, TimePoint now);

  // Pre: the claimant has no claim. A claim that has no right to any endpoint waits for ever.
  void claim(Claimant claimant, Account work, TimePoint now);
  bool has_claim(Claimant claimant) const { return claims_[index(claimant)].is_active; }
  bool may_hold_any(Claimant claimant) const;
  // Pre: has_claim().
  Account account(Claimant claimant, TimePoint now);
  // Of all kinds; what they held is free.
  void withdraw(StreamId stream, TimePoint now);

  // Lets time pass up to `now`, or to the first claim that is finished before: that one is over
  // then. To be called until it has none.
  std::optional<Finished> next_finished(TimePoint now);
  // When next_finished() has something to do, unless something changes.
  TimePoint next_event();

  // The endpoints that the claimant has now.
  std::uint64_t held_by(Claimant claimant);
  // When the claim will have had endpoints for `limit` in all, if it keeps them: in the past when
  // it has, never() while it has none or without a claim.
  TimePoint held_for(Claimant claimant, Duration limit);

 private:
  static constexpr std::uint32_t kClaims = RunQueue::kStreams * kEndpointKinds;

  struct Claim {
    bool is_active = false;
    // Of the time with one endpoint, in ns.
    std::int64_t left = 0;
    Duration held;
    std::uint64_t holds = 0;
    std::uint64_t served = 0;  // rank of its last grant, of all grants; kept from claim to claim
  };
  struct Free {
    std::uint64_t cores = 0;
    std::uint64_t tilers = 0;
  };

  static constexpr std::uint32_t index(Claimant c) {
    return c.stream.value * kEndpointKinds + static_cast<std::uint32_t>(c.kind);
  }
  static constexpr Claimant claimant_of(std::uint32_t index) {
    return {{static_cast<std::uint8_t>(index / kEndpointKinds)},
            static_cast<EndpointKind>(index % kEndpointKinds)};
  }
  static bool is_tiler(std::uint32_t index) {
    return claimant_of(index).kind == EndpointKind::kTiler;
  }
  std::uint32_t width(std::uint32_t index) const;
  std::uint8_t priority(std::uint32_t index) const {
    return rights_[index / kEndpointKinds].priority;
  }
  std::uint64_t usable(std::uint32_t index) const;
  std::uint32_t limit(std::uint32_t index) const;

  void settle(TimePoint now);
  void drop(Claim& claim);
  void assign();
  void assign_priority(const std::uint8_t* first, const std::uint8_t* last, bool is_new_round,
                       Free& free);
  bool waits_for_equals(std::uint32_t index, const std::uint8_t* first,
                        const std::uint8_t* last) const;
  void take(std::uint32_t index, std::uint64_t wanted, Free& free);

  const std::uint64_t all_cores_;
  const std::uint64_t all_tilers_;
  const Duration round_;
  std::uint64_t cores_;
  std::array<EndpointRights, RunQueue::kStreams> rights_{};
  std::array<Claim, kClaims> claims_{};
  std::uint32_t active_ = 0;
  std::uint64_t grants_ = 0;
  TimePoint settled_;
  TimePoint round_end_;
  TimePoint event_ = TimePoint::never();
  bool has_finished_ = false;  // perhaps: time has come to event_
  bool is_stale_ = false;      // what is held has to be decided again
};

}  // namespace pantry::emu
