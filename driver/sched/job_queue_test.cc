// SPDX-License-Identifier: MIT
#include "driver/sched/job_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <span>
#include <vector>

#include "driver/kernel/each_executor.h"
#include "driver/sched/test_job.h"
#include "driver/sync/test_fence.h"

namespace pantry::driver {
namespace {

const Job::Started kDone{nullptr, 0};

// What every test needs: a queue with its clean-up.
struct Rig {
  Rig(Executor& executor, std::uint32_t credit_limit)
      : executor(executor),
        lane(executor.lane(Lane::kBind)),
        cleanup(executor.lane(Lane::kCleanup)),
        queue(executor, cleanup, Lane::kBind, credit_limit) {}
  ~Rig() {
    queue.drain();
    lane.drain();
    cleanup.drain();
  }
  TimePoint now() { return executor.clock().now(); }

  Executor& executor;
  WorkLane& lane;
  Cleanup cleanup;
  JobQueue queue;
};

TEST(Job, ItsFenceSaysWhoseItIs) {
  const Ref<Job> job = test_job(0, [] { return kDone; });
  EXPECT_STREQ(job->done()->driver_name(), "drm_sched");
  EXPECT_STREQ(job->done()->timeline_name(), "test-queue");
  EXPECT_FALSE(job->done()->signalled());
  EXPECT_TRUE(job->add_dependency(stub_fence()));
}

TEST(Job, ThatIsNeverPushedMayGoBeforeItsFence) {
  Ref<Job> job = test_job(0, [] { return kDone; });
  ASSERT_TRUE(job->add_dependency(make_ref<TestFence>()));
  const Ref<Fence> done = job->done();
  job = nullptr;
  EXPECT_FALSE(done->signalled());
}

TEST(JobQueue, RunsJobsInOrderInsideASection) {
  for_each_executor(2, [](Executor& executor) {
    Rig rig(executor, JobQueue::kUnlimited);
    std::vector<int> started;
    std::vector<Ref<Fence>> done;
    for (int i = 0; i < 40; ++i) {
      Ref<Job> job = test_job(0, [&, i]() -> Job::Started {
        EXPECT_TRUE(SignallingSection::active());
        started.push_back(i);  // room was reserved
        return {nullptr, i == 7 ? EINVAL : 0};
      });
      done.push_back(job->done());
      started.reserve(40);
      rig.queue.push(std::move(job));
    }
    EXPECT_TRUE(wait_for(*done.back(), TimePoint::never()));
    ASSERT_EQ(started.size(), 40u);
    for (int i = 0; i < 40; ++i) {
      EXPECT_EQ(started[static_cast<std::size_t>(i)], i);
      EXPECT_EQ(done[static_cast<std::size_t>(i)]->status(), i == 7 ? -EINVAL : 1);
    }
    EXPECT_TRUE(rig.queue.idle());
  });
}

TEST(JobQueue, AJobWaitsForItsDependenciesAndNotForTheirSuccess) {
  for_each_executor(1, [](Executor& executor) {
    Rig rig(executor, JobQueue::kUnlimited);
    const auto first = make_ref<TestFence>();
    const auto second = make_ref<TestFence>();
    bool ready = false;
    Ref<Job> job = test_job(0, [&] {
      EXPECT_TRUE(ready);
      return kDone;
    });
    ASSERT_TRUE(job->add_dependency(first));
    ASSERT_TRUE(job->add_dependency(second));
    ASSERT_TRUE(job->add_dependency(first));
    std::atomic<bool> behind_started{false};
    Ref<Job> behind = test_job(0, [&] {
      behind_started = true;
      return kDone;
    });
    const Ref<Fence> done = job->done();
    const Ref<Fence> behind_done = behind->done();
    rig.queue.push(std::move(job));
    rig.queue.push(std::move(behind));
    second->signal(rig.now(), EIO);
    executor.clock().sleep(microseconds(10));
    EXPECT_FALSE(done->signalled());
    EXPECT_FALSE(behind_started);
    EXPECT_FALSE(rig.queue.idle());
    ready = true;
    first->signal(rig.now(), 0);
    EXPECT_TRUE(wait_for(*behind_done, TimePoint::never()));
    EXPECT_EQ(done->status(), 1);
  });
}

// So both are in the ring at once. A job of another queue is waited for.
TEST(JobQueue, AJobDoesNotWaitForOneOfItsOwnQueue) {
  for_each_executor(1, [](Executor& executor) {
    Rig rig(executor, JobQueue::kUnlimited);
    Rig other(executor, JobQueue::kUnlimited);
    const auto hardware = make_ref<TestFence>();
    Ref<Job> first = test_job(0, [&]() -> Job::Started { return {hardware}; });
    Ref<Job> second = test_job(0, [] { return kDone; });
    Ref<Job> elsewhere = test_job(0, [] { return kDone; });
    ASSERT_TRUE(second->add_dependency(first->done()));
    ASSERT_TRUE(elsewhere->add_dependency(first->done()));
    const Ref<Fence> second_done = second->done();
    const Ref<Fence> elsewhere_done = elsewhere->done();
    rig.queue.push(std::move(first));
    rig.queue.push(std::move(second));
    other.queue.push(std::move(elsewhere));
    EXPECT_TRUE(wait_for(*second_done, TimePoint::never()));
    executor.clock().sleep(microseconds(10));
    EXPECT_FALSE(elsewhere_done->signalled());
    hardware->signal(rig.now(), 0);
    EXPECT_TRUE(wait_for(*elsewhere_done, TimePoint::never()));
  });
}

TEST(JobQueue, HardwareFinishesAJobWithItsError) {
  for_each_executor(1, [](Executor& executor) {
    Rig rig(executor, JobQueue::kUnlimited);
    const auto hardware = make_ref<TestFence>();
    const auto finished_before = make_ref<TestFence>();
    finished_before->signal(rig.now(), ETIMEDOUT);
    Ref<Job> job = test_job(1, [&]() -> Job::Started { return {hardware}; });
    Ref<Job> other = test_job(1, [&]() -> Job::Started { return {finished_before}; });
    const Ref<Fence> done = job->done();
    const Ref<Fence> other_done = other->done();
    rig.queue.push(std::move(job));
    rig.queue.push(std::move(other));
    EXPECT_TRUE(wait_for(*other_done, TimePoint::never()));
    EXPECT_EQ(other_done->status(), -ETIMEDOUT);
    EXPECT_FALSE(done->signalled());
    EXPECT_FALSE(rig.queue.idle());
    hardware->signal(TimePoint{5}, EIO);
    // On the thread that signalled the hardware's, without a detour.
    EXPECT_EQ(done->status(), -EIO);
    EXPECT_EQ(done->timestamp(), TimePoint{5});
    EXPECT_TRUE(rig.queue.idle());
  });
}

TEST(JobQueue, CreditsLimitWhatRunsAtOnce) {
  for_each_executor(1, [](Executor& executor) {
    Rig rig(executor, 10);
    std::vector<Ref<TestFence>> hardware;
    std::vector<Ref<Fence>> done;
    std::atomic<int> started{0};
    for (const std::uint32_t credits : {6u, 4u, 1u, 25u, 0u}) {
      hardware.push_back(make_ref<TestFence>());
      Ref<Job> job = test_job(credits, [&started, fence = hardware.back()]() -> Job::Started {
        ++started;
        return {fence};
      });
      done.push_back(job->done());
      rig.queue.push(std::move(job));
    }
    const auto settle = [&] { rig.lane.drain(); };
    settle();
    EXPECT_EQ(started, 2);
    hardware[1]->signal(rig.now(), 0);
    settle();
    EXPECT_EQ(started, 3);
    hardware[0]->signal(rig.now(), 0);
    settle();
    EXPECT_EQ(started, 3);  // the next one is larger than the limit, and waits until it is alone
    hardware[2]->signal(rig.now(), 0);
    settle();
    EXPECT_EQ(started, 4);  // even a job without credits does not fit beside it
    hardware[3]->signal(rig.now(), 0);
    settle();
    EXPECT_EQ(started, 5);
    hardware[4]->signal(rig.now(), 0);
    for (const Ref<Fence>& fence : done) EXPECT_TRUE(fence->signalled());
  });
}

TEST(JobQueue, KilledJobsFinishInOrderOnceTheirDependenciesHaveSignalled) {
  for_each_executor(1, [](Executor& executor) {
    Rig rig(executor, JobQueue::kUnlimited);
    const auto hardware = make_ref<TestFence>();
    const auto dependency = make_ref<TestFence>();
    Ref<Job> running = test_job(1, [&]() -> Job::Started { return {hardware}; });
    std::vector<Ref<Fence>> done{running->done()};
    rig.queue.push(std::move(running));
    rig.lane.drain();
    for (int i = 0; i < 3; ++i) {
      Ref<Job> job = test_job(1, [] {
        ADD_FAILURE() << "a killed job was started";
        return kDone;
      });
      if (i == 1) {
        ASSERT_TRUE(job->add_dependency(dependency));
      }
      done.push_back(job->done());
      if (i == 0) rig.queue.kill(Errno::kCanceled);
      rig.queue.push(std::move(job));
    }
    rig.queue.kill(Errno::kIo);  // too late
    rig.lane.drain();
    EXPECT_FALSE(done[1]->signalled());  // the one before it still runs
    hardware->signal(rig.now(), 0);
    rig.lane.drain();
    EXPECT_EQ(done[0]->status(), 1);
    EXPECT_EQ(done[1]->status(), -ECANCELED);
    EXPECT_FALSE(done[2]->signalled());
    EXPECT_FALSE(done[3]->signalled());
    dependency->signal(rig.now(), 0);
    EXPECT_TRUE(wait_for(*done[3], TimePoint::never()));
    EXPECT_EQ(done[2]->status(), -ECANCELED);
    EXPECT_EQ(done[3]->status(), -ECANCELED);
  });
}

TEST(JobQueue, NothingStartsWhileStopped) {
  for_each_executor(2, [](Executor& executor) {
    Rig rig(executor, JobQueue::kUnlimited);
    std::atomic<bool> stopped{false};
    std::atomic<int> ran{0};
    auto reset = test_thread([&] {
      for (int i = 0; i < 3; ++i) {
        rig.queue.stop();
        rig.queue.stop();
        stopped = true;
        executor.clock().sleep(microseconds(3));
        rig.queue.start();
        executor.clock().sleep(microseconds(3));
        stopped = false;
        rig.queue.start();
        executor.clock().sleep(microseconds(3));
      }
    });
    executor.spawn("reset", reset);
    Ref<Fence> last;
    for (int i = 0; i < 30; ++i) {
      Ref<Job> job = test_job(0, [&] {
        EXPECT_FALSE(stopped);
        executor.clock().sleep(nanoseconds(700));
        EXPECT_FALSE(stopped);
        ++ran;
        return kDone;
      });
      last = job->done();
      rig.queue.push(std::move(job));
    }
    executor.join_spawned();
    EXPECT_TRUE(wait_for(*last, TimePoint::never()));
    EXPECT_EQ(ran, 30);
  });
}

TEST(JobQueue, AResetMayStopItFromAWorkItem) {
  for_each_executor(1, [](Executor& executor) {
    Rig rig(executor, JobQueue::kUnlimited);
    struct Reset final : Work {
      void run() override {
        queue->stop();
        queue->start();
        ++runs;
      }
      JobQueue* queue = nullptr;
      int runs = 0;
    } reset;
    reset.queue = &rig.queue;
    for (int i = 0; i < 5; ++i) rig.queue.push(test_job(0, [] { return kDone; }));
    executor.lane(Lane::kScheduler).queue(reset);
    rig.queue.drain();
    executor.lane(Lane::kScheduler).drain();
    EXPECT_EQ(reset.runs, 1);
  });
}

// One queue's job depends on the other's and the other way round, and both lanes' threads push.
TEST(JobQueue, QueuesDependOnEachOther) {
  for_each_executor(2, [](Executor& executor) {
    Rig left(executor, 4);
    Rig right(executor, 4);
    constexpr int kJobs = 12;
    int value = 0;
    Ref<Fence> previous = stub_fence();
    for (int i = 0; i < kJobs; ++i) {
      Ref<Job> job = test_job(1, [&value, i] {
        EXPECT_EQ(value, i);
        ++value;
        return kDone;
      });
      ASSERT_TRUE(job->add_dependency(previous));
      previous = job->done();
      (i % 2 == 0 ? left : right).queue.push(std::move(job));
    }
    EXPECT_TRUE(wait_for(*previous, TimePoint::never()));
    EXPECT_EQ(value, kJobs);
  });
}

// The last job keeps the queue's owner alive, which goes on the clean-up lane as soon as the job
// does.
TEST(JobQueue, MayGoWithItsLastJob) {
  for_each_executor(1, [](Executor& executor) {
    Cleanup cleanup(executor.lane(Lane::kCleanup));
    class Owner final : public RefCounted {
     public:
      Owner(Executor& executor, Cleanup& cleanup, std::atomic<bool>& gone)
          : queue(executor, cleanup, Lane::kBind, 1), gone_(gone) {}
      JobQueue queue;

     private:
      ~Owner() override { gone_ = true; }
      std::atomic<bool>& gone_;
    };
    for (const bool on_hardware : {false, true}) {
      std::atomic<bool> gone{false};
      auto owner = make_ref<Owner>(executor, cleanup, gone);
      const auto hardware = make_ref<TestFence>();
      Ref<Job> job = test_job(1, [owner, hardware, on_hardware]() -> Job::Started {
        return {on_hardware ? Ref<Fence>(hardware) : nullptr};
      });
      const Ref<Fence> done = job->done();
      owner->queue.push(std::move(job));
      owner = nullptr;
      auto signaller = test_thread([&] { hardware->signal(executor.clock().now(), 0); });
      executor.spawn("signaller", signaller);
      EXPECT_TRUE(wait_for(*done, TimePoint::never()));
      executor.join_spawned();
      executor.lane(Lane::kBind).drain();
      cleanup.drain();
      EXPECT_TRUE(gone);
    }
  });
}

// Whoever has seen the last fence may destroy the queue, while the signaller is still on its way
// out.
TEST(JobQueue, MayGoOnceTheLastFenceHasSignalled) {
  for_each_executor(1, [](Executor& executor) {
    Cleanup cleanup(executor.lane(Lane::kCleanup));
    for (int round = 0; round < 10; ++round) {
      const auto hardware = make_ref<TestFence>();
      auto signaller = test_thread([&] { hardware->signal(executor.clock().now(), 0); });
      {
        JobQueue queue(executor, cleanup, Lane::kBind, 1);
        Ref<Job> job = test_job(1, [&]() -> Job::Started { return {hardware}; });
        const Ref<Fence> done = job->done();
        queue.push(std::move(job));
        executor.spawn("signaller", signaller);
        EXPECT_TRUE(wait_for(*done, TimePoint::never()));
      }
      executor.join_spawned();
    }
    cleanup.drain();
  });
}

TEST(JobQueue, GoingWithAnUnfinishedJobIsABug) {
  EXPECT_DEATH(
      {
        ThreadExecutor executor(1);
        Cleanup cleanup(executor.lane(Lane::kCleanup));
        const auto never = make_ref<TestFence>();
        JobQueue queue(executor, cleanup, Lane::kBind, 1);
        queue.push(test_job(1, [&]() -> Job::Started { return {never}; }));
      },
      "all_signalled");
}

// Each job finishes when the one before it has: a row of fences that signals in one go.
TEST(JobQueue, ARowOfJobsFinishesWithoutRecursion) {
  ThreadExecutor executor(1);
  Rig rig(executor, JobQueue::kUnlimited);
  constexpr int kJobs = 20'000;
  const auto first = make_ref<TestFence>();
  Ref<Fence> previous = first;
  for (int i = 0; i < kJobs; ++i) {
    Ref<Job> job = test_job(0, [previous]() -> Job::Started { return {previous}; });
    previous = job->done();
    rig.queue.push(std::move(job));
  }
  rig.lane.drain();
  EXPECT_FALSE(previous->signalled());
  first->signal(rig.now(), EIO);
  EXPECT_EQ(previous->status(), -EIO);
}

// Starts what it is given, and notes it.
class NotingStarter final : public BatchStarter {
 public:
  class BatchJob final : public Job {
   public:
    explicit BatchJob(int number) : Job("test-queue", 0), number(number) {}
    const int number;
  };
  // Nothing is allocated in start().
  NotingStarter() { batches.reserve(100); }
  void start(std::span<Job* const> jobs, std::span<int> errors) noexcept override {
    EXPECT_TRUE(SignallingSection::active());
    EXPECT_EQ(jobs.size(), errors.size());
    batches.push_back(jobs.size());
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      EXPECT_FALSE(jobs[i]->done()->signalled());
      const int number = static_cast<BatchJob*>(jobs[i])->number;
      EXPECT_EQ(number, next++);
      errors[i] = number == fails ? EINVAL : 0;
    }
  }
  std::vector<std::size_t> batches;
  int next = 0;
  int fails = -1;
};

struct BatchRig {
  explicit BatchRig(Executor& executor)
      : executor(executor),
        cleanup(executor.lane(Lane::kCleanup)),
        queue(executor, cleanup, Lane::kBind, starter) {}
  ~BatchRig() {
    queue.drain();
    executor.lane(Lane::kBind).drain();
    cleanup.drain();
  }
  Ref<Fence> push(Ref<Fence> dependency) {
    auto job = make_ref<NotingStarter::BatchJob>(pushed++);
    if (dependency) {
      EXPECT_TRUE(job->add_dependency(std::move(dependency)));
    }
    Ref<Fence> done = job->done();
    queue.push(std::move(job));
    return done;
  }

