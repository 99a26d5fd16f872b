// SPDX-License-Identifier: MIT
#include "gpu_emu/mcu/endpoint_arbiter.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <bit>
#include <optional>
#include <vector>

namespace pantry::emu {
namespace {

using Claimant = EndpointArbiter::Claimant;

constexpr std::uint64_t kCores = 0x5'0005;
constexpr std::uint64_t kTilers = 1;
constexpr Duration kRound = nanoseconds(50);

Claimant compute(std::uint8_t stream) { return {{stream}, EndpointKind::kCompute}; }

EndpointRights all_of(std::uint8_t priority) {
  return {priority, {{{kCores, 4}, {kCores, 4}, {kTilers, 1}}}};
}

class EndpointArbiterTest : public testing::Test {
 protected:
  EndpointArbiterTest() {
    for (std::uint8_t i = 0; i < 4; ++i) arbiter_.set_rights({i}, all_of(3), at_);
  }
  void claim(Claimant who, std::int64_t work) { arbiter_.claim(who, {nanoseconds(work), {}}, at_); }
  // When all that is claimed is finished, in order.
  std::vector<std::int64_t> finish() {
    std::vector<std::int64_t> times;
    while (const auto done = arbiter_.next_finished({1'000'000})) times.push_back(done->at.ns);
    return times;
  }

