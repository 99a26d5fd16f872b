// SPDX-License-Identifier: MIT
#include "tools/trace/recorder.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include "driver/kernel/thread_executor.h"
#include "uapi/machine/process_memory.h"
#include "uapi/machine/test_client.h"

namespace pantry::trace {
namespace {

using uapi::TestClient;

class RecorderTest : public testing::Test {
 protected:
  RecorderTest() {
    uapi::MachineConfig config;
    config.dram_bytes = 64 * kMiB;
    config.memory = uapi::MachineConfig::Memory::kArena;
    auto machine = uapi::Machine::create(executor_, config);
    EXPECT_TRUE(machine.has_value());
    machine_ = *std::move(machine);
    recorder_.emplace(machine_->features());
  }

  // As the server would tell of it.
  template <class T>
  int call(TestClient& client, std::uint32_t command, T args) {
    uapi::ProcessMemory memory(::getpid());
    const uapi::UserAddr at{reinterpret_cast<std::uint64_t>(&args)};
    recorder_->on_start(client.raw().session(), {command, at, uapi::BadFd{}}, memory);
    uapi::ServerObserver::Ioctl done;
    done.command = command;
    done.start = {now_ += 100};
    done.end = {now_ + 7};
    done.result = client.raw().call(command, args);
    recorder_->on_ioctl(done);
    return done.result;
  }
  int bind(TestClient& client, std::uint32_t vm, std::uint32_t flags,
           std::vector<drm_panthor_vm_bind_op> ops) {
    drm_panthor_vm_bind args{};
    args.vm_id = vm;
    args.flags = flags;
    args.ops = {sizeof ops[0], static_cast<std::uint32_t>(ops.size()),
                reinterpret_cast<std::uint64_t>(ops.data())};
    return call(client, DRM_IOCTL_PANTHOR_VM_BIND, args);
  }
  Trace recorded() {
    const auto trace = parse(recorder_->finish());
    EXPECT_TRUE(trace.has_value()) << trace.error().what;
    return trace.value_or(Trace{});
  }

