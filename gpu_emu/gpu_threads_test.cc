// SPDX-License-Identifier: MIT
//
// The device's lock: a thread that runs it, others that access it.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "gpu_emu/gpu_host.h"

namespace pantry::emu {
namespace {

using datasheet::csg::State;
namespace regs = datasheet::gpu_control;

const Program kForEver = program(isa::Branch{.offset = -1});

// Runs the device as a host does, but never sleeps, and with a budget that would last for minutes.
class Runner {
 public:
  explicit Runner(Gpu& gpu)
      : gpu_(gpu), thread_([this] {
          while (!stop_) {
            gpu_.run(1u << 30);
            ++slices_;
          }
          stopped_ = true;
        }) {}
  ~Runner() {
    stop_ = true;
    while (!stopped_) gpu_.read32(0);  // gets it out of its run
    thread_.join();
  }
  std::uint64_t slices() const { return slices_; }

 private:
  Gpu& gpu_;
  std::atomic<bool> stop_ = false;
  std::atomic<bool> stopped_ = false;
  std::atomic<std::uint64_t> slices_ = 0;
  std::thread thread_;  // last: it uses the others
};

class GpuThreads : public testing::Test {
 protected:
  void SetUp() override {
    rig.bring_up();
    ASSERT_TRUE(rig.enable_as(1, rig.user_root));
    ASSERT_TRUE(rig.start(0, rig.group(1, 1), State::kStart));
    rig.submit_job(0, 0, kForEver);
  }
  GpuHost rig{StreamPolicy::kAll};
};

// Each access must get in, and the device must get on between them.
TEST_F(GpuThreads, AccessesGetInBetweenInstructions) {
  const Runner runner(rig.gpu);
  const auto instructions = [&] { return rig.gpu.dump().firmware.instructions; };
  for (const std::uint64_t end = instructions() + 10'000; instructions() < end;) {
    for (int i = 0; i < 100; ++i) ASSERT_EQ(rig.read(regs::kGpuId.offset), 0xa867'0005u);
  }
}

TEST_F(GpuThreads, AnEndlessStreamCanBeTerminated) {
  const Runner runner(rig.gpu);
  rig.host.request_state(0, State::kTerminate);
  rig.host.ring_groups(1);
  while (!rig.host.is_acknowledged(0)) std::this_thread::yield();
  while (rig.gpu.dump().firmware.groups[0].running) std::this_thread::yield();
}

TEST_F(GpuThreads, ManyAccessorsAndAPollingDriverStarveNobody) {
  const Runner runner(rig.gpu);
  std::vector<std::thread> drivers;
  std::atomic<bool> stop = false;
  for (int n = 0; n < 3; ++n) {
    drivers.emplace_back([&] {
      while (!stop) rig.read(regs::kMcuStatus.offset);
    });
  }
  const std::uint64_t slices = runner.slices();
  while (runner.slices() < slices + 50) std::this_thread::yield();
  stop = true;
  for (std::thread& driver : drivers) driver.join();
}

// Jobs from one thread, fences seen by it in memory after the interrupt: what a device publishes
// before it raises an interrupt is seen after a register read.
TEST(GpuPublishes, StoresBeforeTheInterrupt) {
  GpuHost rig{StreamPolicy::kAll};
  rig.bring_up();
  ASSERT_TRUE(rig.enable_as(1, rig.user_root));
  ASSERT_TRUE(rig.start(0, rig.group(1, 1), State::kStart));
  rig.take_job_interrupts();
  const Runner runner(rig.gpu);
  for (std::uint32_t job = 1; job <= 100; ++job) {
    rig.submit_job(0, 0,
                   program(isa::Move48{.dst = isa::d(68), .imm = GpuHost::kData.value},
                           isa::Move32{.dst = isa::r(70), .imm = job},
                           isa::StoreMultiple{.base = isa::r(70), .address = isa::d(68), .mask = 1},
                           isa::Wait{.mask = isa::kAllScoreboards}));
    while ((rig.take_job_interrupts() & 1) == 0) std::this_thread::yield();
    ASSERT_EQ(rig.seqno(0), job);
    ASSERT_EQ(rig.user32(GpuHost::kData), job);
    rig.host.answer_events(0);
  }
}

}  // namespace
}  // namespace pantry::emu
