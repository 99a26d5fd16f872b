// SPDX-License-Identifier: MIT
#include "driver/kernel/sim_executor.h"

#include <thread>
#include <vector>

#include "base/check.h"
#include "driver/kernel/sim_host.h"

namespace pantry::driver {
namespace {

class SimClock final : public Clock {
 public:
  explicit SimClock(SimHost& host) : host_(host) {}
  TimePoint now() noexcept override { return host_.now(); }
  void sleep(Duration duration) noexcept override { host_.sleep_until(host_.now() + duration); }

 private:
  SimHost& host_;
};

struct ActorThread {
  SimHost::Actor* actor;
  std::thread thread;
};

}  // namespace

struct SimExecutor::State {
  explicit State(std::uint64_t seed_) : seed(seed_), host(seed_), clock(host) {}

  template <class Body>
  ActorThread start(const char* name, Body body) {
    SimHost::Actor& actor = host.add(name);
    return {&actor, std::thread([this, &actor, body]() PANTRY_MAY_WAIT {
              host.enter(actor);
              body();
              host.leave(actor);
            })};
  }
  void join(ActorThread& thread) {
    host.wait_left(*thread.actor);
    thread.thread.join();
  }

  const std::uint64_t seed;
  SimHost host;
  SimClock clock;
  WorkLanes lanes = new_work_lanes();
  std::vector<ActorThread> lane_threads;
  Mutex mutex;
  std::vector<ActorThread> spawned PANTRY_GUARDED_BY(mutex);
};

SimExecutor::SimExecutor(std::uint64_t seed, unsigned bind_threads)
    : state_(std::make_unique<State>(seed)) {
  PANTRY_CHECK(bind_threads >= 1 && bind_threads <= 16);
  for (std::uint32_t i = 0; i < kLaneCount; ++i) {
    WorkLane& lane = state_->lanes[i];
    const unsigned threads = static_cast<Lane>(i) == Lane::kBind ? bind_threads : 1;
    for (unsigned t = 0; t < threads; ++t)
      state_->lane_threads.push_back(
          state_->start(lane.name(), [&lane]() PANTRY_MAY_WAIT { lane.serve(); }));
  }
}

SimExecutor::~SimExecutor() {
  join_spawned();
  for (WorkLane& lane : state_->lanes) lane.stop();
  for (ActorThread& thread : state_->lane_threads) state_->join(thread);
}

Clock& SimExecutor::clock() { return state_->clock; }

WorkLane& SimExecutor::lane(Lane lane) { return state_->lanes[static_cast<std::size_t>(lane)]; }

void SimExecutor::spawn(const char* name, ThreadBody& body) {
  ActorThread thread = state_->start(name, [&body]() PANTRY_MAY_WAIT { body.run(); });
  {
    MutexLock lock(state_->mutex);
    state_->spawned.push_back(std::move(thread));
  }
  state_->host.preempt();
}

void SimExecutor::join_spawned() {
  for (;;) {
    std::vector<ActorThread> threads;
    {
      MutexLock lock(state_->mutex);
      threads.swap(state_->spawned);
    }
    if (threads.empty()) return;
    for (ActorThread& thread : threads) state_->join(thread);
  }
}

void SimExecutor::note(const char* what, std::uint64_t value) { state_->host.note(what, value); }

std::string SimExecutor::log() const { return state_->host.log(); }

std::uint64_t SimExecutor::seed() const { return state_->seed; }

}  // namespace pantry::driver
