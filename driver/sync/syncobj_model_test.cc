// SPDX-License-Identifier: MIT
//
// Timelines against a naive model that keeps every fence it was ever given and takes nothing out.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "driver/sync/syncobj.h"
#include "driver/sync/test_fence.h"

namespace pantry::driver {
namespace {

using Query = Syncobj::Query;

// All that one syncobj holds: in order, each fence with its point; a binary fence is a first entry
// with point 0.
struct Timeline {
  struct Entry {
    std::uint64_t point;
    std::size_t fence;
  };
  std::vector<Entry> entries;
  bool is_timeline() const { return !entries.empty() && entries.back().point != 0; }
};

// "All fences up to here have signalled."
struct Prefix {
  Ref<Fence> found;
  std::vector<std::size_t> fences;
};

class World {
 public:
  std::vector<Ref<TestFence>> fences;
  Ref<Syncobj> syncobj = Syncobj::create();
  Timeline model;
  std::vector<Prefix> kept;

  std::size_t new_fence() {
    fences.push_back(make_ref<TestFence>());
    return fences.size() - 1;
  }
  void add_point(std::size_t fence, std::uint64_t point) {
    syncobj->add_point(FenceChain::create(), fences[fence], point);
    model.entries.push_back({point, fence});
  }
  void replace(std::optional<std::size_t> fence) {
    syncobj->replace(fence ? Ref<Fence>(fences[*fence]) : nullptr);
    model.entries.clear();
    if (fence) model.entries.push_back({0, *fence});
  }

  bool signalled_up_to(std::size_t entry) const {
    for (std::size_t i = 0; i <= entry; ++i)
      if (!fences[model.entries[i].fence]->signalled()) return false;
    return true;
  }
  // The highest point with nothing pending at or before it. As in Linux a binary fence before the
  // first point only holds back the newest point.
  std::uint64_t last_signalled() const {
    std::uint64_t last = 0;
    if (!model.is_timeline()) return last;
    for (std::size_t i = 0; i < model.entries.size(); ++i) {
      const Timeline::Entry& entry = model.entries[i];
      if (entry.point == 0) continue;
      const bool newest = i + 1 == model.entries.size();
      if (newest ? !signalled_up_to(i) : !fences[entry.fence]->signalled()) break;
      last = entry.point;
    }
    return last;
  }
  Prefix prefix(Ref<Fence> found, std::size_t entry) const {
    Prefix result{std::move(found), {}};
    for (std::size_t i = 0; i <= entry; ++i) result.fences.push_back(model.entries[i].fence);
    return result;
  }
  bool agrees(const Prefix& kept_one) const {
    const bool all = std::ranges::all_of(
        kept_one.fences, [&](std::size_t fence) { return fences[fence]->signalled(); });
    return kept_one.found->signalled() == all;
  }

  void check_head() {
    const auto head = syncobj->find(0);
    RC_ASSERT(head.has_value() == !model.entries.empty());
    if (head) RC_ASSERT((*head)->signalled() == signalled_up_to(model.entries.size() - 1));
  }
  void check_kept() {
    for (const Prefix& one : kept) RC_ASSERT(agrees(one));
  }
};

// Points in increasing order: everything is as documented.
RC_GTEST_PROP(SyncobjModel, OrderedTimelines, ()) {
  World world;
  std::uint64_t next_point = 1;
  const auto steps =
      *rc::gen::container<std::vector<std::uint32_t>>(rc::gen::arbitrary<std::uint32_t>());
  for (const std::uint32_t step : steps) {
    const std::uint32_t number = step / 16;
    switch (step % 16) {
      case 0:
        world.replace(std::nullopt);
        next_point = 1;
        break;
      case 1:
        world.replace(world.new_fence());
        next_point = 1;
        break;
      case 2:
      case 3:
      case 4:
      case 5:
      case 6:
      case 7: {
        // A fence of its own, or one that is somewhere in the timeline already.
        const bool old = number % 4 == 0 && !world.fences.empty();
        const std::size_t fence = old ? number % world.fences.size() : world.new_fence();
        next_point += number % 3;
        world.add_point(fence, next_point++);
        break;
      }
      case 8:
      case 9:
      case 10:
      case 11:
      case 12:
        if (!world.fences.empty()) {
          Fence& fence = *world.fences[number % world.fences.size()];
          if (!fence.signalled()) fence.signal(TimePoint{}, number % 5 == 0 ? EIO : 0);
        }
        break;
      default:
        if (!world.model.is_timeline()) {
          if (!world.model.entries.empty())
            RC_ASSERT(world.syncobj->find(1 + number % 9).error() == Errno::kInval);
          break;
        }
        const std::uint64_t point = 1 + number % (next_point + 1);
        const auto found = world.syncobj->find(point);
        const auto entry =
            std::ranges::find_if(world.model.entries, [&](auto& e) { return e.point >= point; });
        RC_ASSERT(found.has_value() == (entry != world.model.entries.end()));
        if (found)
          world.kept.push_back(
              world.prefix(*found, static_cast<std::size_t>(entry - world.model.entries.begin())));
    }
    if (number % 2 == 0) {
      RC_ASSERT(world.syncobj->query(Query::kLastSignalled) == world.last_signalled());
      RC_ASSERT(world.syncobj->query(Query::kLastSubmitted) ==
                (world.model.is_timeline() ? world.model.entries.back().point : 0));
    }
    world.check_head();
    world.check_kept();
  }
}

// Points in any order, on nodes that several timelines share: a point still signals when everything
// before it has.
RC_GTEST_PROP(SyncobjModel, UnorderedAndBranchingTimelines, ()) {
  std::vector<World> worlds(2);
  auto both = [&](auto action) {
    for (World& world : worlds) action(world);
  };
  const auto steps =
      *rc::gen::container<std::vector<std::uint32_t>>(rc::gen::arbitrary<std::uint32_t>());
  for (const std::uint32_t step : steps) {
    const std::uint32_t number = step / 16;
    World& one = worlds[number % 2];
    World& other = worlds[1 - number % 2];
    switch (step % 16) {
      case 0:
        one.replace(std::nullopt);
        break;
      case 1:
        // Transfer to a binary syncobj: the head of one timeline becomes the other's, and they go
        // on from there.
        if (one.model.entries.empty()) break;
        other.syncobj->replace(one.syncobj->fence());
        other.model = one.model;
        break;
      case 2:
      case 3:
      case 4:
      case 5:
      case 6:
      case 7:
        both([&](World& world) { world.new_fence(); });
        other.fences.back() = one.fences.back();
        one.add_point(one.fences.size() - 1, 1 + number % 7);
        break;
      case 8:
      case 9:
      case 10:
      case 11:
      case 12:
        if (!one.fences.empty()) {
          Fence& fence = *one.fences[number % one.fences.size()];
          if (!fence.signalled()) fence.signal(TimePoint{}, 0);
        }
        break;
      default:
        if (one.model.entries.empty()) break;
        one.kept.push_back(one.prefix(one.syncobj->fence(), one.model.entries.size() - 1));
        // Walks, and so takes points out.
        one.syncobj->query(Query::kLastSignalled);
        one.syncobj->find(1 + number % 7);
    }
    both([&](World& world) {
      world.check_head();
      world.check_kept();
    });
  }
}

}  // namespace
}  // namespace pantry::driver
