// SPDX-License-Identifier: MIT

#include <cerrno>
#include <deque>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/cases.h"
#include "igt_tests/lib/pulse.h"

IGT_TEST_DESCRIPTION(
    "More groups and spaces than the hardware has slots: everybody gets on, nobody loses anything. "
    "And groups that wait for each other on the GPU.");

using namespace gpu;

namespace {

constexpr uint64_t kWords = kPlay + 256 * kBlock;  // sync words of a test

// Groups with a heartbeat each.
class Crowd {
 public:
  explicit Crowd(const Device& device) : device_(device) {}

  void join(Vm& vm, uint8_t priority) {
    Member& member = members_.emplace_back(device_, kPlay + members_.size() * kBlock, vm, priority);
    member.group.submit(0, member.pulse.stream(), Syncs().signal(member.done));
  }
  uint32_t size() const { return static_cast<uint32_t>(members_.size()); }
  void expect_start() {
    for (Member& member : members_) member.pulse.expect_start();
  }
  // Each beats, and each goes on from where it was when it was last seen.
  void expect_beats(uint32_t times) {
    for (uint32_t i = 0; i < times; ++i) {
      for (Member& member : members_) {
        member.pulse.expect_beat();
        const uint32_t rounds = member.pulse.rounds();
        igt_assert_f(rounds > member.last_rounds, "round %u after round %u\n", rounds,
                     member.last_rounds);
        member.last_rounds = rounds;
      }
    }
  }
  void stop_and_finish() {
    for (Member& member : members_) member.pulse.stop();
    for (Member& member : members_) {
      igt_assert_eq(member.done.finish(kPatience), 1);
      igt_assert_eq(member.group.state().state, 0);
    }
  }

 private:
  struct Member {
    Member(const Device& device, uint64_t va, Vm& vm, uint8_t priority)
        : pulse(device, va),
          group(Group::create(vm, {1, 4096, priority})),
          done(Syncobj::create(device)) {
      pulse.map_into(vm);
    }

    Pulse pulse;
    Group group;
    Syncobj done;
    uint32_t last_rounds = 0;
  };

