// SPDX-License-Identifier: MIT
//
// Quotas as a client meets them: the errno of the one that is full, nothing changed by what was
// refused, room again once something is given back, and no effect on others.
#include <drm/panthor_drm.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "driver/kernel/each_executor.h"
#include "driver/sync/test_fence.h"
#include "uapi/drm_abi.h"
#include "uapi/machine/test_client.h"

namespace pantry::uapi {
namespace {

using driver::Resource;

struct QuotaTest {
  explicit QuotaTest(driver::Executor& on) : executor(on) {}
  Machine& machine_with(Resource resource, std::uint64_t most) {
    MachineConfig config;
    config.dram_bytes = 32 * kMiB;
    config.memory = MachineConfig::Memory::kArena;
    config.limits[resource] = most;
    auto made = Machine::create(executor, config);
    EXPECT_TRUE(made.has_value());
    machine = *std::move(made);
    return *machine;
  }
  driver::Executor& executor;
  std::unique_ptr<Machine> machine;
};

int create_buffer(TestClient& client, std::uint64_t size, std::uint32_t& handle) {
  drm_panthor_bo_create args{};
  args.size = size;
  const int result = client.raw().call(DRM_IOCTL_PANTHOR_BO_CREATE, args);
  handle = args.handle;
  return result;
}

// A fence that is pending until the test says so, in a syncobj of the client's.
struct PendingSyncobj {
  explicit PendingSyncobj(TestClient& client)
      : handle(client.create_syncobj()), fence(make_ref<driver::TestFence>(0, 1)) {
    client.raw().session().file().syncobj(handle)->replace(fence);
  }
  ~PendingSyncobj() { fence->signal({}, 0); }
  const std::uint32_t handle;
  const Ref<driver::TestFence> fence;
};

int transfer_to_point(TestClient& client, std::uint32_t from, std::uint32_t to,
                      std::uint64_t point) {
  drm_syncobj_transfer args{};
  args.src_handle = from;
  args.dst_handle = to;
  args.dst_point = point;
  return client.raw().call(DRM_IOCTL_SYNCOBJ_TRANSFER, args);
}

TEST_EACH_EXECUTOR(QuotaTest, Memory) {
  Machine& limited = machine_with(Resource::kMemory, 8 * kPageSize);
  TestClient client(limited), other(limited);
  const Machine::Baseline before = limited.baseline();
  std::uint32_t handle = 0, second = 0;
  EXPECT_EQ(create_buffer(client, 8 * kPageSize + 1, handle), -ENOMEM);
  EXPECT_EQ(limited.baseline(), before);
  EXPECT_EQ(create_buffer(client, 4 * kPageSize, handle), 0);
  EXPECT_EQ(create_buffer(client, 4 * kPageSize, second), 0);
  std::uint32_t refused = 0;
  EXPECT_EQ(create_buffer(client, 1, refused), -ENOMEM);
  EXPECT_EQ(create_buffer(other, 8 * kPageSize, refused), 0) << "another's quota is full";
  EXPECT_EQ(client.close_buffer(second), 0);
  // What is too large for any machine keeps the errno that it has without a quota.
  EXPECT_EQ(create_buffer(client, UINT64_MAX, second), -ENOSPC);
  EXPECT_EQ(create_buffer(client, std::uint64_t{1} << 63, second), -EINVAL);
  // A mapping keeps the memory: closing the handle alone gives nothing back. The four tables that
  // it takes are memory as well.
  const std::uint32_t vm = client.create_vm();
  EXPECT_EQ(client.bind(vm, TestClient::map(handle, kMiB, kPageSize)), 0);
  EXPECT_EQ(client.close_buffer(handle), 0);
  EXPECT_EQ(create_buffer(client, 1, second), -ENOMEM);
  EXPECT_EQ(client.bind(vm, TestClient::unmap(kMiB, kPageSize)), 0);
  EXPECT_EQ(create_buffer(client, 1, second), 0);
}

TEST_EACH_EXECUTOR(QuotaTest, Handles) {
  Machine& limited = machine_with(Resource::kHandles, 2);
  TestClient client(limited);
  std::uint32_t first = 0, second = 0, third = 0;
  EXPECT_EQ(create_buffer(client, kPageSize, first), 0);
  EXPECT_EQ(create_buffer(client, kPageSize, second), 0);
  const Machine::Baseline before = limited.baseline();
  EXPECT_EQ(create_buffer(client, kPageSize, third), -ENOSPC);
  EXPECT_EQ(limited.baseline(), before) << "the buffer that got no handle is still there";
  EXPECT_EQ(client.close_buffer(second), 0);
  EXPECT_EQ(create_buffer(client, kPageSize, third), 0);
}

TEST_EACH_EXECUTOR(QuotaTest, Syncobjs) {
  TestClient client(machine_with(Resource::kSyncobjs, 1));
  const std::uint32_t first = client.create_syncobj();
  drm_syncobj_create args{};
  EXPECT_EQ(client.raw().call(DRM_IOCTL_SYNCOBJ_CREATE, args), -ENOSPC);
  drm_syncobj_destroy gone{first, 0};
  EXPECT_EQ(client.raw().call(DRM_IOCTL_SYNCOBJ_DESTROY, gone), 0);
  EXPECT_EQ(client.raw().call(DRM_IOCTL_SYNCOBJ_CREATE, args), 0);
}

TEST_EACH_EXECUTOR(QuotaTest, VmsOfAllFilesOfAClient) {
  Machine& limited = machine_with(Resource::kVms, 2);
  const Ref<driver::Account> account = limited.new_account(7);
  const auto one = limited.open(driver::NodeType::kRender, {}, account);
  auto two = limited.open(driver::NodeType::kRender, {}, account);
  const auto add = [&](Session& session) {
    return session.file().add_vm(driver::Vm::create(limited.device().vm_device(), 0).value());
  };
  EXPECT_TRUE(add(*one).has_value());
  EXPECT_TRUE(add(*two).has_value());
  EXPECT_EQ(add(*one).error(), Errno::kBusy);
  EXPECT_EQ(add(*two).error(), Errno::kBusy);
  two.reset();
  EXPECT_TRUE(add(*one).has_value());
}

TEST_EACH_EXECUTOR(QuotaTest, Groups) {
  Machine& limited = machine_with(Resource::kGroups, 1);
  TestClient client(limited);
  const std::uint32_t vm = client.create_vm();
  const std::uint32_t first = client.create_group(vm, 1);
  const std::uint32_t groups = limited.baseline().groups;
  drm_panthor_queue_create queue{0, {}, 4096};
  drm_panthor_group_create args{};
  args.queues = {sizeof queue, 1, reinterpret_cast<std::uint64_t>(&queue)};
  args.vm_id = vm;
  EXPECT_EQ(client.raw().call(DRM_IOCTL_PANTHOR_GROUP_CREATE, args), -EBUSY);
  EXPECT_EQ(limited.baseline().groups, groups);
  EXPECT_EQ(client.destroy_group(first), 0);
  EXPECT_EQ(client.raw().call(DRM_IOCTL_PANTHOR_GROUP_CREATE, args), 0);
}

// Points that have signalled are out of the chain and cost nothing.
TEST_EACH_EXECUTOR(QuotaTest, PendingPoints) {
  TestClient client(machine_with(Resource::kFences, 4));
  const PendingSyncobj pending(client);
  const std::uint32_t timeline = client.create_syncobj();
  for (std::uint64_t point = 1; point <= 4; ++point)
    EXPECT_EQ(transfer_to_point(client, pending.handle, timeline, point), 0);
  EXPECT_EQ(transfer_to_point(client, pending.handle, timeline, 5), -ENOMEM);
  std::uint64_t value = 0;
  drm_syncobj_timeline_array query{};
  query.handles = reinterpret_cast<std::uint64_t>(&timeline);
  query.points = reinterpret_cast<std::uint64_t>(&value);
  query.count_handles = 1;
  query.flags = DRM_SYNCOBJ_QUERY_FLAGS_LAST_SUBMITTED;
  EXPECT_EQ(client.raw().call(DRM_IOCTL_SYNCOBJ_QUERY, query), 0);
  EXPECT_EQ(value, 4u) << "the refused point is there";
}

// 0 or a negated errno.
int register_event(TestClient& client, std::uint32_t syncobj) {
  const driver::OwnedFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  DrmSyncobjEventfd args{};
  args.handle = syncobj;
  args.fd = event.get();
  return client.raw().ioctl(DRM_IOWR(0xCF, DrmSyncobjEventfd), &args);
}

TEST_EACH_EXECUTOR(QuotaTest, EventsAndWaits) {
  Machine& limited = machine_with(Resource::kFences, 1);
  TestClient client(limited);
  const std::uint32_t empty = client.create_syncobj();
  EXPECT_EQ(register_event(client, empty), 0);
  EXPECT_EQ(register_event(client, empty), -ENOMEM);
  const PendingSyncobj pending(client);
  const TimePoint soon = executor.clock().now() + milliseconds(1);
  EXPECT_EQ(client.wait(pending.handle, soon), -ENOMEM);
  EXPECT_EQ(client.signal(empty), 0);
  const driver::Account& account = client.raw().session().file().account();
  for (int i = 0; i < 5000 && account.held(Resource::kFences) != 0; ++i)
    executor.clock().sleep(milliseconds(1));
  EXPECT_EQ(client.wait(pending.handle, soon), -ETIME);
}

// Each keeps a descriptor of the host's until it has happened.
TEST_EACH_EXECUTOR(QuotaTest, EventsHoldDescriptors) {
  Machine& limited = machine_with(Resource::kDescriptors, 1);
  TestClient client(limited);
  const std::uint32_t empty = client.create_syncobj();
  EXPECT_EQ(register_event(client, empty), 0);
  EXPECT_EQ(register_event(client, empty), -ENOMEM);
  const driver::Account& account = client.raw().session().file().account();
  EXPECT_EQ(account.held(Resource::kFences), 1u);
  EXPECT_EQ(client.signal(empty), 0);
  executor.lane(driver::Lane::kCleanup).drain();
  EXPECT_EQ(account.held(Resource::kDescriptors), 0u);
  EXPECT_EQ(register_event(client, empty), 0);
}

TEST_EACH_EXECUTOR(QuotaTest, Jobs) {
  Machine& limited = machine_with(Resource::kJobs, 2);
  TestClient client(limited);
  const std::uint32_t vm = client.create_vm();
  const std::uint32_t group = client.create_group(vm, 1);
  const TestBuffer buffer = client.create_buffer(kPageSize);
  const std::uint32_t done = client.create_syncobj();
  {
    const PendingSyncobj pending(client);
    std::vector<drm_panthor_sync_op> syncs{TestClient::waits(pending.handle)};
    auto op = TestClient::map(buffer.handle, kMiB, kPageSize);
    TestClient::sync_with(op, syncs);
    EXPECT_EQ(client.bind(vm, DRM_PANTHOR_VM_BIND_ASYNC, {op, op, op}), -ENOMEM);
    EXPECT_EQ(client.bind(vm, DRM_PANTHOR_VM_BIND_ASYNC, {op, op}), 0) << "a part was queued";
    EXPECT_EQ(client.bind(vm, DRM_PANTHOR_VM_BIND_ASYNC, {op}), -ENOMEM);
    EXPECT_EQ(client.submit(group, 0, 0, 0, {TestClient::signals(done)}), -ENOMEM);
    EXPECT_EQ(client.bind(vm, TestClient::map(buffer.handle, 2 * kMiB, kPageSize)), 0)
        << "a synchronous bind queues nothing";
  }
  limited.device().settle();
  EXPECT_EQ(client.submit(group, 0, 0, 0, {TestClient::signals(done)}), 0);
  EXPECT_EQ(client.wait(done, executor.clock().now() + seconds(60)), 0);
}

TEST_EACH_EXECUTOR(QuotaTest, DescriptorsOfBuffers) {
  Machine& limited = machine_with(Resource::kDescriptors, 1);
  TestClient client(limited);
  std::uint32_t handle = 0, second = 0;
  EXPECT_EQ(create_buffer(client, kPageSize, handle), 0);
  EXPECT_EQ(create_buffer(client, kPageSize, second), -ENOMEM);
  EXPECT_EQ(client.close_buffer(handle), 0);
  EXPECT_EQ(create_buffer(client, kPageSize, second), 0);
}

int try_vm(TestClient& client) {
  drm_panthor_vm_create args{};
  return client.raw().call(DRM_IOCTL_PANTHOR_VM_CREATE, args);
}

// Small maps far apart take two table pages each, and stay for as long as they are mapped.
TEST_EACH_EXECUTOR(QuotaTest, MemoryIncludesPageTables) {
  Machine& limited = machine_with(Resource::kMemory, kMiB);
  TestClient client(limited), other(limited);
  const driver::Account& account = client.raw().session().file().account();
  const TestBuffer buffer = client.create_buffer(kPageSize);
  const TestBuffer others = other.create_buffer(kPageSize);
  const std::uint64_t without_vms = account.held(Resource::kMemory);
  const std::uint32_t vm = client.create_vm();
  const std::uint32_t others_vm = other.create_vm();
  const auto far = [](const TestBuffer& what, std::uint64_t n) {
    return TestClient::map(what.handle, n * kGiB, kPageSize);
  };
  std::uint64_t maps = 0;
  int result = 0;
  while (maps < 1024 && (result = client.bind(vm, far(buffer, maps + 1))) == 0) ++maps;
  EXPECT_EQ(result, -ENOMEM);
  // Of 256 pages the buffer has one, and the VM its root and the table of the first 512 GiB.
  EXPECT_EQ(maps, 126u);

  const Machine::Baseline before = limited.baseline();
  const std::uint64_t held = account.held(Resource::kMemory);
  EXPECT_EQ(client.bind(vm, far(buffer, maps + 1)), -ENOMEM);
  EXPECT_EQ(client.bind(vm, DRM_PANTHOR_VM_BIND_ASYNC, {far(buffer, maps + 1)}), -ENOMEM);
  while (try_vm(client) == 0) {
  }
  EXPECT_EQ(try_vm(client), -ENOMEM);
  EXPECT_EQ(client.bind(vm, far(buffer, maps + 1)), -ENOMEM);
  EXPECT_LE(account.held(Resource::kMemory), held + kPageSize) << "room for one root";
  EXPECT_LE(limited.baseline().lent_pages, before.lent_pages + 1);
  EXPECT_EQ(client.bind(vm, far(buffer, 1)), 0) << "its tables are there";
  for (std::uint64_t n = 1; n <= 100; ++n) EXPECT_EQ(other.bind(others_vm, far(others, n)), 0);

  // As an asynchronous one: what it has used stays charged, the rest does not.
  EXPECT_EQ(client.bind(vm, TestClient::unmap(kGiB, kPageSize)), 0);
  EXPECT_EQ(client.bind(vm, DRM_PANTHOR_VM_BIND_ASYNC, {far(buffer, maps + 1)}), 0);
  limited.device().settle();
  EXPECT_LE(account.held(Resource::kMemory), held + kPageSize);
  EXPECT_EQ(client.bind(vm, far(buffer, 1)), -ENOMEM);

  drm_panthor_vm_destroy destroy{};
  destroy.id = vm;
  EXPECT_EQ(client.raw().call(DRM_IOCTL_PANTHOR_VM_DESTROY, destroy), 0);
  limited.device().settle();
  EXPECT_LE(account.held(Resource::kMemory), without_vms + kPageSize);
  const std::uint32_t again = client.create_vm();
  EXPECT_EQ(client.bind(again, far(buffer, 1)), 0);
}

// What the driver allocates for a client counts like what the client allocates.
TEST_EACH_EXECUTOR(QuotaTest, MemoryIncludesHeapsAndRings) {
  Machine& device = machine_with(Resource::kMemory, kMiB);
  TestClient client(device);
  TestClient other(device);
  const auto create_heap = [](TestClient& of, std::uint32_t vm, std::uint32_t& handle) {
    drm_panthor_tiler_heap_create args{};
    args.vm_id = vm;
    args.initial_chunk_count = args.max_chunks = 4;
    args.chunk_size = 128 << 10;
    const int result = of.raw().call(DRM_IOCTL_PANTHOR_TILER_HEAP_CREATE, args);
    handle = args.handle;
    return result;
  };
  const std::uint32_t vm = client.create_vm();
  std::uint32_t heap = 0;
  std::uint32_t refused = 0;
  std::uint32_t handle = 0;
  ASSERT_EQ(create_heap(client, vm, heap), 0);
  EXPECT_EQ(create_heap(client, vm, refused), -ENOMEM);
  EXPECT_EQ(create_buffer(client, kMiB / 2, handle), -ENOMEM);
  EXPECT_EQ(create_heap(other, other.create_vm(), refused), 0);
  std::uint32_t groups = 0;
  while (groups < 128) {
    std::vector<drm_panthor_queue_create> queues(2, drm_panthor_queue_create{0, {}, 64 << 10});
    drm_panthor_group_create args{};
    args.queues = {sizeof queues[0], 2, reinterpret_cast<std::uint64_t>(queues.data())};
    args.vm_id = vm;
    const int result = client.raw().call(DRM_IOCTL_PANTHOR_GROUP_CREATE, args);
    if (result != 0) {
      EXPECT_EQ(result, -ENOMEM);
      break;
    }
    ++groups;
  }
  EXPECT_EQ(groups, 2u) << "of 128 KiB and something, beside the tables";
  drm_panthor_tiler_heap_destroy destroy{heap, 0};
  EXPECT_EQ(client.raw().call(DRM_IOCTL_PANTHOR_TILER_HEAP_DESTROY, destroy), 0);
  EXPECT_EQ(create_buffer(client, kMiB / 2, handle), 0);
}

}  // namespace
}  // namespace pantry::uapi