  Executor& executor;
  Cleanup cleanup;
  NotingStarter starter;
  JobQueue queue;
  int pushed = 0;
};

TEST(JobQueue, JobsThatAreReadyTogetherStartTogether) {
  for_each_executor(2, [](Executor& executor) {
    BatchRig rig(executor);
    rig.starter.fails = 1;
    const auto gate = make_ref<TestFence>();
    const auto later = make_ref<TestFence>();
    const Ref<Fence> first = rig.push(gate);
    const Ref<Fence> second = rig.push(first);  // its own queue's: not waited for
    const Ref<Fence> third = rig.push(nullptr);
    const Ref<Fence> waits = rig.push(later);
    const Ref<Fence> behind = rig.push(nullptr);
    gate->signal(executor.clock().now(), 0);
    EXPECT_TRUE(wait_for(*third, TimePoint::never()));
    EXPECT_EQ(first->status(), 1);
    EXPECT_EQ(second->status(), -EINVAL);
    EXPECT_EQ(rig.starter.batches, std::vector<std::size_t>{3});
    EXPECT_FALSE(waits->signalled());
    EXPECT_FALSE(behind->signalled());
    later->signal(executor.clock().now(), 0);
    EXPECT_TRUE(wait_for(*behind, TimePoint::never()));
    EXPECT_EQ(rig.starter.batches, (std::vector<std::size_t>{3, 2}));
  });
}

TEST(JobQueue, ABatchHasABound) {
  for_each_executor(2, [](Executor& executor) {
    BatchRig rig(executor);
    const auto gate = make_ref<TestFence>();
    rig.push(gate);
    for (std::size_t i = 0; i < 2 * BatchStarter::kMostJobs; ++i) rig.push(nullptr);
    gate->signal(executor.clock().now(), 0);
    rig.queue.drain();
    EXPECT_EQ(rig.starter.batches,
              (std::vector<std::size_t>{BatchStarter::kMostJobs, BatchStarter::kMostJobs, 1}));
  });
}

TEST(JobQueue, AStoppedOrKilledQueueStartsNoBatch) {
  for_each_executor(2, [](Executor& executor) {
    BatchRig rig(executor);
    rig.queue.stop();
    const Ref<Fence> first = rig.push(nullptr);
    const Ref<Fence> second = rig.push(nullptr);
    executor.clock().sleep(microseconds(50));
    EXPECT_FALSE(first->signalled());
    rig.queue.kill(Errno::kCanceled);
    rig.queue.start();
    EXPECT_TRUE(wait_for(*second, TimePoint::never()));
    EXPECT_EQ(first->status(), -ECANCELED);
    EXPECT_EQ(second->status(), -ECANCELED);
    EXPECT_TRUE(rig.starter.batches.empty());
  });
}

TEST(JobQueue, AFullQueueSharesItsLane) {
  for_each_seed(1, [](SimExecutor& executor) {
    Rig busy(executor, JobQueue::kUnlimited);
    Rig quiet(executor, JobQueue::kUnlimited);
    // One thread serves both, and nothing starts before all have been pushed.
    busy.queue.stop();
    std::atomic<int> before{0};
    std::optional<int> seen;
    for (int i = 0; i < 100; ++i) {
      busy.queue.push(test_job(0, [&] {
        ++before;
        return kDone;
      }));
    }
    auto late = test_job(0, [&] {
      seen = before.load();
      return kDone;
    });
    const Ref<Fence> done = late->done();
    busy.queue.start();
    quiet.queue.push(std::move(late));
    EXPECT_TRUE(wait_for(*done, TimePoint::never()));
    EXPECT_LE(*seen, 99);
    busy.queue.drain();
    EXPECT_EQ(before, 100);
  });
}

}  // namespace
}  // namespace pantry::driver
