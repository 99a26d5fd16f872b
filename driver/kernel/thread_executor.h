// SPDX-License-Identifier: MIT
//
// The executor that runs on real threads and real time. All signals are blocked in its threads, so
// that it can live in a process whose signal handlers are not its own.
#pragma once

#include <memory>

#include "driver/kernel/executor.h"

namespace pantry::driver {

class ThreadExecutor final : public Executor {
 public:
  // `bind_threads` (1 to 16) serve Lane::kBind; one thread serves each other lane. Allocates and
  // starts them.
  explicit ThreadExecutor(unsigned bind_threads) PANTRY_MAY_ALLOCATE;
  // Every lane must be drained and every spawned body on its way out; joins all threads.
  ~ThreadExecutor() override PANTRY_MAY_WAIT;

  Clock& clock() override;
  WorkLane& lane(Lane lane) override;
  void spawn(const char* name, ThreadBody& body) override PANTRY_MAY_ALLOCATE;
  void join_spawned() override PANTRY_MAY_WAIT;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pantry::driver