  driver::ThreadExecutor executor_{1};
  std::unique_ptr<uapi::Machine> machine_;
  std::optional<Recorder> recorder_;
  std::int64_t now_ = 0;
};

TEST_F(RecorderTest, TellsWhatAClientAskedInOrder) {
  TestClient client(*machine_);
  const std::uint32_t vm = client.create_vm();
  const uapi::TestBuffer first = client.create_buffer(kPageSize);
  const uapi::TestBuffer second = client.create_buffer(64 * kKiB);
  const std::uint32_t done = client.create_syncobj();
  EXPECT_EQ(bind(client, vm, 0, {TestClient::map(second.handle, 0x10000, 0x10000)}), 0);
  EXPECT_EQ(bind(client, vm, 0, {TestClient::map(first.handle, 0x10001, 0x1000)}), -EINVAL);
  std::vector<drm_panthor_sync_op> signals = {TestClient::signals(done)};
  drm_panthor_vm_bind_op unmap = TestClient::unmap(0x10000, 0x10000);
  TestClient::sync_with(unmap, signals);
  EXPECT_EQ(bind(client, vm, DRM_PANTHOR_VM_BIND_ASYNC, {unmap}), 0);
  EXPECT_EQ(call(client, DRM_IOCTL_GEM_CLOSE, drm_gem_close{second.handle, 0}), 0);
  EXPECT_EQ(call(client, DRM_IOCTL_PANTHOR_VM_DESTROY, drm_panthor_vm_destroy{vm, 1}), -EINVAL);
  EXPECT_EQ(call(client, DRM_IOCTL_PANTHOR_VM_DESTROY, drm_panthor_vm_destroy{vm, 0}), 0);
  recorder_->on_release(client.raw().session());

  const auto extents = [](const uapi::TestBuffer& buffer) {
    return std::vector<PhysExtent>(buffer.memory->frames().begin(), buffer.memory->frames().end());
  };
  const Trace trace = recorded();
  ASSERT_EQ(trace.size(), 10u);
  ASSERT_TRUE(std::holds_alternative<NewVm>(trace[0]));
  EXPECT_GT(std::get<NewVm>(trace[0]).user_size, 0u);
  EXPECT_EQ(trace[1], Event(NewBuffer{0, 64 * kKiB, 0, std::nullopt, extents(second)}));
  EXPECT_EQ(trace[2], Event(Bind{0, 0, 0, 7, 0, {{0, 0, 0, 0x10000, 0x10000, {}}}}));
  EXPECT_EQ(trace[3], Event(NewBuffer{0, kPageSize, 0, std::nullopt, extents(first)}));
  EXPECT_EQ(trace[4], Event(Bind{0, 0, 100, 7, EINVAL, {{0, 1, 0, 0x10001, 0x1000, {}}}}));
  EXPECT_EQ(trace[5], Event(NewSyncobj{0}));
  EXPECT_EQ(trace[6], Event(Bind{0,
                                 DRM_PANTHOR_VM_BIND_ASYNC,
                                 100,
                                 7,
                                 0,
                                 {{DRM_PANTHOR_VM_BIND_OP_TYPE_UNMAP,
                                   std::nullopt,
                                   0,
                                   0x10000,
                                   0x10000,
                                   {{SyncOp::Kind::kSignal, 0, std::nullopt}}}}}));
  EXPECT_EQ(trace[7], Event(EndBuffer{0}));
  EXPECT_EQ(trace[8], Event(EndVm{0}));
  EXPECT_EQ(trace[9], Event(EndBuffer{1})) << "closed with the file";
}

TEST_F(RecorderTest, TellsOfHandlesThatAreUsedAgain) {
  TestClient client(*machine_);
  const std::uint32_t vm = client.create_vm();
  for (int round = 0; round < 2; ++round) {
    const uapi::TestBuffer buffer = client.create_buffer(kPageSize);
    EXPECT_EQ(buffer.handle, 1u);
    EXPECT_EQ(bind(client, vm, 0, {TestClient::map(buffer.handle, 0x1000, 0x1000)}), 0);
    EXPECT_EQ(call(client, DRM_IOCTL_GEM_CLOSE, drm_gem_close{buffer.handle, 0}), 0);
  }
  const Trace trace = recorded();
  ASSERT_EQ(trace.size(), 7u);
  EXPECT_EQ(std::get<Bind>(trace[2]).ops[0].buffer, 0u);
  EXPECT_EQ(std::get<Bind>(trace[5]).ops[0].buffer, 1u);
}

TEST_F(RecorderTest, KeepsClientsApartAndNotesAnExclusiveBuffer) {
  TestClient one(*machine_), other(*machine_);
  const std::uint32_t vm = one.create_vm();
  EXPECT_EQ(other.create_vm(), vm);
  EXPECT_EQ(bind(one, vm, 0, {TestClient::unmap(0x1000, 0x1000)}), 0);
  drm_panthor_bo_create args{};
  args.size = kPageSize;
  args.exclusive_vm_id = vm;
  EXPECT_EQ(other.raw().call(DRM_IOCTL_PANTHOR_BO_CREATE, args), 0);
  EXPECT_EQ(bind(other, vm, 0, {TestClient::map(args.handle, 0x1000, 0x1000)}), 0);
  const Trace trace = recorded();
  ASSERT_EQ(trace.size(), 5u);
  EXPECT_EQ(std::get<NewVm>(trace[2]).client, 1u);
  EXPECT_EQ(std::get<NewBuffer>(trace[3]).client, 1u);
  EXPECT_EQ(std::get<NewBuffer>(trace[3]).exclusive_vm, 1u);
  EXPECT_EQ(std::get<Bind>(trace[4]).vm, 1u);
}

TEST_F(RecorderTest, CountsWhatItCannotRead) {
  TestClient client(*machine_);
  const std::uint32_t vm = client.create_vm();
  drm_panthor_vm_bind args{};
  args.vm_id = vm;
  args.ops = {sizeof(drm_panthor_vm_bind_op), 1, 8};
  EXPECT_EQ(call(client, DRM_IOCTL_PANTHOR_VM_BIND, args), -EFAULT);
  EXPECT_EQ(recorder_->unreadable(), 1u);
  EXPECT_TRUE(recorded().empty());
}

}  // namespace
}  // namespace pantry::trace
