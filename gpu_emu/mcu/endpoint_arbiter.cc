// SPDX-License-Identifier: MIT
#include "gpu_emu/mcu/endpoint_arbiter.h"

#include <algorithm>
#include <bit>
#include <bitset>
#include <utility>

#include "base/check.h"

namespace pantry::emu {
namespace {

static_assert(RunQueue::kStreams * kEndpointKinds <= 256, "claims are numbered in bytes");

// The lowest `count` bits that are set.
std::uint64_t lowest(std::uint64_t mask, std::uint32_t count) {
  std::uint64_t result = 0;
  for (; count != 0 && mask != 0; --count, mask &= mask - 1) result |= mask & (~mask + 1);
  return result;
}

std::uint32_t count(std::uint64_t mask) { return static_cast<std::uint32_t>(std::popcount(mask)); }

}  // namespace

EndpointArbiter::EndpointArbiter(std::uint64_t cores, std::uint64_t tilers, Duration round)
    : all_cores_(cores), all_tilers_(tilers), round_(round), cores_(cores) {
  PANTRY_CHECK(cores != 0 && tilers != 0 && round.ns > 0);
}

std::uint32_t EndpointArbiter::width(std::uint32_t index) const {
  return count(is_tiler(index) ? all_tilers_ : all_cores_);
}

std::uint64_t EndpointArbiter::usable(std::uint32_t index) const {
  const EndpointRights::Share& share =
      rights_[index / kEndpointKinds].shares[index % kEndpointKinds];
  return share.allowed & (is_tiler(index) ? all_tilers_ : cores_);
}

std::uint32_t EndpointArbiter::limit(std::uint32_t index) const {
  const EndpointRights::Share& share =
      rights_[index / kEndpointKinds].shares[index % kEndpointKinds];
  return std::min(share.at_most, count(usable(index)));
}

bool EndpointArbiter::may_hold_any(Claimant claimant) const { return limit(index(claimant)) != 0; }

// What was held from settled_ to `now`; nothing changes hands in between.
void EndpointArbiter::settle(TimePoint now) {
  if (now <= settled_) return;
  if (is_stale_) assign();
  const Duration passed = now - std::exchange(settled_, now);
  if (active_ == 0) return;
  for (Claim& claim : claims_) {
    if (claim.holds == 0) continue;
    claim.left -= passed.ns * count(claim.holds);
    claim.held = claim.held + passed;
  }
}

void EndpointArbiter::set_cores(std::uint64_t mask, TimePoint now) {
  settle(now);
  cores_ = mask & all_cores_;
  is_stale_ = true;
}

void EndpointArbiter::set_rights(StreamId stream, const EndpointRights& rights, TimePoint now) {
  settle(now);
  rights_[stream.value] = rights;
  is_stale_ = true;
}

void EndpointArbiter::claim(Claimant claimant, Account work, TimePoint now) {
  Claim& claim = claims_[index(claimant)];
  PANTRY_CHECK(!claim.is_active);
  settle(now);
  claim.is_active = true;
  claim.left = work.left.ns * width(index(claimant));
  claim.held = work.held;
  ++active_;
  is_stale_ = true;
}

EndpointArbiter::Account EndpointArbiter::account(Claimant claimant, TimePoint now) {
  settle(now);
  const Claim& claim = claims_[index(claimant)];
  PANTRY_CHECK(claim.is_active);
  const std::int64_t all = width(index(claimant));
  return {{(std::max(claim.left, std::int64_t{0}) + all - 1) / all}, claim.held};
}

void EndpointArbiter::withdraw(StreamId stream, TimePoint now) {
  for (std::uint32_t kind = 0; kind < kEndpointKinds; ++kind) {
    Claim& claim = claims_[stream.value * kEndpointKinds + kind];
    if (!claim.is_active) continue;
    settle(now);
    drop(claim);
  }
}

void EndpointArbiter::drop(Claim& claim) {
  const std::uint64_t served = claim.served;
  claim = Claim{};
  claim.served = served;
  --active_;
  is_stale_ = true;
}

std::optional<EndpointArbiter::Finished> EndpointArbiter::next_finished(TimePoint now) {
  for (;;) {
    // Before anything changes hands: several may be finished at once.
    for (std::uint32_t i = 0; has_finished_ && i < kClaims; ++i) {
      Claim& claim = claims_[i];
      if (claim.holds == 0 || claim.left > 0) continue;
      drop(claim);
      return Finished{claimant_of(i), settled_};
    }
    has_finished_ = false;
    if (next_event() > now) return std::nullopt;
    settle(event_);
    has_finished_ = true;
    is_stale_ = true;
  }
}

TimePoint EndpointArbiter::next_event() {
  if (is_stale_) assign();
  return event_;
}

std::uint64_t EndpointArbiter::held_by(Claimant claimant) {
  if (is_stale_) assign();
  return claims_[index(claimant)].holds;
}

TimePoint EndpointArbiter::held_for(Claimant claimant, Duration limit) {
  if (is_stale_) assign();
  const Claim& claim = claims_[index(claimant)];
  if (!claim.is_active) return TimePoint::never();
  if (claim.held >= limit) return settled_;
  return claim.holds == 0 ? TimePoint::never() : settled_ + Duration{limit.ns - claim.held.ns};
}

// The claim gets what is free of `wanted` besides what it has, up to its limit.
void EndpointArbiter::take(std::uint32_t index, std::uint64_t wanted, Free& free) {
  std::uint64_t& pool = is_tiler(index) ? free.tilers : free.cores;
  Claim& claim = claims_[index];
  const std::uint64_t more =
      lowest(wanted & usable(index) & pool, limit(index) - count(claim.holds));
  claim.holds |= more;
  pool &= ~more;
}

// The claims of one priority, those first that were served longest ago.
void EndpointArbiter::assign_priority(const std::uint8_t* first, const std::uint8_t* last,
                                      bool is_new_round, Free& free) {
  for (const std::uint8_t* i = first; i != last; ++i) {
    const std::uint64_t had = std::exchange(claims_[*i].holds, 0);
    if (!is_new_round) take(*i, had, free);
  }
  // Those that have nothing come before those that could do with more.
  std::bitset<kClaims> kept;
  for (const std::uint8_t* i = first; i != last; ++i) kept[*i] = claims_[*i].holds != 0;
  for (const std::uint8_t* i = first; i != last; ++i) {
    if (kept[*i]) continue;
    take(*i, ~std::uint64_t{0}, free);
    if (claims_[*i].holds != 0) claims_[*i].served = ++grants_;
  }
  for (const std::uint8_t* i = first; i != last; ++i) {
    if (kept[*i]) take(*i, ~std::uint64_t{0}, free);
  }
  for (const std::uint8_t* i = first; i != last; ++i) {
    if (waits_for_equals(*i, first, last)) event_ = std::min(event_, round_end_);
  }
}

// Whether the end of the round may bring the claim more.
bool EndpointArbiter::waits_for_equals(std::uint32_t index, const std::uint8_t* first,
                                       const std::uint8_t* last) const {
  if (count(claims_[index].holds) == limit(index)) return false;
  return std::any_of(first, last, [&](std::uint8_t other) {
    return other != index && is_tiler(other) == is_tiler(index) &&
           (claims_[other].holds & usable(index)) != 0;
  });
}

void EndpointArbiter::assign() {
  is_stale_ = false;
  event_ = TimePoint::never();
  if (active_ == 0) return;
  std::array<std::uint8_t, kClaims> order;
  std::uint32_t size = 0;
  for (std::uint32_t i = 0; i < kClaims; ++i) {
    if (claims_[i].is_active) order[size++] = static_cast<std::uint8_t>(i);
  }
  std::sort(order.begin(), order.begin() + size, [this](std::uint8_t a, std::uint8_t b) {
    if (priority(a) != priority(b)) return priority(a) > priority(b);
    return std::pair{claims_[a].served, a} < std::pair{claims_[b].served, b};
  });

  const bool is_new_round = settled_ >= round_end_;
  if (is_new_round) round_end_ = settled_ + round_;
  Free free = {cores_, all_tilers_};
  for (std::uint32_t begin = 0, end = 0; begin != size; begin = end) {
    while (end != size && priority(order[end]) == priority(order[begin])) ++end;
    assign_priority(&order[begin], order.data() + end, is_new_round, free);
  }

  for (std::uint32_t i = 0; i < size; ++i) {
    const Claim& claim = claims_[order[i]];
    if (claim.holds == 0) continue;
    const std::int64_t each = count(claim.holds);
    const std::int64_t left = std::max(claim.left, std::int64_t{0});
    event_ = std::min(event_, settled_ + Duration{(left + each - 1) / each});
  }
}

}  // namespace pantry::emu
