// SPDX-License-Identifier: MIT
//
// Calls as large as a client likes: those who are served after it wait no longer than its own
// memory is worth.
#include <drm/panthor_drm.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <memory>
#include <optional>
#include <vector>

#include "driver/kernel/thread_executor.h"
#include "uapi/machine/test_client.h"

namespace pantry::uapi {
namespace {

class LargeCall : public testing::Test {
 protected:
  LargeCall() {
    MachineConfig config;
    config.dram_bytes = 32 * kMiB;
    config.memory = MachineConfig::Memory::kArena;
    machine_ = *Machine::create(executor_, config);
    client_.emplace(*machine_);
  }
  ~LargeCall() override { client_.reset(); }

  // An asynchronous bind that does nothing but signal and wait; `points`: how many points it
  // signals, each of them as often as needed. In this thread's own time, which nobody else on the
  // machine makes longer.
  std::chrono::nanoseconds time_of_bind(std::uint32_t vm, std::uint32_t points) {
    constexpr std::uint32_t kSignals = 40'000;
    const std::uint32_t timeline = client_->create_syncobj();
    const std::uint32_t past = client_->create_syncobj();
    EXPECT_EQ(client_->signal(past), 0);
    std::vector<drm_panthor_sync_op> syncs;
    for (std::uint32_t i = 0; i < kSignals; ++i)
      syncs.push_back(
          {DRM_PANTHOR_SYNC_OP_HANDLE_TYPE_TIMELINE_SYNCOBJ | 1u << 31, timeline, 1 + i % points});
    syncs.insert(syncs.end(), kSignals, TestClient::waits(past));
    drm_panthor_vm_bind_op op{};
    op.flags = static_cast<std::uint32_t>(DRM_PANTHOR_VM_BIND_OP_TYPE_SYNC_ONLY);
    TestClient::sync_with(op, syncs);
    const auto start = own_time();
    EXPECT_EQ(client_->bind(vm, DRM_PANTHOR_VM_BIND_ASYNC, {op}), 0);
    return own_time() - start;
  }

  static std::chrono::nanoseconds own_time() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
  }

  driver::ThreadExecutor executor_{1};
  std::unique_ptr<Machine> machine_;
  std::optional<TestClient> client_;
};

TEST_F(LargeCall, SyncOpsAreLookedUpNotSearchedFor) {
  const std::uint32_t vm = client_->create_vm();
  auto few = std::chrono::nanoseconds::max();
  auto many = few;
  for (int i = 0; i < 3; ++i) {
    few = std::min(few, time_of_bind(vm, 1));
    many = std::min(many, time_of_bind(vm, 40'000));
  }
  // Eight times as long, as each point costs a fence; if each op looked at all points, hundreds of
  // times as long.
  EXPECT_LT(many, 50 * few);
}

// [A1.6] A few pages stand for gigabytes of sync-ops.
TEST_F(LargeCall, ArraysOfABatchAreBoundedTogether) {
  constexpr std::size_t kBytes = 16 << 20;
  void* const zeroes =
      ::mmap(nullptr, kBytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ASSERT_NE(zeroes, MAP_FAILED);
  const std::uint32_t vm = client_->create_vm();
  drm_panthor_vm_bind_op op{};
  op.flags = static_cast<std::uint32_t>(DRM_PANTHOR_VM_BIND_OP_TYPE_SYNC_ONLY);
  op.syncs = {sizeof(drm_panthor_sync_op), kBytes / sizeof(drm_panthor_sync_op),
              reinterpret_cast<std::uint64_t>(zeroes)};
  // Read, and then they wait on syncobj 0.
  EXPECT_EQ(client_->bind(vm, DRM_PANTHOR_VM_BIND_ASYNC, std::vector(3, op)), -ENOENT);
  EXPECT_EQ(client_->bind(vm, DRM_PANTHOR_VM_BIND_ASYNC, std::vector(5, op)), -ENOMEM);
  const std::uint32_t group = client_->create_group(vm, 1);
  const auto submit = [&](std::uint32_t count) {
    drm_panthor_queue_submit job{};
    job.syncs = op.syncs;
    const std::vector<drm_panthor_queue_submit> jobs(count, job);
    drm_panthor_group_submit args{};
    args.group_handle = group;
    args.queue_submits = {sizeof job, count, reinterpret_cast<std::uint64_t>(jobs.data())};
    return client_->raw().call(DRM_IOCTL_PANTHOR_GROUP_SUBMIT, args);
  };
  EXPECT_EQ(submit(3), -ENOENT);
  EXPECT_EQ(submit(5), -ENOMEM);
  ::munmap(zeroes, kBytes);
}

// As in Linux, where kmalloc gives 4 MiB: for the handles, which are read then, and afterwards for
// the syncobjs.
TEST_F(LargeCall, MostSyncobjsOfOneCall) {
  constexpr std::uint32_t kMostRead = (4 << 20) / sizeof(std::uint32_t);
  constexpr std::uint32_t kMostFound = (4 << 20) / sizeof(void*);
  const std::vector<std::uint32_t> unknown(kMostRead);
  for (const unsigned long command : {DRM_IOCTL_SYNCOBJ_RESET, DRM_IOCTL_SYNCOBJ_SIGNAL}) {
    const auto call = [&](const void* handles, std::uint32_t count) {
      drm_syncobj_array args{reinterpret_cast<std::uint64_t>(handles), count, 0};
      return client_->raw().call(static_cast<std::uint32_t>(command), args);
    };
    EXPECT_EQ(call(nullptr, kMostRead + 1), -ENOMEM);
    EXPECT_EQ(call(nullptr, kMostRead), -EFAULT);
    EXPECT_EQ(call(unknown.data(), kMostRead), -ENOMEM);
    EXPECT_EQ(call(unknown.data(), kMostFound + 1), -ENOMEM);
    EXPECT_EQ(call(unknown.data(), kMostFound), -ENOENT);
  }
}

}  // namespace
}  // namespace pantry::uapi
