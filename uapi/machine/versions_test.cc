// SPDX-License-Identifier: MIT
//
// What a client of each version sees of the calls that versions differ in (panthor-uapi.md §0, §K).
#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <optional>
#include <string>

#include "driver/kernel/each_executor.h"
#include "uapi/drm_abi.h"
#include "uapi/machine/test_client.h"

namespace pantry::uapi {
namespace {

// A machine that presents 1.`minor`, and its first client.
struct Version {
  Version(driver::Executor& executor, std::uint32_t minor) : executor(executor) {
    MachineConfig config;
    config.dram_bytes = 32 * kMiB;
    config.memory = MachineConfig::Memory::kArena;
    config.uapi_minor = minor;
    auto made = Machine::create(executor, config);
    EXPECT_TRUE(made.has_value());
    machine = *std::move(made);
    client.emplace(*machine);
  }
  LocalClient& raw() { return client->raw(); }

  int query(std::uint32_t type, void* to, std::uint32_t size) {
    drm_panthor_dev_query args{type, size, reinterpret_cast<std::uint64_t>(to)};
    return raw().call(DRM_IOCTL_PANTHOR_DEV_QUERY, args);
  }
  // The size that the driver has, or a negated errno.
  int query_size(std::uint32_t type) {
    drm_panthor_dev_query args{type, 0, 0};
    const int result = raw().call(DRM_IOCTL_PANTHOR_DEV_QUERY, args);
    return result == 0 ? static_cast<int>(args.size) : result;
  }
  int create_buffer(std::uint32_t flags, std::uint32_t& handle) {
    drm_panthor_bo_create args{};
    args.size = kPageSize;
    args.flags = flags;
    const int result = raw().call(DRM_IOCTL_PANTHOR_BO_CREATE, args);
    handle = args.handle;
    return result;
  }

