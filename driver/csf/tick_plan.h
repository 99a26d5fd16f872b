// SPDX-License-Identifier: MIT
//
// Which groups sit on the slots after a tick, and in which order of firmware priority. A pure
// function of what is runnable now:
//
//   - Strict between priorities. Within one, round robin: a full tick lets the group that waits
//     longest in, and if there are too many, it is the resident with the highest firmware priority
//     that goes (it got there by being resident for longest).
//   - At most `slots` groups, of at most `spaces` different address spaces (VMs). Since the one
//     that waits longest comes before all residents of its priority, a space is never kept by
//     residents alone while somebody waits for one.
//   - A tick between full ones takes no slot away, but for realtime groups.
//   - Room that is left goes to groups that have nothing to run: those that are resident stay, then
//     those that wait for a sync object, so that the firmware watches it, then idle ones, which so
//     share in the faults of their VM.
//
// Allocates nothing, changes nothing.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "driver/csf/group.h"
#include "driver/csf/linked_list.h"

namespace pantry::driver {

// What the plan sees of a group. All of it is guarded by the scheduler's lock.
struct Schedulable {
  GroupPriority priority = GroupPriority::kMedium;
  const void* space = nullptr;  // the VM
  enum class Activity : std::uint8_t {
    kIdle,     // nothing in its rings
    kBlocked,  // every queue that has work waits for a sync object
    kBusy,
  } activity = Activity::kIdle;
  // Of WaitingGroups.
  ListLink<Schedulable> run_link;
  Activity listed_as = Activity::kIdle;
};

// The groups that can run and have no slot, in the order in which they began to wait.
class WaitingGroups {
 public:
  using List = LinkedList<Schedulable, &Schedulable::run_link>;

  const List& busy(GroupPriority priority) const {
    return busy_[static_cast<std::size_t>(priority)];
  }
  // All priorities together.
  const List& blocked() const { return blocked_; }
  const List& idle(GroupPriority priority) const {
    return idle_[static_cast<std::size_t>(priority)];
  }

  // Where `group`, which can run and has no slot, belongs by its activity; if that is where it is
  // already, it keeps its place.
  void put(Schedulable& group);
  // Harmless when it is nowhere.
  void remove(Schedulable& group);

 private:
  List& list_of(const Schedulable& group, Schedulable::Activity activity);

  std::array<List, kGroupPriorities> busy_;
  List blocked_;
  std::array<List, kGroupPriorities> idle_;
};

class TickPlan {
 public:
  static constexpr std::uint32_t kMaxSlots = 16;
  struct Limits {
    std::uint32_t slots = 0;  // at most kMaxSlots
    std::uint32_t spaces = 0;
  };
  enum class Tick { kFull, kBetween };

  // `residents`: those that can run, in falling firmware priority.
  TickPlan(const Limits& limits, Tick tick, std::span<Schedulable* const> residents,
           const WaitingGroups& waiting);

  // From the highest firmware priority to the lowest.
  std::span<Schedulable* const> chosen() const { return {chosen_.data(), count_}; }
  // Somebody waits for a slot, or shares a priority with another busy group: there must be another
  // tick when the time slice is over.
  bool must_tick_again() const { return must_tick_again_; }

 private:
  using Activity = Schedulable::Activity;
  enum class Rank : std::uint8_t { kResident, kNew, kRotated, kIdle };
  struct Entry {
    Schedulable* group = nullptr;
    Rank rank = Rank::kResident;
    std::uint32_t admitted = 0;  // how many were admitted before it
  };

  bool has(const Schedulable& group) const;
  bool admit(Schedulable& group, Rank rank);
  void admit_busy(GroupPriority priority, Tick tick);
  void admit_idle();
  void order();
  void look_ahead();

  const Limits limits_;
  const std::span<Schedulable* const> residents_;
  const WaitingGroups& waiting_;
  std::array<Entry, kMaxSlots> entries_;
  std::array<Schedulable*, kMaxSlots> chosen_{};
  std::uint32_t count_ = 0;
  std::array<const void*, kMaxSlots> spaces_{};
  std::uint32_t space_count_ = 0;
  bool must_tick_again_ = false;
};

}  // namespace pantry::driver
