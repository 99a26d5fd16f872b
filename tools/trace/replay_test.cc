// SPDX-License-Identifier: MIT
#include "tools/trace/replay.h"

#include <drm/panthor_drm.h>
#include <gmock/gmock.h>

#include "driver/kernel/thread_executor.h"

namespace pantry::trace {
namespace {

using testing::Contains;
using testing::Gt;
using testing::HasSubstr;
using testing::Not;

constexpr std::uint64_t kUserSize = 4 * kGiB;

class ReplayTest : public testing::Test {
 protected:
  explicit ReplayTest(driver::Provisioning provisioning = uapi::MachineConfig{}.provisioning) {
    uapi::MachineConfig config;
    config.dram_bytes = 64 * kMiB;
    config.provisioning = provisioning;
    config.bind_times = driver::BindTimes::kOn;
    auto machine = uapi::Machine::create(executor_, config);
    EXPECT_TRUE(machine.has_value());
    machine_ = *std::move(machine);
  }
  Replayed replayed(const Trace& trace, Slots slots = Slots::kOwned) {
    const uapi::Machine::Baseline before = machine_->baseline();
    Result<Replayed> result = replay(*machine_, trace, slots);
    EXPECT_TRUE(result.has_value());
    EXPECT_EQ(machine_->baseline(), before) << "something is left";
    return result.value_or(Replayed{});
  }