  driver::Executor& executor;
  std::unique_ptr<Machine> machine;
  std::optional<TestClient> client;
};

// One run of simulation is enough where only one client asks.
template <class Body>
void for_each_minor(Body body) {
  for (std::uint32_t minor = 0; minor <= kLastKnownMinor; ++minor) {
    SCOPED_TRACE(testing::Message() << "uAPI 1." << minor);
    driver::SimExecutor executor(1, 1);
    Version version(executor, minor);
    body(version, minor);
  }
}

// [B1.1]
TEST(Versions, VersionIsTheOneAskedFor) {
  for_each_minor([](Version& version, std::uint32_t minor) {
    drm_version args{};
    EXPECT_EQ(version.raw().call(DRM_IOCTL_VERSION, args), 0);
    EXPECT_EQ(args.version_major, 1);
    EXPECT_EQ(args.version_minor, static_cast<int>(minor));
  });
}

// [A2.1 A2.4]
TEST(Versions, QueriesHaveTheSizesOfTheirTime) {
  constexpr int kUnknown = -EINVAL;
  constexpr std::array<std::array<int, 6>, kLastKnownMinor + 1> kSizes{{
      {104, 24, kUnknown, kUnknown, kUnknown, kUnknown},  // 1.0
      {104, 24, 24, kUnknown, kUnknown, kUnknown},
      {104, 24, 24, 4, kUnknown, kUnknown},
      {104, 24, 24, 4, kUnknown, kUnknown},
      {104, 24, 24, 4, kUnknown, kUnknown},
      {104, 24, 24, 4, kUnknown, kUnknown},  // 1.5
      {112, 24, 24, 4, kUnknown, kUnknown},
      {112, 24, 24, 4, kUnknown, kUnknown},
      {112, 24, 56, 4, kUnknown, kUnknown},
      {112, 24, 56, 4, 8, kUnknown},  // 1.9
  }};
  for_each_minor([&](Version& version, std::uint32_t minor) {
    for (std::uint32_t type = 0; type < 6; ++type) {
      EXPECT_EQ(version.query_size(type), kSizes[minor][type]) << "type " << type;
      // A larger buffer is cleared behind what there is.
      std::array<std::uint8_t, 128> bytes;
      bytes.fill(type == DRM_PANTHOR_DEV_QUERY_TIMESTAMP_INFO ? 0 : 0xaa);
      const int expected = kSizes[minor][type] < 0 ? kSizes[minor][type] : 0;
      EXPECT_EQ(version.query(type, bytes.data(), bytes.size()), expected) << "type " << type;
      if (expected != 0) continue;
      for (std::size_t i = static_cast<std::size_t>(kSizes[minor][type]); i < bytes.size(); ++i)
        EXPECT_EQ(bytes[i], 0) << "byte " << i << " of type " << type;
    }
  });
}

// [A2.15]
TEST(Versions, GpuInfoTellsItsCoherencySince17) {
  for_each_minor([](Version& version, std::uint32_t minor) {
    drm_panthor_gpu_info info{};
    EXPECT_EQ(version.query(DRM_PANTHOR_DEV_QUERY_GPU_INFO, &info, sizeof info), 0);
    EXPECT_EQ(info.selected_coherency, minor < 7 ? 0u : 31u);
    EXPECT_EQ(info.pad, 0u);
  });
}

TEST(Versions, MmuInfoNamesBothLeafSizes) {
  for_each_minor([](Version& version, std::uint32_t minor) {
    drm_panthor_mmu_info info{};
    EXPECT_EQ(version.query(DRM_PANTHOR_DEV_QUERY_MMU_INFO, &info, sizeof info),
              minor < 9 ? -EINVAL : 0);
    EXPECT_EQ(info.page_size_bitmap, minor < 9 ? 0u : 0x20'1000u);
    EXPECT_EQ(version.query(DRM_PANTHOR_DEV_QUERY_MMU_INFO, &info, 7), -EINVAL);
  });
}

// Of each kind of client, and each must be able to create what it is told and nothing more.
// [A2.12 A2.13 A6.2 A6.3]
TEST(Versions, PrioritiesToldAreThoseThatCanBeUsed) {
  for_each_minor([](Version& version, std::uint32_t minor) {
    LocalClient master(*version.machine, driver::NodeType::kPrimary, {});
    LocalClient nice(*version.machine, driver::NodeType::kRender, {.sys_nice = true});
    const std::uint8_t everything = minor < 2 ? 0x7 : 0xf;
    const std::pair<LocalClient*, std::uint8_t> clients[] = {
        {&version.raw(), 0x3}, {&master, everything}, {&nice, everything}};
    for (const auto& [client, mask] : clients) {
      drm_panthor_group_priorities_info info{};
      drm_panthor_dev_query query{DRM_PANTHOR_DEV_QUERY_GROUP_PRIORITIES_INFO, sizeof info,
                                  reinterpret_cast<std::uint64_t>(&info)};
      EXPECT_EQ(client->call(DRM_IOCTL_PANTHOR_DEV_QUERY, query), minor < 2 ? -EINVAL : 0);
      if (minor >= 2) {
        EXPECT_EQ(info.allowed_mask, mask);
      }
      drm_panthor_vm_create vm{};
      EXPECT_EQ(client->call(DRM_IOCTL_PANTHOR_VM_CREATE, vm), 0);
      for (std::uint8_t priority = 0; priority < 8; ++priority) {
        drm_panthor_queue_create queue{0, {}, 4096};
        drm_panthor_group_create group{};
        group.queues = {sizeof queue, 1, reinterpret_cast<std::uint64_t>(&queue)};
        group.priority = priority;
        group.vm_id = vm.id;
        const int known = minor < 2 ? 3 : 4;
        EXPECT_EQ(client->call(DRM_IOCTL_PANTHOR_GROUP_CREATE, group), priority >= known ? -EINVAL
                                                                       : mask >> priority & 1
                                                                           ? 0
                                                                           : -EACCES)
            << "priority " << int{priority};
      }
    }
  });
}

// [A5.9]
TEST(Versions, NoMmapBuffersHaveNoOffsetSince14) {
  for_each_minor([](Version& version, std::uint32_t minor) {
    std::uint32_t handle = 0;
    ASSERT_EQ(version.create_buffer(DRM_PANTHOR_BO_NO_MMAP, handle), 0);
    drm_panthor_bo_mmap_offset args{handle, 0, 0};
    EXPECT_EQ(version.raw().call(DRM_IOCTL_PANTHOR_BO_MMAP_OFFSET, args), minor < 4 ? 0 : -EPERM);
    if (minor < 4) {
      EXPECT_EQ(version.raw().mmap(args.offset, kPageSize, 3).error(), Errno::kInval);
    }
    args.pad = 1;
    EXPECT_EQ(version.raw().call(DRM_IOCTL_PANTHOR_BO_MMAP_OFFSET, args), -EINVAL) << "comes first";
  });
}

// [A5.7]
TEST(Versions, WriteBackBuffersSince17) {
  for_each_minor([](Version& version, std::uint32_t minor) {
    std::uint32_t handle = 0;
    EXPECT_EQ(version.create_buffer(DRM_PANTHOR_BO_WB_MMAP, handle), minor < 7 ? -EINVAL : 0);
    EXPECT_EQ(version.create_buffer(DRM_PANTHOR_BO_WB_MMAP | DRM_PANTHOR_BO_NO_MMAP, handle),
              -EINVAL);
    EXPECT_EQ(version.create_buffer(1u << 2, handle), -EINVAL);
  });
}

// In 1.0 the client learns of a range past its area at once; later only synchronously. [A4.25 C4.1]
TEST(Versions, RangePastTheClientsAreaFailsInItsPlace) {
  for_each_minor([](Version& version, std::uint32_t minor) {
    TestClient& client = *version.client;
    drm_panthor_vm_create space{};
    ASSERT_EQ(client.raw().call(DRM_IOCTL_PANTHOR_VM_CREATE, space), 0);
    const TestBuffer buffer = client.create_buffer(2 * kPageSize);
    const std::uint64_t end = space.user_va_range;
    const drm_panthor_vm_bind_op beyond[] = {
        TestClient::map(buffer.handle, end, kPageSize),
        TestClient::map(buffer.handle, end - kPageSize, 2 * kPageSize),
        TestClient::map(buffer.handle, std::uint64_t{1} << 48, kPageSize),
        TestClient::unmap(end, kPageSize), TestClient::unmap(0 - kPageSize, 2 * kPageSize)};
    for (const drm_panthor_vm_bind_op& op : beyond)
      EXPECT_EQ(client.bind(space.id, op), -EINVAL) << std::hex << op.va;
    for (const drm_panthor_vm_bind_op& op : beyond) {
      const std::uint32_t vm = client.create_vm();
      const std::uint32_t done = client.create_syncobj();
      std::vector<drm_panthor_sync_op> syncs = {TestClient::signals(done)};
      drm_panthor_vm_bind_op queued = op;
      TestClient::sync_with(queued, syncs);
      const int result = client.bind(vm, DRM_PANTHOR_VM_BIND_ASYNC, {queued});
      EXPECT_EQ(result, minor == 0 ? -EINVAL : 0) << std::hex << op.va;
      drm_panthor_vm_get_state state{vm, 0};
      if (minor != 0) {
        EXPECT_EQ(client.wait(done, version.executor.clock().now() + seconds(5)), 0);
        DrmSyncobjHandle file{done, kSyncobjFdAsSyncFile, 0, 0, 0};
        EXPECT_EQ(client.raw().call(DRM_IOWR(0xC1, DrmSyncobjHandle), file), 0);
        const FdObject object = client.raw().object(file.fd);
        EXPECT_EQ(std::get<Ref<driver::SyncFile>>(object)->status(), -EINVAL);
        client.raw().close(file.fd);
      }
      EXPECT_EQ(client.raw().call(DRM_IOCTL_PANTHOR_VM_GET_STATE, state), 0);
      EXPECT_EQ(state.state, minor == 0 ? 0u : 1u);
      EXPECT_EQ(client.destroy_vm(vm), 0);
    }
  });
}

// GLB_COUNTER_EN: streams and clients can read the cycle counter without asking for it.
TEST(Versions, CyclesAreCountedAllTheTimeSince16) {
  constexpr std::uint32_t kCycleCount = 0x90;
  for_each_minor([](Version& version, std::uint32_t minor) {
    const std::uint64_t before = version.machine->gpu().read64(kCycleCount);
    version.executor.clock().sleep(milliseconds(10));
    EXPECT_EQ(version.machine->gpu().read64(kCycleCount) > before, minor >= 6);
    version.machine->device().request_reset("a test");
    version.machine->device().settle();
    const std::uint64_t anew = version.machine->gpu().read64(kCycleCount);
    version.executor.clock().sleep(milliseconds(10));
    EXPECT_EQ(version.machine->gpu().read64(kCycleCount) > anew, minor >= 6) << "after a reset";
  });
}

// [B2.9]
TEST(Versions, ClientNamesSince11) {
  for_each_minor([](Version& version, std::uint32_t minor) {
    const auto name = [&](const char* text, std::uint64_t length) {
      DrmSetClientName args{length, reinterpret_cast<std::uint64_t>(text)};
      return version.raw().call(DRM_IOWR(0xD1, DrmSetClientName), args);
    };
    const auto& file = version.raw().session().file();
    if (minor < 1) {
      EXPECT_EQ(name("somebody", 8), -EINVAL);
      EXPECT_FALSE(file.name());
      return;
    }
    EXPECT_EQ(name("somebody else", 8), 0);
    EXPECT_EQ(file.name(), "somebody");
    const std::string longest(64, 'n');
    EXPECT_EQ(name(longest.data(), 65), -EINVAL);
    EXPECT_EQ(name(longest.data(), 64), 0);
    EXPECT_EQ(file.name(), longest);
    for (const char bad : {' ', '\t', '\n', '\0', '\x7f', '\xe4'}) {
      const char text[3] = {'a', bad, 'b'};
      EXPECT_EQ(name(text, 3), -EINVAL) << int{bad};
    }
    EXPECT_EQ(name(nullptr, 1), -EFAULT);
    EXPECT_EQ(file.name(), longest) << "what was refused changes nothing";
    EXPECT_EQ(name(nullptr, 0), 0);
    EXPECT_FALSE(file.name());
  });
}

TEST(Versions, DescriptorsOfTimelinePointsSince14) {
  constexpr std::uint32_t kToFd = DRM_IOWR(0xC1, DrmSyncobjHandle);
  constexpr std::uint32_t kToHandle = DRM_IOWR(0xC2, DrmSyncobjHandle);
  constexpr std::uint32_t kPoint = kSyncobjFdAsSyncFile | kSyncobjFdOfPoint;
  for_each_minor([](Version& version, std::uint32_t minor) {
    TestClient& client = *version.client;
    LocalClient& raw = client.raw();
    const std::uint32_t timeline = client.create_syncobj();
    const auto signal = [&](std::uint32_t syncobj, std::uint64_t point) {
      drm_syncobj_timeline_array args{reinterpret_cast<std::uint64_t>(&syncobj),
                                      reinterpret_cast<std::uint64_t>(&point), 1, 0};
      EXPECT_EQ(raw.call(DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, args), 0);
    };
    const auto point_of = [&](std::uint32_t syncobj) {
      std::uint64_t point = 77;
      drm_syncobj_timeline_array args{reinterpret_cast<std::uint64_t>(&syncobj),
                                      reinterpret_cast<std::uint64_t>(&point), 1, 0};
      EXPECT_EQ(raw.call(DRM_IOCTL_SYNCOBJ_QUERY, args), 0);
      return point;
    };
    signal(timeline, 5);
    DrmSyncobjHandle out{timeline, kPoint, -1, 0, 5};
    if (minor < 4) {
      EXPECT_EQ(raw.call(kToFd, out), -EINVAL);
      out = {timeline, 0, -1, 0, 5};
      EXPECT_EQ(raw.call(kToFd, out), 0) << "nobody looks at what follows the struct";
      raw.close(out.fd);
      return;
    }
    EXPECT_EQ(raw.call(kToFd, out), 0);
    DrmSyncobjHandle bad{timeline, kPoint, -1, 0, 6};
    EXPECT_EQ(raw.call(kToFd, bad), -EINVAL) << "not submitted";
    bad = {4711, kPoint, -1, 0, 5};
    EXPECT_EQ(raw.call(kToFd, bad), -ENOENT);
    bad = {timeline, 0, -1, 0, 5};
    EXPECT_EQ(raw.call(kToFd, bad), -EINVAL) << "a syncobj has no point";
    bad = {timeline, 4, -1, 0, 0};
    EXPECT_EQ(raw.call(kToFd, bad), -EINVAL);

    const std::uint32_t other = client.create_syncobj();
    DrmSyncobjHandle in{other, kPoint, out.fd, 0, 9};
    EXPECT_EQ(raw.call(kToHandle, in), 0);
    EXPECT_EQ(point_of(other), 9u);
    in = {other, kSyncobjFdAsSyncFile, out.fd, 0, 9};
    EXPECT_EQ(raw.call(kToHandle, in), 0) << "without its flag the point does not count";
    EXPECT_EQ(point_of(other), 5u) << "the fence itself, which is a point of another timeline";
    in = {4711, kPoint, out.fd, 0, 9};
    EXPECT_EQ(raw.call(kToHandle, in), -ENOENT);
    in = {0, 0, out.fd, 0, 9};
    EXPECT_EQ(raw.call(kToHandle, in), -EINVAL);
    raw.close(out.fd);
  });
}

}  // namespace
}  // namespace pantry::uapi
