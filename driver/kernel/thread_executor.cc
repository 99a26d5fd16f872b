// SPDX-License-Identifier: MIT
#include "driver/kernel/thread_executor.h"

#include <pthread.h>
#include <time.h>

#include <thread>
#include <vector>

#include "base/all_signals_blocked.h"
#include "base/check.h"
#include "base/thread_host.h"

namespace pantry::driver {
namespace {

class RealClock final : public Clock {
 public:
  TimePoint now() noexcept override { return current_time(); }
  TimePoint raw_now() noexcept override {
    timespec at{};
    clock_gettime(CLOCK_MONOTONIC_RAW, &at);
    return {std::int64_t{at.tv_sec} * 1'000'000'000 + at.tv_nsec};
  }
  void sleep(Duration duration) noexcept override {
    if (duration.ns <= 0) return;
    const TimePoint until = now() + duration;
    const timespec at{until.ns / 1'000'000'000, until.ns % 1'000'000'000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr) == EINTR) {
    }
  }
};

template <class Body>
std::thread start_thread(const char* name, Body body) {
  AllSignalsBlocked blocked;
  return std::thread([name, body]() PANTRY_MAY_WAIT {
    pthread_setname_np(pthread_self(), name);
    body();
  });
}

}  // namespace

struct ThreadExecutor::State {
  RealClock clock;
  WorkLanes lanes = new_work_lanes();
  std::vector<std::thread> lane_threads;
  Mutex mutex;
  std::vector<std::thread> spawned PANTRY_GUARDED_BY(mutex);
};

ThreadExecutor::ThreadExecutor(unsigned bind_threads) : state_(std::make_unique<State>()) {
  PANTRY_CHECK(bind_threads >= 1 && bind_threads <= 16);
  for (std::uint32_t i = 0; i < kLaneCount; ++i) {
    WorkLane& lane = state_->lanes[i];
    const unsigned threads = static_cast<Lane>(i) == Lane::kBind ? bind_threads : 1;
    for (unsigned t = 0; t < threads; ++t)
      state_->lane_threads.push_back(
          start_thread(lane.name(), [&lane]() PANTRY_MAY_WAIT { lane.serve(); }));
  }
}

ThreadExecutor::~ThreadExecutor() {
  join_spawned();
  for (WorkLane& lane : state_->lanes) lane.stop();
  for (std::thread& thread : state_->lane_threads) thread.join();
}

Clock& ThreadExecutor::clock() { return state_->clock; }

WorkLane& ThreadExecutor::lane(Lane lane) { return state_->lanes[static_cast<std::size_t>(lane)]; }

void ThreadExecutor::spawn(const char* name, ThreadBody& body) {
  std::thread thread = start_thread(name, [&body]() PANTRY_MAY_WAIT { body.run(); });
  MutexLock lock(state_->mutex);
  state_->spawned.push_back(std::move(thread));
}

void ThreadExecutor::join_spawned() {
  for (;;) {
    std::vector<std::thread> threads;
    {
      MutexLock lock(state_->mutex);
      threads.swap(state_->spawned);
    }
    // A body may have spawned another one.
    if (threads.empty()) return;
    for (std::thread& thread : threads) thread.join();
  }
}

}  // namespace pantry::driver