  driver::ThreadExecutor executor_{1};
  std::unique_ptr<uapi::Machine> machine_;
};

Op map_op(std::uint64_t va, std::uint64_t size) { return {0, 0, 0, va, size, {}}; }
Op unmap_op(std::uint64_t va, std::uint64_t size) {
  return {DRM_PANTHOR_VM_BIND_OP_TYPE_UNMAP, std::nullopt, 0, va, size, {}};
}
Bind sync(Op op) { return {0, 0, 0, 0, 0, {std::move(op)}}; }
Bind async(Op op) { return {0, DRM_PANTHOR_VM_BIND_ASYNC, 0, 0, 0, {std::move(op)}}; }

TEST_F(ReplayTest, CountsPagesFlushesAndCalls) {
  const Trace trace = {NewVm{0, kUserSize},
                       NewBuffer{0, 64 * kKiB, 0, std::nullopt, {}},
                       sync(map_op(0x10000, 0x10000)),
                       sync(map_op(0x20000, 0x10000)),
                       sync(unmap_op(0x10000, 0x10000)),
                       async(unmap_op(0x20000, 0x10000)),
                       EndBuffer{0},
                       EndVm{0}};
  const Replayed r = replayed(trace);
  EXPECT_EQ(r.synchronous.size(), 3u);
  EXPECT_EQ(r.asynchronous.size(), 1u);
  EXPECT_EQ(r.binds, 4u);
  EXPECT_EQ(r.pages.pages_used, 3u) << "one table of each level below the root";
  EXPECT_GE(r.pages.pages_reserved, 3u);
  EXPECT_EQ(r.prepare.size(), 4u);
  EXPECT_EQ(r.run.size(), 4u);
  EXPECT_THAT(r.run, Contains(Gt(Duration{}))) << "the machine tells times";
  EXPECT_GE(r.peak_tables, 4u);
  EXPECT_EQ(r.flushes, 5u) << "one for each bind, and that of VM_DESTROY";
  EXPECT_EQ(r.other_results, 0u);
  EXPECT_EQ(r.other_frames, 1u) << "the trace says that it has none";
  EXPECT_EQ(replayed(trace, Slots::kNone).flushes, 0u);
}

class ReplayWithEach : public ReplayTest,
                       public testing::WithParamInterface<driver::ProvisioningName> {
 protected:
  ReplayWithEach() : ReplayTest(GetParam().provisioning) {}
};
INSTANTIATE_TEST_SUITE_P(Provisioner, ReplayWithEach, testing::ValuesIn(driver::kProvisioningNames),
                         [](const auto& param) {
                           std::string name(param.param.name);
                           std::erase(name, '-');
                           return name;
                         });

// VM_DESTROY comes before the binds that are queued, takes their tables away, and with that has
// them laid in again: those pages are used too.
TEST_P(ReplayWithEach, CountsEveryPageThatIsUsedOnceAsReserved) {
  Trace trace = {NewVm{0, kUserSize}, NewBuffer{0, 64 * kKiB, 0, std::nullopt, {}}};
  for (std::uint64_t i = 0; i < 2'000; ++i) {
    const std::uint64_t va = (i * 7919 % 1'000) * 2 * kMiB;
    Bind bind = async(map_op(va, 0x10000));
    if (i >= 500)
      bind.ops.insert(bind.ops.begin(), unmap_op(((i - 500) * 7919 % 1'000) * 2 * kMiB, 0x10000));
    trace.push_back(bind);
  }
  trace.push_back(EndVm{0});
  const Replayed r = replayed(trace, Slots::kNone);
  EXPECT_EQ(r.other_results, 0u);
  EXPECT_EQ(r.binds, 3'500u);
  EXPECT_GT(r.pages.pages_used, 500u);
  EXPECT_EQ(r.pages.pages_reserved, r.pages.pages_used + r.pages.pages_returned);
}

TEST_F(ReplayTest, DoesNotWaitForWhatNobodySignals) {
  Op unmap = unmap_op(0x10000, 0x10000);
  unmap.syncs = {{SyncOp::Kind::kWait, 0, std::nullopt}, {SyncOp::Kind::kSignal, 0, 4}};
  Op next = unmap_op(0x10000, 0x10000);
  next.syncs = {{SyncOp::Kind::kWait, 0, 4}, {SyncOp::Kind::kWait, 0, 5}};
  const Replayed r = replayed({NewVm{0, kUserSize}, NewSyncobj{0}, async(unmap), async(next)});
  EXPECT_EQ(r.binds, 2u);
  EXPECT_EQ(r.foreign_waits, 2u);
  EXPECT_EQ(r.other_results, 0u);
}

TEST_F(ReplayTest, NoticesAnotherResult) {
  Bind refused = sync(map_op(0x10001, 0x1000));
  refused.error = EINVAL;
  Bind accepted = sync(unmap_op(0x10000, 0x1000));
  accepted.error = ENOMEM;
  const Replayed r = replayed(
      {NewVm{0, kUserSize}, NewBuffer{0, 0x10000, 0, std::nullopt, {}}, refused, accepted});
  EXPECT_EQ(r.other_results, 1u);
}

TEST_F(ReplayTest, MoreMemoryThanThereIsIsAnError) {
  const Result<Replayed> r = replay(
      *machine_, {NewVm{0, kUserSize}, NewBuffer{0, kGiB, 0, std::nullopt, {}}}, Slots::kOwned);
  ASSERT_FALSE(r.has_value());
  EXPECT_EQ(r.error(), Errno::kNoMem);
}

TEST_F(ReplayTest, HasSlotsForSomeOfManyVms) {
  Trace trace;
  for (std::uint32_t i = 0; i < 40; ++i) {
    trace.push_back(NewVm{i / 20, kUserSize});
    trace.push_back(Bind{i, 0, 0, 0, 0, {unmap_op(0x1000, 0x1000)}});
  }
  const Replayed r = replayed(trace);
  EXPECT_EQ(r.other_results, 0u);
  EXPECT_GT(r.flushes, 0u);
  EXPECT_LT(r.flushes, 40u);
}

TEST(ReplayText, JsonHasTheSameFigures) {
  Replayed r;
  for (int i = 1; i <= 200; ++i) r.run.push_back(nanoseconds(1000 * i));
  r.pages.pages_reserved = 30;
  r.peak_pending = 7;
  const std::string text = json_of(r);
  EXPECT_THAT(
      text,
      HasSubstr(
          R"("run": {"count": 200, "mean": 100.5000, "p50": 100.000, "p99": 198.000, "max": 200.000})"));
  EXPECT_THAT(text, HasSubstr(R"("prepare": {"count": 0, "mean": 0.0000)"));
  EXPECT_THAT(text, HasSubstr(R"("pages_reserved": 30,)"));
  EXPECT_THAT(text, HasSubstr(R"("peak_pending": 7,)"));
}

TEST(ReplayText, TellsQuantiles) {
  Replayed r;
  for (int i = 1; i <= 200; ++i) r.synchronous.push_back(microseconds(201 - i));
  r.binds = 200;
  r.pages.pages_reserved = 30;
  r.pages.pages_used = 20;
  const std::string text = text_of(r);
  EXPECT_THAT(text, HasSubstr("synchronous         200    100.00    198.00    200.00\n"));
  EXPECT_THAT(text, HasSubstr("asynchronous          0\n"));
  EXPECT_THAT(text, HasSubstr("reserved 30, used 20 (reserved / used 1.500)"));
  EXPECT_THAT(text, Not(HasSubstr("left out")));
}

}  // namespace
}  // namespace pantry::trace
