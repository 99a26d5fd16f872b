// SPDX-License-Identifier: MIT
//
// The scheduler of simulated threads (actors), below SimExecutor. Exactly one actor holds the baton
// and runs; the others wait for it on a futex of their own. All state is touched by the holder
// only, so it needs no lock.
//
// Handing over the baton is hidden from ThreadSanitizer: it sees only the synchronisation of the
// program under test, so that a data race is reported in any schedule in which it could happen.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/thread_host.h"

namespace pantry::driver {

class SimHost final : public ThreadHost {
 public:
  struct Actor;

  // The calling thread becomes the actor "main" and holds the baton.
  explicit SimHost(std::uint64_t seed);
  // Every other actor has left.
  ~SimHost();

  // A new actor, runnable. Its thread calls enter() first and leave() last. Allocates.
  Actor& add(const char* name);
  void enter(Actor& actor) noexcept;
  void leave(Actor& actor) noexcept;
  // Waits in virtual time until `actor` has left, and forgets it.
  void wait_left(Actor& actor);

  void preempt() noexcept override;
  bool park(const void* address, TimePoint deadline) noexcept override;
  void wake(const void* address) noexcept override;
  void wake_one(const void* address) noexcept override;
  TimePoint now() noexcept override;
  void sleep_until(TimePoint time) noexcept;

  void note(const char* what, std::uint64_t value);
  std::string log() const;

 private:
  struct Event {
    TimePoint time;
    const char* actor;
    std::uint32_t actor_number;
    const char* what;
    std::uint64_t value;
  };
  std::uint64_t random(std::uint64_t below) noexcept;
  void record(const char* what, std::uint64_t value) noexcept;
  Actor& pick() noexcept;
  void switch_to(Actor& next) noexcept;
  bool advance_time() noexcept;
  [[noreturn]] void deadlock() noexcept;
  std::string format() const;

  std::uint64_t random_state_;
  std::uint64_t preempt_one_in_;
  TimePoint now_;
  std::uint32_t next_number_ = 0;
  std::vector<std::unique_ptr<Actor>> actors_;  // in the order of their creation
  std::vector<Actor*> candidates_;
  Actor* running_ = nullptr;
  std::vector<Event> events_;
};

}  // namespace pantry::driver
