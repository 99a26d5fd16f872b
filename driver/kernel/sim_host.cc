// SPDX-License-Identifier: MIT
#include "driver/kernel/sim_host.h"

#include <fmt/format.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <iterator>

#include "base/check.h"
#include "driver/kernel/allocation_trap.h"
#include "driver/kernel/lock_order.h"

#if PANTRY_THREAD_SANITIZER
extern "C" {
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
void AnnotateIgnoreSyncBegin(const char* file, int line);
void AnnotateIgnoreSyncEnd(const char* file, int line);
}
#endif

namespace pantry::driver {
namespace {

// Around everything in here: the scheduler is no part of the program that is being watched.
class Unobserved {
 public:
  Unobserved() noexcept {
#if PANTRY_THREAD_SANITIZER
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
    AnnotateIgnoreSyncBegin(__FILE__, __LINE__);
#endif
  }
  ~Unobserved() {
#if PANTRY_THREAD_SANITIZER
    AnnotateIgnoreSyncEnd(__FILE__, __LINE__);
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
#endif
  }

 private:
  AllocationTrapPause pause_;
};

// One actor's wait for the baton.
class Gate {
 public:
  void open() noexcept {
    open_.store(1, std::memory_order_release);
    syscall(SYS_futex, &open_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }
  void pass() noexcept {
    while (open_.exchange(0, std::memory_order_acquire) == 0)
      syscall(SYS_futex, &open_, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
  }

 private:
  std::atomic<std::uint32_t> open_{0};
};

constexpr std::uint64_t kSpuriousWakeOneIn = 256;

}  // namespace

struct SimHost::Actor {
  enum class State { kRunnable, kParked, kLeft };
  Actor(const char* its_name, std::uint32_t its_number) : name(its_name), number(its_number) {}

