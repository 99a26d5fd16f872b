// SPDX-License-Identifier: MIT
//
// For tests only: a job that tells when it starts and finishes at once, or when a fence of the
// test's signals.
#pragma once

#include <utility>

#include "driver/sched/job_queue.h"

namespace pantry::driver {

template <class Function>
class TestJob final : public Job {
 public:
  TestJob(std::uint32_t credits, Function start)
      : Job("test-queue", credits), start_(std::move(start)) {}
  Started start() noexcept override { return start_(); }

 private:
  Function start_;
};

// `start` returns what became of it, a Job::Started.
template <class Function>
Ref<Job> test_job(std::uint32_t credits, Function start) {
  return make_ref<TestJob<Function>>(credits, std::move(start));
}

}  // namespace pantry::driver