  const Device& device_;
  std::deque<Member> members_;
};

void take_turns(const Device& device, uint32_t groups, uint32_t spaces) {
  std::deque<Vm> vms;
  for (uint32_t i = 0; i < spaces; ++i) vms.push_back(Vm::create(device));
  Crowd crowd(device);
  for (uint32_t i = 0; i < groups; ++i) {
    crowd.join(vms[i % spaces], PANTHOR_GROUP_PRIORITY_MEDIUM);
  }
  crowd.expect_start();
  crowd.expect_beats(3);
  crowd.stop_and_finish();
}

void more_groups_than_slots(const Device& device) {
  take_turns(device, device.csif().csg_slot_count + 4, 1);
}

// One address space of the hardware is the firmware's; the scheduler keeps another free.
void more_spaces_than_slots(const Device& device) { take_turns(device, 12, 12); }

void groups_and_spaces(const Device& device) {
  take_turns(device, 2 * device.csif().csg_slot_count + 2, 9);
}

// Idle groups give up their slots without being told to.
void many_idle_groups(const Device& device) {
  constexpr uint32_t kGroups = 40;
  Bench bench(device);
  std::deque<Group> groups;
  for (uint32_t i = 0; i < kGroups; ++i) groups.push_back(Group::create_simple(bench.vm()));
  for (uint32_t round = 1; round <= 2; ++round) {
    std::deque<Syncobj> done;
    for (uint32_t i = 0; i < kGroups; ++i) {
      done.push_back(Syncobj::create(device));
      const Stream stream =
          bench.place(Assembler().store_value(bench.result_va(i), 100 * round + i).publish());
      groups[i].submit(0, stream, Syncs().signal(done.back()));
    }
    for (uint32_t i = 0; i < kGroups; ++i) {
      igt_assert_eq(done[i].finish(kPatience), 1);
      igt_assert_eq(bench.result(i), 100 * round + i);
    }
  }
}

// Registers, unlike results, exist only in the slot or in the group's suspend buffer.
void registers_survive_eviction(const Device& device) {
  constexpr unsigned kFirst = 0;
  constexpr unsigned kCount = 60;
  constexpr unsigned kAddress = 62;
  Bench bench(device);
  Assembler fill;
  for (unsigned reg = kFirst; reg < kCount; ++reg) fill.move32(reg, 0xABC00 + reg);
  bench.run_ok(fill);
  Crowd crowd(device);
  for (uint32_t i = 0; i < device.csif().csg_slot_count + 2; ++i) {
    crowd.join(bench.vm(), PANTHOR_GROUP_PRIORITY_MEDIUM);
  }
  crowd.expect_start();
  crowd.expect_beats(2);
  Assembler dump;
  dump.move48(kAddress, bench.result_va(0));
  for (unsigned reg = kFirst; reg < kCount; reg += 4) {
    dump.store(reg, 4, kAddress, static_cast<int16_t>(reg * 4));
  }
  bench.run_ok(dump.publish());
  for (unsigned reg = kFirst; reg < kCount; ++reg) igt_assert_eq(bench.result(reg), 0xABC00 + reg);
  crowd.stop_and_finish();
}

// Groups of a higher priority than everybody else need not wait for their end.
void higher_priority_gets_in(const Device& device) {
  Bench bench(device, 0, kBenchVa, {1, 4096, PANTHOR_GROUP_PRIORITY_MEDIUM});
  Crowd crowd(device);
  for (uint32_t i = 0; i < device.csif().csg_slot_count + 2; ++i) {
    crowd.join(bench.vm(), PANTHOR_GROUP_PRIORITY_LOW);
  }
  crowd.expect_start();
  for (uint32_t i = 1; i <= 5; ++i) {
    bench.store32(bench.result_va(0), i);
    igt_assert_eq(bench.result(0), i);
  }
  crowd.expect_beats(1);
  crowd.stop_and_finish();
}

// Between priorities there is no turn-taking.
void lower_priority_waits(const Device& device) {
  Bench bench(device, 0, kBenchVa, {1, 4096, PANTHOR_GROUP_PRIORITY_LOW});
  bench.set_result(0, 0);
  Crowd crowd(device);
  for (uint32_t i = 0; i < device.csif().csg_slot_count; ++i) {
    crowd.join(bench.vm(), PANTHOR_GROUP_PRIORITY_MEDIUM);
  }
  crowd.expect_start();
  const Syncobj done = Syncobj::create(device);
  bench.group().submit(0, bench.place(Assembler().store_value(bench.result_va(0), 1).publish()),
                       Syncs().signal(done));
  crowd.expect_beats(2);
  sleep_ns(3 * kGlance);
  igt_assert_eq(done.wait(0), ETIME);
  igt_assert_eq(bench.result(0), 0);
  crowd.stop_and_finish();
  igt_assert_eq(done.finish(kPatience), 1);
  igt_assert_eq(bench.result(0), 1);
}

// Two streams that hand a number to and fro: each waits until the other's word has reached its
// round, then raises its own.
void ping_pong(const Device& device, Bench& first, const Group& a, uint32_t queue_a, Bench& second,
               const Group& b, uint32_t queue_b) {
  constexpr uint32_t kRounds = 40;
  constexpr unsigned kMine = 20;
  constexpr unsigned kTheirs = 22;
  constexpr unsigned kRound = 24;  // rounds done
  constexpr unsigned kNext = 26;   // kRound + 1
  constexpr unsigned kLeft = 28;
  Bo words = Bo::create(device, kPage);
  first.vm().map_part(words, 0, kWords, kPage, kUncached | kNoExec);
  if (&first != &second) second.vm().map_part(words, 0, kWords, kPage, kUncached | kNoExec);
  enum class Turn { kServes, kWaits };
  const auto player = [&](uint64_t mine, uint64_t theirs, Turn first_turn) {
    Assembler stream;
    stream.move48(kMine, mine).move48(kTheirs, theirs).move32(kRound, 0).move32(kLeft, kRounds);
    const size_t loop = stream.here();
    stream.add32(kNext, kRound, 1);
    if (first_turn == Turn::kServes) stream.sync_set32(kMine, kNext, SyncScope::kSystem);
    stream.sync_wait32(WaitUntil::kGreater, kTheirs, kRound);
    if (first_turn == Turn::kWaits) stream.sync_set32(kMine, kNext, SyncScope::kSystem);
    stream.add32(kRound, kRound, 1).add32(kLeft, kLeft, -1);
    stream.branch_back(Condition::kGreater, kLeft, loop);
    return stream.publish();
  };
  const Syncobj done[] = {Syncobj::create(device), Syncobj::create(device)};
  // The one that waits first goes first.
  b.submit(queue_b, second.place(player(kWords + 64, kWords, Turn::kWaits)),
           Syncs().signal(done[1]));
  a.submit(queue_a, first.place(player(kWords, kWords + 64, Turn::kServes)),
           Syncs().signal(done[0]));
  for (const Syncobj& each : done) igt_assert_eq(each.finish(kPatience), 1);
  igt_assert_eq(uint32_t{words.word_at(0)}, kRounds);
  igt_assert_eq(uint32_t{words.word_at(64)}, kRounds);
}

void queues_play(const Device& device) {
  Bench bench(device, 0, kBenchVa, {2, 4096, PANTHOR_GROUP_PRIORITY_MEDIUM});
  ping_pong(device, bench, bench.group(), 0, bench, bench.group(), 1);
}

void groups_play(const Device& device) {
  Bench bench(device);
  const Group other = Group::create_simple(bench.vm());
  ping_pong(device, bench, bench.group(), 0, bench, other, 0);
}

void spaces_play(const Device& device) {
  Bench bench(device);
  Bench other(device);
  ping_pong(device, bench, bench.group(), 0, other, other.group(), 0);
}

// A group that waits on the GPU makes room for others, and is found again when somebody wakes it.
void evicted_wait_is_released(const Device& device) {
  Bench bench(device);
  Bo words = Bo::create(device, kPage);
  bench.vm().map_part(words, 0, kWords, kPage, kUncached | kNoExec);
  bench.set_result(0, 0);
  const Syncobj done = Syncobj::create(device);
  Assembler waiter;
  waiter.move48(20, kWords).move32(22, 41).sync_wait32(WaitUntil::kGreater, 20, 22);
  waiter.store_value(bench.result_va(0), 0xA1).publish();
  bench.group().submit(0, bench.place(waiter), Syncs().signal(done));
  Crowd crowd(device);
  for (uint32_t i = 0; i < device.csif().csg_slot_count + 2; ++i) {
    crowd.join(bench.vm(), PANTHOR_GROUP_PRIORITY_MEDIUM);
  }
  crowd.expect_start();
  crowd.expect_beats(1);
  igt_assert_eq(done.wait(0), ETIME);
  const Group waker = Group::create_simple(bench.vm());
  Assembler wake;
  wake.move48(20, kWords).move32(22, 42).sync_set32(20, 22, SyncScope::kSystem).publish();
  const Syncobj woken = Syncobj::create(device);
  waker.submit(0, bench.place(wake), Syncs().signal(woken));
  igt_assert_eq(woken.finish(kPatience), 1);
  igt_assert_eq(done.finish(kPatience), 1);
  igt_assert_eq(bench.result(0), 0xA1);
  crowd.expect_beats(1);
  crowd.stop_and_finish();
}

// A waiting queue does not hold up the others of its group.
void waiting_queue_blocks_nobody(const Device& device) {
  constexpr uint32_t kQueues = 4;
  Bench bench(device, 0, kBenchVa, {kQueues, 4096, PANTHOR_GROUP_PRIORITY_MEDIUM});
  Bo words = Bo::create(device, kPage);
  bench.vm().map_part(words, 0, kWords, kPage, kUncached | kNoExec);
  Assembler waiter;
  waiter.move48(20, kWords).move32(22, 0).sync_wait32(WaitUntil::kGreater, 20, 22);
  const Syncobj waited = Syncobj::create(device);
  bench.group().submit(0, bench.place(waiter.publish()), Syncs().signal(waited));
  for (uint32_t round = 1; round <= 5; ++round) {
    for (uint32_t queue = 1; queue < kQueues; ++queue) {
      const Syncobj done = Syncobj::create(device);
      const Stream stream =
          bench.place(Assembler().store_value(bench.result_va(queue), round).publish());
      bench.group().submit(queue, stream, Syncs().signal(done));
      igt_assert_eq(done.finish(kPatience), 1);
      igt_assert_eq(bench.result(queue), round);
    }
  }
  igt_assert_eq(waited.wait(0), ETIME);
  words.word_at(0) = 1;
  igt_assert_eq(waited.finish(kPatience), 1);
}

// One group of many dies; the others do not notice.
void fault_in_a_crowd(const Device& device) {
  Bench bench(device);
  Vm others = Vm::create(device);
  Crowd crowd(device);
  for (uint32_t i = 0; i < device.csif().csg_slot_count + 1; ++i) {
    crowd.join(others, PANTHOR_GROUP_PRIORITY_MEDIUM);
  }
  crowd.expect_start();
  bench.expect_load_fault(kPlay);
  crowd.expect_beats(1);
  bench.expect_fatal(Assembler().word(uint64_t{255} << 56));
  crowd.expect_beats(1);
  crowd.stop_and_finish();
}

constexpr Case kCases[] = {
    {"more-groups-than-slots", "12 groups on 8 slots take turns. [E4.1]", more_groups_than_slots},
    {"more-spaces-than-slots", "12 spaces on 7 slots take turns. [E4.1]", more_spaces_than_slots},
    {"groups-and-spaces", "18 groups in 9 spaces take turns.", groups_and_spaces},
    {"many-idle-groups", "40 groups with a job now and then.", many_idle_groups},
    {"registers-survive-eviction", "A group finds its registers as it left them.",
     registers_survive_eviction},
    {"higher-priority-gets-in", "A crowd of low priority makes room. [E4.2]",
     higher_priority_gets_in},
    {"lower-priority-waits", "A crowd of higher priority does not. [E4.2]", lower_priority_waits},
    {"queues-play-ping-pong", "Two queues wait for each other.", queues_play},
    {"groups-play-ping-pong", "Two groups wait for each other.", groups_play},
    {"spaces-play-ping-pong", "Groups of two spaces wait for each other in shared memory.",
     spaces_play},
    {"evicted-wait-is-released", "A waiting group without a slot is woken by another. [E4.4]",
     evicted_wait_is_released},
    {"waiting-queue-blocks-nobody", "The other queues of a waiting group go on. [E3.2]",
     waiting_queue_blocks_nobody},
    {"fault-in-a-crowd", "Groups of other spaces survive a fault.", fault_in_a_crowd},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