  const char* const name;
  const std::uint32_t number;
  State state = State::kRunnable;
  const void* address = nullptr;  // parked on
  TimePoint deadline = TimePoint::never();
  bool woken = false;
  Gate gate;
};

SimHost::SimHost(std::uint64_t seed) : random_state_(seed) {
  PANTRY_CHECK(ThreadHost::current() == nullptr);
  Unobserved unobserved;
  // Seeds differ in how often they interrupt a thread that could go on: rarely finds what a long
  // undisturbed run of one thread breaks, often finds narrow windows.
  constexpr std::uint64_t kRates[] = {2, 6, 20, 60};
  preempt_one_in_ = kRates[random(std::size(kRates))];
  actors_.push_back(std::make_unique<Actor>("main", next_number_++));
  running_ = actors_.front().get();
  ThreadHost::set_current(this);
}

SimHost::~SimHost() {
  PANTRY_CHECK(actors_.size() == 1);
  ThreadHost::set_current(nullptr);
}

SimHost::Actor& SimHost::add(const char* name) {
  Unobserved unobserved;
  actors_.push_back(std::make_unique<Actor>(name, next_number_++));
  candidates_.reserve(actors_.size());
  return *actors_.back();
}

void SimHost::enter(Actor& actor) noexcept {
  Unobserved unobserved;
  actor.gate.pass();
  ThreadHost::set_current(this);
}

void SimHost::leave(Actor& actor) noexcept {
  Unobserved unobserved;
  PANTRY_CHECK(running_ == &actor);
  actor.state = Actor::State::kLeft;
  ThreadHost::set_current(nullptr);
  wake(&actor);
  running_ = &pick();
  record("runs", 0);
  running_->gate.open();
}

void SimHost::wait_left(Actor& actor) {
  Unobserved unobserved;
  while (actor.state != Actor::State::kLeft) park(&actor, TimePoint::never());
  std::erase_if(actors_, [&](const auto& other) { return other.get() == &actor; });
}

void SimHost::preempt() noexcept {
  Unobserved unobserved;
  if (random(preempt_one_in_) == 0) switch_to(pick());
}

bool SimHost::park(const void* address, TimePoint deadline) noexcept {
  Unobserved unobserved;
  if (deadline <= now_ || random(kSpuriousWakeOneIn) == 0) {
    const bool in_time = deadline > now_;
    switch_to(pick());
    return in_time;
  }
  Actor& self = *running_;
  self.state = Actor::State::kParked;
  self.address = address;
  self.deadline = deadline;
  self.woken = false;
  switch_to(pick());
  return self.woken;
}

void SimHost::wake(const void* address) noexcept {
  Unobserved unobserved;
  for (const auto& actor : actors_) {
    if (actor->state != Actor::State::kParked || actor->address != address) continue;
    actor->state = Actor::State::kRunnable;
    actor->woken = true;
  }
}

void SimHost::wake_one(const void* address) noexcept {
  Unobserved unobserved;
  candidates_.clear();
  for (const auto& actor : actors_)
    if (actor->state == Actor::State::kParked && actor->address == address)
      candidates_.push_back(actor.get());
  if (candidates_.empty()) return;
  Actor& chosen = *candidates_[random(candidates_.size())];
  chosen.state = Actor::State::kRunnable;
  chosen.woken = true;
}

TimePoint SimHost::now() noexcept {
  Unobserved unobserved;
  return now_;
}

void SimHost::sleep_until(TimePoint time) noexcept {
  Unobserved unobserved;
  // Nobody wakes this address; a spurious wake-up goes back to sleep.
  while (now_ < time) park(&time, time);
}

void SimHost::note(const char* what, std::uint64_t value) {
  Unobserved unobserved;
  record(what, value);
}

std::string SimHost::log() const {
  Unobserved unobserved;
  return format();
}

// splitmix64: every seed, also 0 and 1, gives an unrelated sequence. `below` is small, so the
// modulo is fair enough.
std::uint64_t SimHost::random(std::uint64_t below) noexcept {
  random_state_ += 0x9e3779b97f4a7c15;
  std::uint64_t z = random_state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return (z ^ (z >> 31)) % below;
}

void SimHost::record(const char* what, std::uint64_t value) noexcept {
  events_.push_back({now_, running_->name, running_->number, what, value});
}

SimHost::Actor& SimHost::pick() noexcept {
  for (;;) {
    candidates_.clear();
    for (const auto& actor : actors_)
      if (actor->state == Actor::State::kRunnable) candidates_.push_back(actor.get());
    if (!candidates_.empty()) return *candidates_[random(candidates_.size())];
    if (!advance_time()) deadlock();
  }
}

// To the nearest deadline. Whoever's deadline that is becomes runnable, all at once: the seed picks
// their order.
bool SimHost::advance_time() noexcept {
  TimePoint nearest = TimePoint::never();
  for (const auto& actor : actors_)
    if (actor->state == Actor::State::kParked) nearest = std::min(nearest, actor->deadline);
  if (nearest == TimePoint::never()) return false;
  now_ = nearest;
  for (const auto& actor : actors_)
    if (actor->state == Actor::State::kParked && actor->deadline <= now_)
      actor->state = Actor::State::kRunnable;
  return true;
}

void SimHost::switch_to(Actor& next) noexcept {
  Actor& self = *running_;
  if (&next == &self) return;
  running_ = &next;
  record("runs", 0);
  next.gate.open();
  self.gate.pass();
}

std::string SimHost::format() const {
  std::string text;
  for (const Event& event : events_)
    fmt::format_to(std::back_inserter(text), "{} {}#{} {} {}\n", event.time.ns, event.actor,
                   event.actor_number, event.what, event.value);
  return text;
}

void SimHost::deadlock() noexcept {
  std::fputs(format().c_str(), stderr);
  std::fprintf(
      stderr,
      "pantry: bug: simulated deadlock at %lld ns: every actor waits and there is no deadline\n",
      static_cast<long long>(now_.ns));
  for (const auto& actor : actors_)
    if (actor->state != Actor::State::kLeft)
      std::fprintf(stderr, "  %s#%u waits\n", actor->name, actor->number);
  std::abort();
}

}  // namespace pantry::driver
