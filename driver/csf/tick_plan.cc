// SPDX-License-Identifier: MIT
#include "driver/csf/tick_plan.h"

#include <algorithm>

#include "base/check.h"

namespace pantry::driver {
namespace {

constexpr std::array kFromHighest = {GroupPriority::kRealtime, GroupPriority::kHigh,
                                     GroupPriority::kMedium, GroupPriority::kLow};

}  // namespace

WaitingGroups::List& WaitingGroups::list_of(const Schedulable& group,
                                            Schedulable::Activity activity) {
  if (activity == Schedulable::Activity::kBlocked) return blocked_;
  auto& lists = activity == Schedulable::Activity::kBusy ? busy_ : idle_;
  return lists[static_cast<std::size_t>(group.priority)];
}

void WaitingGroups::put(Schedulable& group) {
  if (group.run_link.in_list() && group.listed_as == group.activity) return;
  remove(group);
  group.listed_as = group.activity;
  list_of(group, group.activity).push_back(group);
}

void WaitingGroups::remove(Schedulable& group) {
  if (group.run_link.in_list()) list_of(group, group.listed_as).remove(group);
}

TickPlan::TickPlan(const Limits& limits, Tick tick, std::span<Schedulable* const> residents,
                   const WaitingGroups& waiting)
    : limits_(limits), residents_(residents), waiting_(waiting) {
  PANTRY_CHECK(limits.slots <= kMaxSlots && residents.size() <= limits.slots);
  if (tick == Tick::kBetween) {
    // Residents first, from the highest priority down; a realtime group that waits comes before
    // any resident of a lower one.
    admit_busy(GroupPriority::kRealtime, Tick::kBetween);
    for (Schedulable* resident : residents_)
      if (resident->activity == Activity::kBusy) admit(*resident, Rank::kResident);
  }
  for (const GroupPriority priority : kFromHighest) admit_busy(priority, tick);
  admit_idle();
  order();
  look_ahead();
}

bool TickPlan::has(const Schedulable& group) const {
  return std::any_of(entries_.begin(), entries_.begin() + count_,
                     [&](const Entry& entry) { return entry.group == &group; });
}

// Gives `group` a slot if there is one, and an address space.
bool TickPlan::admit(Schedulable& group, Rank rank) {
  if (count_ == limits_.slots || has(group)) return false;
  const auto spaces_end = spaces_.begin() + space_count_;
  if (std::find(spaces_.begin(), spaces_end, group.space) == spaces_end) {
    if (space_count_ == limits_.spaces) return false;
    spaces_[space_count_++] = group.space;
  }
  entries_[count_] = {&group, rank, count_};
  ++count_;
  return true;
}

void TickPlan::admit_busy(GroupPriority priority, Tick tick) {
  const WaitingGroups::List& waiting = waiting_.busy(priority);
  Schedulable* rotated = nullptr;
  if (tick == Tick::kFull) {
    if (waiting.first()) admit(*waiting.first(), Rank::kNew);
    const auto highest =
        std::find_if(residents_.begin(), residents_.end(), [&](const Schedulable* resident) {
          return resident->priority == priority && resident->activity == Activity::kBusy;
        });
    if (highest != residents_.end()) rotated = *highest;
  }
  for (Schedulable* resident : residents_)
    if (resident->priority == priority && resident->activity == Activity::kBusy &&
        resident != rotated)
      admit(*resident, Rank::kResident);
  for (Schedulable* group = waiting.first(); group; group = waiting.next(*group))
    admit(*group, Rank::kNew);
  if (rotated) admit(*rotated, Rank::kRotated);
}

void TickPlan::admit_idle() {
  for (Schedulable* resident : residents_)
    if (resident->activity != Activity::kBusy) admit(*resident, Rank::kIdle);
  for (Schedulable* group = waiting_.blocked().first(); group;
       group = waiting_.blocked().next(*group))
    admit(*group, Rank::kIdle);
  for (const GroupPriority priority : kFromHighest) {
    const WaitingGroups::List& idle = waiting_.idle(priority);
    for (Schedulable* group = idle.first(); group && count_ < limits_.slots;
         group = idle.next(*group))
      admit(*group, Rank::kIdle);
  }
}

// By priority, and within one: residents in the order they had, then the new ones, then the one
// whose turn at the top is over. Idle groups come after the busy ones of their priority.
void TickPlan::order() {
  // Not stable_sort, which allocates.
  std::sort(entries_.begin(), entries_.begin() + count_, [](const Entry& a, const Entry& b) {
    if (a.group->priority != b.group->priority) return a.group->priority > b.group->priority;
    if (a.rank != b.rank) return a.rank < b.rank;
    return a.admitted < b.admitted;
  });
  for (std::uint32_t i = 0; i < count_; ++i) chosen_[i] = entries_[i].group;
}

void TickPlan::look_ahead() {
  for (const Schedulable* resident : residents_)
    if (resident->activity != Activity::kIdle && !has(*resident)) must_tick_again_ = true;
  for (const GroupPriority priority : kFromHighest) {
    const WaitingGroups::List& waiting = waiting_.busy(priority);
    for (Schedulable* group = waiting.first(); group; group = waiting.next(*group))
      if (!has(*group)) must_tick_again_ = true;
    const auto busy =
        std::count_if(chosen_.begin(), chosen_.begin() + count_, [&](const Schedulable* group) {
          return group->priority == priority && group->activity == Activity::kBusy;
        });
    if (busy >= 2) must_tick_again_ = true;
  }
  for (Schedulable* group = waiting_.blocked().first(); group;
       group = waiting_.blocked().next(*group))
    if (!has(*group)) must_tick_again_ = true;
}

}  // namespace pantry::driver