  EndpointArbiter arbiter_{kCores, kTilers, kRound};
  TimePoint at_{1000};
};

TEST_F(EndpointArbiterTest, WorkAloneTakesItsTime) {
  claim(compute(0), 30);
  EXPECT_EQ(arbiter_.held_by(compute(0)), kCores);
  EXPECT_EQ(arbiter_.next_event(), TimePoint{1030});
  EXPECT_EQ(arbiter_.next_finished({1029}), std::nullopt);
  const auto done = arbiter_.next_finished({1040});
  ASSERT_TRUE(done.has_value());
  EXPECT_EQ(done->claimant, compute(0));
  EXPECT_EQ(done->at, TimePoint{1030});
  EXPECT_EQ(arbiter_.next_event(), TimePoint::never());
}

TEST_F(EndpointArbiterTest, ShortWorkGoesOneAfterTheOther) {
  claim(compute(1), 15);
  claim(compute(0), 15);
  claim({{2}, EndpointKind::kFragment}, 15);
  EXPECT_EQ(finish(), (std::vector<std::int64_t>{1015, 1030, 1045}));
}

TEST_F(EndpointArbiterTest, LongWorkTakesTurns) {
  claim(compute(0), 100);
  claim(compute(1), 100);
  EXPECT_EQ(finish(), (std::vector<std::int64_t>{1150, 1200}));
}

TEST_F(EndpointArbiterTest, TilerAndCoresDoNotWaitForEachOther) {
  claim(compute(0), 30);
  claim({{0}, EndpointKind::kTiler}, 30);
  EXPECT_EQ(finish(), (std::vector<std::int64_t>{1030, 1030}));
}

TEST_F(EndpointArbiterTest, FewerCoresTakeLonger) {
  EndpointRights one = all_of(3);
  one.shares[0].at_most = 1;
  arbiter_.set_rights({0}, one, at_);
  claim(compute(0), 30);
  EXPECT_EQ(std::popcount(arbiter_.held_by(compute(0))), 1);
  claim(compute(1), 30);
  EXPECT_EQ(std::popcount(arbiter_.held_by(compute(1))), 3);
  EXPECT_EQ(finish(), (std::vector<std::int64_t>{1040, 1120}));
}

TEST_F(EndpointArbiterTest, WhatIsLeftOverIsTaken) {
  claim(compute(0), 30);
  at_ = {1010};
  claim(compute(1), 40);
  EXPECT_EQ(arbiter_.held_by(compute(1)), 0u);
  ASSERT_EQ(arbiter_.next_finished({1030})->at, TimePoint{1030});
  EXPECT_EQ(arbiter_.held_by(compute(1)), kCores);
}

TEST_F(EndpointArbiterTest, HigherPriorityTakesThemAwayAtOnce) {
  arbiter_.set_rights({1}, all_of(4), at_);
  claim(compute(0), 100);
  at_ = {1010};
  claim(compute(1), 200);
  EXPECT_EQ(arbiter_.held_by(compute(0)), 0u);
  EXPECT_EQ(finish(), (std::vector<std::int64_t>{1210, 1300}));
}

TEST_F(EndpointArbiterTest, WhatIsWithdrawnIsFreeAndItsAccountGoesOn) {
  claim(compute(0), 100);
  claim(compute(1), 10);
  at_ = {1040};
  EXPECT_EQ(arbiter_.next_finished(at_), std::nullopt);
  const EndpointArbiter::Account account = arbiter_.account(compute(0), at_);
  EXPECT_EQ(account.left.ns, 60);
  EXPECT_EQ(account.held.ns, 40);
  arbiter_.withdraw({0}, at_);
  EXPECT_EQ(arbiter_.held_by(compute(1)), kCores);
  arbiter_.claim(compute(0), account, at_);
  EXPECT_EQ(finish(), (std::vector<std::int64_t>{1050, 1110}));
}

TEST_F(EndpointArbiterTest, CountsTheTimeWithEndpointsNotTheWait) {
  claim(compute(0), 1000);
  claim(compute(1), 1000);
  EXPECT_EQ(arbiter_.held_for(compute(0), nanoseconds(70)), TimePoint{1070}) << "if it keeps them";
  EXPECT_EQ(arbiter_.held_for(compute(1), nanoseconds(70)), TimePoint::never());
  EXPECT_EQ(arbiter_.next_finished({1060}), std::nullopt);  // the other's round
  EXPECT_EQ(arbiter_.held_for(compute(0), nanoseconds(70)), TimePoint::never());
  EXPECT_LE(arbiter_.held_for(compute(0), nanoseconds(50)), TimePoint{1060});
  EXPECT_EQ(arbiter_.held_for(compute(1), nanoseconds(70)), TimePoint{1120});
}

TEST_F(EndpointArbiterTest, CoresThatAreNotInUseAreNotGiven) {
  claim(compute(0), 100);
  arbiter_.set_cores(0x1'0000, at_);
  EXPECT_EQ(arbiter_.held_by(compute(0)), 0x1'0000u);
  arbiter_.set_cores(0, at_);
  EXPECT_EQ(arbiter_.held_by(compute(0)), 0u);
  EXPECT_FALSE(arbiter_.may_hold_any(compute(0)));
  EXPECT_EQ(arbiter_.next_event(), TimePoint::never());
}

// Of one claim, told in the words of the model: in each nanosecond it loses as much as it holds.
struct Work {
  Claimant who;
  std::int64_t left = 0;  // core-nanoseconds
  std::int64_t waited = 0;
};

struct Rights {
  std::uint64_t usable = 0;
  int limit = 0;
};
Rights rights_of(const EndpointRights& rights, std::uint64_t cores, EndpointKind kind) {
  const EndpointRights::Share& share = rights.shares[static_cast<std::size_t>(kind)];
  const std::uint64_t usable = share.allowed & (kind == EndpointKind::kTiler ? kTilers : cores);
  return {usable, std::min(static_cast<int>(share.at_most), std::popcount(usable))};
}

RC_GTEST_PROP(EndpointArbiterModel, IsFairAndNeverGivesMoreThanThereIs, ()) {
  constexpr std::uint8_t kStreams = 6;
  EndpointArbiter arbiter(kCores, kTilers, kRound);
  const auto any = [](std::int64_t last) { return *rc::gen::inRange<std::int64_t>(0, last + 1); };
  const auto any_mask = [&] {
    return *rc::gen::elementOf(std::vector<std::uint64_t>{kCores, 0x5, 0x5'0000, 0x4'0001, 0x1, 0});
  };
  const bool is_one_priority = *rc::gen::arbitrary<bool>();
  std::vector<EndpointRights> rights(kStreams);
  std::uint64_t cores = kCores;
  std::vector<Work> model;
  const auto set_rights = [&](std::uint8_t stream, TimePoint now) {
    const auto share = [&] {
      return EndpointRights::Share{any_mask(), static_cast<std::uint32_t>(any(5))};
    };
    rights[stream] = is_one_priority ? all_of(7)
                                     : EndpointRights{static_cast<std::uint8_t>(any(2)),
                                                      {{share(), share(), {any_mask(), 1}}}};
    arbiter.set_rights({stream}, rights[stream], now);
  };
  for (std::uint8_t i = 0; i < kStreams; ++i) set_rights(i, {});

  for (std::int64_t ns = 0; ns < 1500; ++ns) {
    const TimePoint now{ns};
    for (Work& work : model) work.left -= std::popcount(arbiter.held_by(work.who));
    while (const auto done = arbiter.next_finished(now)) {
      RC_ASSERT(done->at == now);
      const auto work = std::find_if(model.begin(), model.end(),
                                     [&](const Work& w) { return w.who == done->claimant; });
      RC_ASSERT(work != model.end());
      RC_ASSERT(work->left <= 0 && work->left > -4);
      model.erase(work);
    }
    for (const Work& work : model) RC_ASSERT(work.left > 0);

    const auto stream = static_cast<std::uint8_t>(any(kStreams - 1));
    switch (any(30)) {
      case 0:
      case 1:
      case 2: {
        const Claimant who{{stream}, static_cast<EndpointKind>(any(2))};
        if (arbiter.has_claim(who)) break;
        const std::int64_t work = 1 + any(120);
        arbiter.claim(who, {nanoseconds(work), {}}, now);
        model.push_back({who, work * (who.kind == EndpointKind::kTiler ? 1 : 4)});
        break;
      }
      case 3:
        if (any(9) != 0) break;
        arbiter.withdraw({stream}, now);
        std::erase_if(model, [&](const Work& w) { return w.who.stream.value == stream; });
        break;
      case 4:
        if (!is_one_priority && any(4) == 0) set_rights(stream, now);
        break;
      case 5:
        if (is_one_priority || any(9) != 0) break;
        cores = any_mask();
        arbiter.set_cores(cores, now);
        break;
      default:
        break;
    }

    std::uint64_t free_cores = cores;
    std::uint64_t free_tilers = kTilers;
    for (const Work& work : model) {
      const std::uint64_t holds = arbiter.held_by(work.who);
      const Rights may = rights_of(rights[work.who.stream.value], cores, work.who.kind);
      RC_ASSERT((holds & ~may.usable) == 0u);
      RC_ASSERT(std::popcount(holds) <= may.limit);
      std::uint64_t& pool = work.who.kind == EndpointKind::kTiler ? free_tilers : free_cores;
      RC_ASSERT((holds & ~pool) == 0u);  // nobody else has it
      pool &= ~holds;
    }
    for (Work& work : model) {
      const bool is_tiler = work.who.kind == EndpointKind::kTiler;
      const std::uint64_t holds = arbiter.held_by(work.who);
      const Rights may = rights_of(rights[work.who.stream.value], cores, work.who.kind);
      const bool wants_more = std::popcount(holds) < may.limit;
      // Nobody waits for what is free, or for what a lower priority has.
      if (wants_more) RC_ASSERT((may.usable & (is_tiler ? free_tilers : free_cores)) == 0u);
      for (const Work& other : model) {
        if ((other.who.kind == EndpointKind::kTiler) != is_tiler || !wants_more) continue;
        if (rights[other.who.stream.value].priority < rights[work.who.stream.value].priority)
          RC_ASSERT((arbiter.held_by(other.who) & may.usable) == 0u);
      }
      work.waited = holds == 0 ? work.waited + 1 : 0;
      // All the others first, a round each.
      if (is_one_priority) RC_ASSERT(work.waited <= kRound.ns * 2 * kStreams);
    }
  }

  const TimePoint end{1500};
  for (std::uint8_t i = 0; i < kStreams; ++i) arbiter.withdraw({i}, end);
  arbiter.set_cores(kCores, end);
  arbiter.set_rights({0}, all_of(0), end);
  for (const EndpointKind kind : {EndpointKind::kCompute, EndpointKind::kTiler}) {
    arbiter.claim({{0}, kind}, {nanoseconds(1), {}}, end);
    RC_ASSERT(arbiter.held_by({{0}, kind}) == (kind == EndpointKind::kTiler ? kTilers : kCores));
  }
}

}  // namespace
}  // namespace pantry::emu
