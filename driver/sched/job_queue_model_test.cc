// SPDX-License-Identifier: MIT
//
// The queue against a naive one that starts over after every event: which jobs have started, which
// have finished and how.
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "driver/kernel/sim_executor.h"
#include "driver/sched/test_job.h"
#include "driver/sync/test_fence.h"

namespace pantry::driver {
namespace {

constexpr std::size_t kFences = 6;

struct Event {
  enum class Kind { kPush, kSignal, kFinish, kStop, kStart, kKill } kind;
  std::uint32_t number;
};

void showValue(const Event& event, std::ostream& os) {
  os << "(" << static_cast<int>(event.kind) << " " << event.number << ")";
}

struct ModelJob {
  std::vector<std::size_t> dependencies;
  std::uint32_t credits;
  std::optional<std::size_t> hardware;  // among `fences`; none: finishes at once
  int error;                            // of a job that finishes at once
  bool started = false;
  std::optional<int> status;  // as of a fence
};

struct Model {
  std::uint32_t credit_limit;
  std::vector<ModelJob> jobs;
  std::vector<std::optional<int>> fences;  // what each was signalled with
  std::uint32_t stops = 0;
  bool killed = false;

  bool signalled(std::size_t fence) const { return fences[fence].has_value(); }
  // One thing that can happen now, if there is one.
  bool step() {
    for (ModelJob& job : jobs) {
      if (job.started && !job.status && signalled(*job.hardware)) {
        job.status = fences[*job.hardware];
        return true;
      }
    }
    const auto head =
        std::ranges::find_if(jobs, [](const ModelJob& job) { return !job.started && !job.status; });
    if (head == jobs.end()) return false;
    if (!std::ranges::all_of(head->dependencies,
                             [&](std::size_t fence) { return signalled(fence); }))
      return false;
    std::uint64_t in_use = 0;
    bool running = false;
    for (const ModelJob& job : jobs) {
      if (!job.started || job.status) continue;
      running = true;
      in_use += job.credits;
    }
    if (killed) {
      if (running) return false;
      head->status = -ECANCELED;
      return true;
    }
    if (stops != 0 || (in_use != 0 && in_use + head->credits > credit_limit)) return false;
    head->started = true;
    if (!head->hardware) head->status = head->error != 0 ? -head->error : 1;
    return true;
  }
};

rc::Gen<std::vector<Event>> events() {
  const auto kind = rc::gen::weightedElement<Event::Kind>({{6, Event::Kind::kPush},
                                                           {4, Event::Kind::kSignal},
                                                           {6, Event::Kind::kFinish},
                                                           {2, Event::Kind::kStop},
                                                           {3, Event::Kind::kStart},
                                                           {1, Event::Kind::kKill}});
  return rc::gen::scale(
      0.5,
      rc::gen::container<std::vector<Event>>(rc::gen::construct<Event>(
          kind, rc::gen::resize(rc::kNominalSize, rc::gen::inRange<std::uint32_t>(0, 1u << 20)))));
}

RC_GTEST_PROP(JobQueueModel, DoesWhatTheNaiveQueueDoes, ()) {
  SimExecutor executor(*rc::gen::inRange<std::uint64_t>(0, 1'000'000), 2);
  WorkLane& lane = executor.lane(Lane::kBind);
  Cleanup cleanup(executor.lane(Lane::kCleanup));
  Model model{*rc::gen::element<std::uint32_t>(1, 4, 10, JobQueue::kUnlimited), {}, {}, 0, false};
  // The first kFences are dependencies, the others hardware.
  std::vector<Ref<Fence>> fences;
  std::deque<std::atomic<bool>> started;  // grows while jobs of it run
  std::vector<Ref<Fence>> done;
  for (std::size_t i = 0; i < kFences; ++i) fences.push_back(make_ref<TestFence>());
  model.fences.resize(kFences);
  const auto signal = [&](std::size_t fence, int error) {
    if (model.signalled(fence)) return;
    model.fences[fence] = error != 0 ? -error : 1;
    fences[fence]->signal(executor.clock().now(), error);
  };
  // The queue is emptied before a difference fails the test.
  std::string difference;
  const std::vector<Event> script = *events();
  {
    JobQueue queue(executor, cleanup, Lane::kBind, model.credit_limit);
    const auto push = [&](std::uint32_t number) {
      ModelJob plan{{},    number % 5,  std::nullopt, number % 7 == 0 ? EINVAL : 0,
                    false, std::nullopt};
      for (std::size_t i = 0; i < number / 8 % 3; ++i)
        plan.dependencies.push_back((number / 32 + i * 5) % kFences);
      Ref<Fence> hardware;
      if (number / 1024 % 3 != 0) {
        plan.hardware = fences.size();
        hardware = make_ref<TestFence>();
        fences.push_back(hardware);
        model.fences.emplace_back();
      }
      std::atomic<bool>& has_started = started.emplace_back(false);
      const int error = hardware ? 0 : plan.error;
      Ref<Job> job = test_job(plan.credits, [&has_started, hardware, error]() -> Job::Started {
        has_started = true;
        return {hardware, error};
      });
      for (const std::size_t fence : plan.dependencies)
        if (!job->add_dependency(fences[fence])) difference = "no memory for a dependency";
      done.push_back(job->done());
      model.jobs.push_back(std::move(plan));
      queue.push(std::move(job));
    };
    const auto check = [&] {
      while (model.step()) {
      }
      lane.drain();
      bool idle = true;
      for (std::size_t i = 0; i < model.jobs.size() && difference.empty(); ++i) {
        const int status = model.jobs[i].status.value_or(0);
        if (started[i] != model.jobs[i].started)
          difference = fmt::format("job {}: started {}", i, started[i].load());
        if (done[i]->status() != status)
          difference = fmt::format("job {}: status {}, should be {}", i, done[i]->status(), status);
        idle = idle && model.jobs[i].status;
      }
      if (difference.empty() && queue.idle() != idle) difference = fmt::format("idle is {}", !idle);
    };
    for (const Event& event : script) {
      if (!difference.empty()) break;
      // What these two stop must not be under way.
      if (event.kind == Event::Kind::kStop || event.kind == Event::Kind::kKill) check();
      switch (event.kind) {
        case Event::Kind::kPush:
          push(event.number);
          break;
        case Event::Kind::kSignal:
          signal(event.number % kFences, event.number % 3 == 0 ? EIO : 0);
          break;
        case Event::Kind::kFinish:
          if (fences.size() > kFences)
            signal(kFences + event.number % (fences.size() - kFences),
                   event.number % 5 == 0 ? ETIMEDOUT : 0);
          break;
        case Event::Kind::kStop:
          queue.stop();
          ++model.stops;
          break;
        case Event::Kind::kStart:
          if (model.stops == 0) break;
          --model.stops;
          queue.start();
          break;
        case Event::Kind::kKill:
          if (event.number % 3 == 0) break;
          queue.kill(Errno::kCanceled);
          model.killed = true;
      }
      // The others also come in while the queue is at work.
      if (event.number % 4 != 0) check();
    }
    for (; model.stops != 0; --model.stops) queue.start();
    for (std::size_t i = 0; i < fences.size(); ++i) signal(i, 0);
    check();
    RC_TAG(model.killed ? "killed" : "alive");
    queue.drain();
  }
  cleanup.drain();
  if (!difference.empty()) RC_FAIL(difference);
}

}  // namespace
}  // namespace pantry::driver
