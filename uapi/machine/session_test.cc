// SPDX-License-Identifier: MIT
//
// The front door without a transport: dispatch, copies and their errnos, mmap look-ups, waits that
// are cancelled.
#include "uapi/session.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <utility>

#include "driver/kernel/each_executor.h"
#include "driver/sync/test_fence.h"
#include "uapi/drm_abi.h"
#include "uapi/machine/test_client.h"
#include "uapi/machine/unbootable_gpu.h"

namespace pantry::uapi {
namespace {

MachineConfig small_machine() {
  MachineConfig config;
  config.dram_bytes = 32 * kMiB;
  config.memory = MachineConfig::Memory::kArena;
  return config;
}

struct SessionTest {
  explicit SessionTest(driver::Executor& on) : executor(on) {
    auto made = Machine::create(on, small_machine());
    EXPECT_TRUE(made.has_value());
    machine = *std::move(made);
  }
  driver::Executor& executor;
  std::unique_ptr<Machine> machine;
};

// [A0.1 A0.2 A0.3 A0.5 A0.6]
TEST_EACH_EXECUTOR(SessionTest, DispatchIsByNumberAlone) {
  TestClient client(*machine);
  drm_panthor_vm_get_state state{};
  EXPECT_EQ(client.raw().ioctl(_IOWR('x', 0x44, drm_panthor_vm_get_state), &state), -ENOTTY);
  EXPECT_EQ(client.raw().ioctl(DRM_IOWR(0x5f, drm_panthor_vm_get_state), &state), -EINVAL);
  state.vm_id = client.create_vm();
  // A smaller struct reads as zero behind, a larger one is carried along.
  EXPECT_EQ(client.raw().ioctl(DRM_IOWR(0x44, std::uint32_t), &state), 0);
  struct Large {
    drm_panthor_vm_get_state known;
    std::uint64_t rest = 0x1122334455667788;
  } large{state};
  EXPECT_EQ(client.raw().ioctl(DRM_IOWR(0x44, Large), &large), 0);
  EXPECT_EQ(large.rest, 0x1122334455667788u);
}

struct UnpluggedTest {
  explicit UnpluggedTest(driver::Executor& on) : executor(on) {}
  driver::Executor& executor;
};

// [A0.12]
TEST_EACH_EXECUTOR(UnpluggedTest, DeviceThatIsGoneAnswersNothingElse) {
  UnbootableGpu broken;
  MachineConfig config = small_machine();
  config.misbehaviour = &broken;
  // Asleep, as it would be after a pause of this thread, it would have nothing to reset.
  config.autosuspend_delay = std::nullopt;
  auto machine = Machine::create(executor, config);
  ASSERT_TRUE(machine.has_value());
  TestClient client(**machine);
  LocalClient primary(**machine, driver::NodeType::kPrimary, {.pid = 1});
  const TestBuffer buffer = client.create_buffer(kPageSize);
  drm_panthor_bo_mmap_offset offset{buffer.handle, 0, 0};
  ASSERT_EQ(client.raw().call(DRM_IOCTL_PANTHOR_BO_MMAP_OFFSET, offset), 0);

  broken.break_down();
  (*machine)->device().request_reset("a test has broken the GPU");
  (*machine)->device().settle();
  ASSERT_TRUE((*machine)->device().unplugged());

  // Before anything else is looked at: the type, the number, the permission.
  std::uint64_t argument[32] = {};
  for (LocalClient* each : {&client.raw(), &primary}) {
    for (std::uint32_t number = 0; number < 256; ++number)
      EXPECT_EQ(each->ioctl(_IOWR('d', number, argument), argument), -ENODEV) << number;
    EXPECT_EQ(each->ioctl(_IOWR('x', 0, argument), argument), -ENODEV);
  }
  constexpr std::uint64_t kFlushPage = std::uint64_t{1} << 56;
  for (const std::uint64_t at : {std::uint64_t{offset.offset}, kFlushPage, kPageSize})
    EXPECT_EQ(client.raw().mmap(at, kPageSize, PROT_READ).error(), Errno::kNoDev);
  // The buffer lives as long as the client has it.
  EXPECT_EQ(buffer.word(0), 0u);
}

// [A0.4]
TEST_EACH_EXECUTOR(SessionTest, BadArgumentPointerIsAFaultBeforePermission) {
  TestClient client(*machine);
  EXPECT_EQ(client.raw().ioctl(DRM_IOCTL_PANTHOR_VM_CREATE, nullptr), -EFAULT);
  EXPECT_EQ(client.raw().ioctl(DRM_IOCTL_GET_UNIQUE, nullptr), -EFAULT);
  drm_unique unique{};
  EXPECT_EQ(client.raw().ioctl(DRM_IOCTL_GET_UNIQUE, &unique), -EACCES);
}

// [A0.8 A4.6]
TEST_EACH_EXECUTOR(SessionTest, ArgumentsAreCopiedBackOnFailure) {
  TestClient client(*machine);
  const std::uint32_t vm = client.create_vm();
  drm_panthor_vm_bind_op ops[3] = {TestClient::unmap(0, kPageSize), TestClient::unmap(0, kPageSize),
                                   TestClient::unmap(1, kPageSize)};
  drm_panthor_vm_bind args{};
  args.vm_id = vm;
  args.ops = {sizeof ops[0], 3, reinterpret_cast<std::uint64_t>(ops)};
  EXPECT_EQ(client.raw().call(DRM_IOCTL_PANTHOR_VM_BIND, args), -EINVAL);
  EXPECT_EQ(args.ops.count, 2u);
}

// [A0.7]
TEST_EACH_EXECUTOR(SessionTest, DirectionBitsSayWhatIsCopied) {
  TestClient client(*machine);
  const std::uint32_t vm = client.create_vm();
  constexpr std::uint32_t kSize = sizeof(drm_panthor_vm_get_state);
  drm_panthor_vm_get_state state{vm, 4711};
  EXPECT_EQ(client.raw().ioctl(_IOC(_IOC_READ, 'd', 0x44, kSize), &state), -EINVAL)
      << "nothing is copied in, so that it asks for VM 0";
  EXPECT_EQ(state.vm_id, 0u) << "and that is copied back";
  state = {vm, 4711};
  EXPECT_EQ(client.raw().ioctl(_IOC(_IOC_WRITE, 'd', 0x44, kSize), &state), 0);
  EXPECT_EQ(state.state, 4711u) << "nothing is copied back";
}

TEST_EACH_EXECUTOR(SessionTest, ReadOnlyArgumentIsAFaultAfterTheFact) {
  TestClient client(*machine);
  void* const page = ::mmap(nullptr, kPageSize, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(page, MAP_FAILED);
  EXPECT_EQ(client.raw().ioctl(DRM_IOCTL_PANTHOR_VM_CREATE, page), -EFAULT);
  ::munmap(page, kPageSize);
}

// [H1.1 H1.2 H1.3 H1.4 H2.1]
TEST_EACH_EXECUTOR(SessionTest, MmapRules) {
  TestClient client(*machine);
  TestClient stranger(*machine);
  const TestBuffer buffer = client.create_buffer(2 * kPageSize);
  const std::uint64_t offset = buffer.memory->mmap_offset();
  auto map = [](TestClient& who, std::uint64_t at, std::uint64_t length, int protection,
                Session::MapType type) {
    const auto target = who.raw().session().mmap(at, length, protection, type);
    return target ? 0 : static_cast<int>(target.error());
  };
  using enum Session::MapType;
  EXPECT_EQ(map(client, offset, kPageSize, PROT_READ, kShared), 0);
  EXPECT_EQ(map(client, offset, 2 * kPageSize, PROT_READ | PROT_WRITE, kShared), 0);
  EXPECT_EQ(map(client, offset, 2 * kPageSize + 1, PROT_READ, kShared), EINVAL);
  EXPECT_EQ(map(client, offset, kPageSize, PROT_READ, kPrivate), EINVAL);
  EXPECT_EQ(map(client, offset + kPageSize, kPageSize, PROT_READ, kShared), EINVAL);
  EXPECT_EQ(map(stranger, offset, kPageSize, PROT_READ, kShared), EACCES);
  // Too long finds no buffer; what only the buffer's own rules refuse comes after the owner.
  EXPECT_EQ(map(stranger, offset, 3 * kPageSize, PROT_READ, kShared), EINVAL);
  EXPECT_EQ(map(stranger, offset, kPageSize, PROT_READ, kPrivate), EACCES);
  const std::uint64_t mmio = DRM_PANTHOR_USER_MMIO_OFFSET_64BIT;
  EXPECT_EQ(map(client, mmio, kPageSize, PROT_READ, kShared), 0);
  EXPECT_EQ(map(client, mmio, kPageSize, PROT_READ | PROT_WRITE, kShared), EINVAL);
  EXPECT_EQ(map(client, mmio, 2 * kPageSize, PROT_READ, kShared), EINVAL);
  EXPECT_EQ(map(client, mmio + kPageSize, kPageSize, PROT_READ, kShared), EINVAL);
  EXPECT_EQ(map(client, 1ull << 43, kPageSize, PROT_READ, kShared), EINVAL);
}

// What a driver without a display answers to the master, to another file of the primary node, and
// on the render node.
TEST_EACH_EXECUTOR(SessionTest, CallsOfDisplaysAndOfTheAuthenticated) {
  LocalClient master(*machine, driver::NodeType::kPrimary, {.pid = 1});
  LocalClient other(*machine, driver::NodeType::kPrimary, {.pid = 2});
  LocalClient render(*machine, driver::NodeType::kRender, {.pid = 3});
  const struct {
    std::uint32_t number;
    int of_master, of_other;
  } calls[] = {{0x0a, ENOENT, EACCES},           // GEM_FLINK
               {0x0b, ENOENT, EACCES},           // GEM_OPEN
               {0x10, EACCES, EACCES},           // SET_UNIQUE
               {0x12, EACCES, EACCES},           // BLOCK
               {0x2c, 0, EACCES},                // FINISH
               {0x3a, EOPNOTSUPP, EOPNOTSUPP},   // WAIT_VBLANK
               {0x3b, EOPNOTSUPP, EOPNOTSUPP},   // CRTC_GET_SEQUENCE
               {0x3c, EOPNOTSUPP, EOPNOTSUPP},   // CRTC_QUEUE_SEQUENCE
               {0xa0, EOPNOTSUPP, EOPNOTSUPP},   // MODE_GETRESOURCES
               {0xa2, EOPNOTSUPP, EACCES},       // MODE_SETCRTC
               {0xa8, 0, EACCES},                // MODE_ATTACHMODE
               {0xa9, 0, EACCES},                // MODE_DETACHMODE
               {0xb2, ENOSYS, ENOSYS},           // MODE_CREATE_DUMB
               {0xc6, EOPNOTSUPP, EACCES},       // MODE_CREATE_LEASE
               {0xc7, EOPNOTSUPP, EACCES},       // MODE_LIST_LESSEES
               {0xc8, EOPNOTSUPP, EACCES},       // MODE_GET_LEASE
               {0xc9, EOPNOTSUPP, EACCES},       // MODE_REVOKE_LEASE
               {0xce, EINVAL, EINVAL},           // MODE_GETFB2
               {0xd0, EOPNOTSUPP, EOPNOTSUPP}};  // MODE_CLOSEFB
  for (const auto& call : calls) {
    std::uint64_t argument[16] = {};
    const std::uint32_t command =
        _IOC(_IOC_READ | _IOC_WRITE, DRM_IOCTL_BASE, call.number, sizeof argument);
    EXPECT_EQ(master.ioctl(command, argument), -call.of_master) << std::hex << call.number;
    EXPECT_EQ(other.ioctl(command, argument), -call.of_other) << std::hex << call.number;
    EXPECT_EQ(render.ioctl(command, argument), -EACCES) << std::hex << call.number;
  }
  drm_client mine{};
  drm_client others{};
  EXPECT_EQ(master.call(DRM_IOCTL_GET_CLIENT, mine), 0);
  EXPECT_EQ(other.call(DRM_IOCTL_GET_CLIENT, others), 0);
  EXPECT_EQ(mine.auth, 1);
  EXPECT_EQ(others.auth, 0);
  EXPECT_EQ(mine.uid, 65534u);  // nobody is told who it is
}

// What comes of an ioctl that may end later.
class Answer : public IoctlCompletion {
 public:
  virtual ~Answer() = default;
  int result() {
    MutexLock lock(mutex_);
    while (!reply_) done_.wait(mutex_);
    return reply_->result;
  }
  void on_ioctl_done(IoctlReply reply) override {
    MutexLock lock(mutex_);
    reply_ = std::move(reply);
    done_.notify_all();
  }

 private:
  Mutex mutex_;
  CondVar done_;
  std::optional<IoctlReply> reply_ PANTRY_GUARDED_BY(mutex_);
};

// Somebody who has the descriptor, but did not open it.
class Stranger final : public Caller {
 public:
  explicit Stranger(const driver::Credentials& credentials) : credentials_(credentials) {}
  driver::Credentials credentials() override { return credentials_; }

 private:
  const driver::Credentials credentials_;
};

// [A6.3 A2.13 B2.11 B2.12] Privileges are those of whoever calls, not of whoever opened.
TEST_EACH_EXECUTOR(SessionTest, CallerIsNotAlwaysTheOpener) {
  ProcessMemory memory(::getpid());
  std::uint64_t token = 5'000'000;
  const auto call = [&](LocalClient& client, Caller* caller, std::uint32_t command,
                        void* argument) {
    Answer answer;
    client.session().ioctl(++token,
                           {command, {reinterpret_cast<std::uint64_t>(argument)}, BadFd{}, caller},
                           memory, answer);
    return answer.result();
  };
  const auto allowed = [&](LocalClient& client, Caller* caller) {
    drm_panthor_group_priorities_info info{};
    drm_panthor_dev_query query{DRM_PANTHOR_DEV_QUERY_GROUP_PRIORITIES_INFO, sizeof info,
                                reinterpret_cast<std::uint64_t>(&info)};
    EXPECT_EQ(call(client, caller, DRM_IOCTL_PANTHOR_DEV_QUERY, &query), 0);
    return info.allowed_mask;
  };
  Stranger plain({.pid = 2});
  Stranger privileged({.pid = 3, .sys_nice = true, .sys_admin = true});
  LocalClient render(*machine, driver::NodeType::kRender, {.pid = 1, .sys_nice = true});
  EXPECT_EQ(allowed(render, nullptr), 0xf);
  EXPECT_EQ(allowed(render, &plain), 0x3);
  EXPECT_EQ(allowed(render, &privileged), 0xf);

  LocalClient master(*machine, driver::NodeType::kPrimary, {.pid = 1});
  EXPECT_EQ(allowed(master, &plain), 0xf) << "mastership is the file's";
  EXPECT_EQ(call(master, &plain, DRM_IOCTL_DROP_MASTER, nullptr), -EACCES);
  EXPECT_EQ(call(master, &plain, DRM_IOCTL_SET_MASTER, nullptr), -EACCES);
  EXPECT_EQ(call(master, nullptr, DRM_IOCTL_DROP_MASTER, nullptr), 0);
  EXPECT_EQ(call(master, &plain, DRM_IOCTL_SET_MASTER, nullptr), -EACCES);
  EXPECT_EQ(call(master, &privileged, DRM_IOCTL_SET_MASTER, nullptr), 0);
  drm_client client{};
  EXPECT_EQ(call(master, &plain, DRM_IOCTL_GET_CLIENT, &client), 0);
  EXPECT_EQ(client.pid, 2u);
  std::uint64_t argument[16] = {};
  EXPECT_EQ(call(master, &plain, DRM_IOCTL_BLOCK, argument), -EACCES);
  EXPECT_EQ(call(master, &privileged, DRM_IOCTL_BLOCK, argument), 0);
  EXPECT_EQ(call(master, &privileged, DRM_IOCTL_SET_UNIQUE, argument), -EINVAL);
}

// [B2.10]
TEST_EACH_EXECUTOR(SessionTest, NameIsToldOnceAMasterHasAskedForAnInterfaceThatHasIt) {
  LocalClient master(*machine, driver::NodeType::kPrimary, {.pid = 1});
  LocalClient other(*machine, driver::NodeType::kPrimary, {.pid = 1});
  const auto name_for = [](LocalClient& client, std::size_t room) {
    char name[64] = {};
    drm_unique unique{room, name};
    EXPECT_EQ(client.call(DRM_IOCTL_GET_UNIQUE, unique), 0);
    return std::pair<std::size_t, std::string>(unique.unique_len, name);
  };
  const std::pair<std::size_t, std::string> nothing(0, "");
  drm_set_version version{1, 0, -1, -1};
  EXPECT_EQ(name_for(master, 64), nothing);
  EXPECT_EQ(master.call(DRM_IOCTL_SET_VERSION, version), 0);
  EXPECT_EQ(name_for(master, 64), nothing) << "interface 1.0 has no names";
  version = {1, 5, -1, -1};
  EXPECT_EQ(master.call(DRM_IOCTL_SET_VERSION, version), -EINVAL);
  EXPECT_EQ(name_for(master, 64), nothing);
  version = {1, 1, -1, -1};
  EXPECT_EQ(master.call(DRM_IOCTL_SET_VERSION, version), 0);
  const std::string name = "fb000000.gpu";
  EXPECT_EQ(name_for(master, 64), std::pair(name.size(), name));
  EXPECT_EQ(name_for(other, name.size()), std::pair(name.size(), name));
  EXPECT_EQ(name_for(other, name.size() - 1), std::pair(name.size(), std::string()));
  drm_unique nowhere{64, nullptr};
  EXPECT_EQ(other.call(DRM_IOCTL_GET_UNIQUE, nowhere), -EFAULT);
  EXPECT_EQ(nowhere.unique_len, 64u);
}

// An ioctl that ends at once, with a token of the caller's choice.
class Answered final : public IoctlCompletion {
 public:
  void on_ioctl_done(IoctlReply reply) override { result = reply.result; }
  int result = 1;
};

driver::OwnedFd new_eventfd() { return driver::OwnedFd(::eventfd(0, EFD_CLOEXEC)); }

bool fires(const driver::OwnedFd& event, driver::Clock& clock) {
  const TimePoint end = clock.now() + seconds(5);
  pollfd entry{event.get(), POLLIN, 0};
  while (::poll(&entry, 1, 0) != 1) {
    if (clock.now() > end) return false;
    clock.sleep(milliseconds(1));
  }
  return true;
}

TEST_EACH_EXECUTOR(SessionTest, SignalThatComesTooLateLeavesAnEventfdRegistered) {
  TestClient client(*machine);
  const driver::OwnedFd event = new_eventfd();
  DrmSyncobjEventfd args{client.create_syncobj(), 0, 0, event.get(), 0};
  ProcessMemory memory(::getpid());
  Answered answered;
  constexpr std::uint64_t kToken = 3'000'000;
  client.raw().session().ioctl(kToken,
                               {DRM_IOWR(0xCF, DrmSyncobjEventfd),
                                {reinterpret_cast<std::uint64_t>(&args)},
                                EventFd{driver::OwnedFd(::dup(event.get()))}},
                               memory, answered);
  EXPECT_EQ(answered.result, 0);
  client.raw().session().cancel(kToken);  // of a client that has not seen the reply yet
  EXPECT_EQ(client.signal(args.handle), 0);
  EXPECT_TRUE(fires(event, executor.clock()));
}

TEST_EACH_EXECUTOR(SessionTest, FullEventfdHoldsNobodyUp) {
  TestClient client(*machine);
  const driver::OwnedFd full = new_eventfd();
  const driver::OwnedFd event = new_eventfd();
  std::uint64_t count = UINT64_MAX - 1;
  ASSERT_EQ(::write(full.get(), &count, sizeof count), static_cast<ssize_t>(sizeof count));
  for (const driver::OwnedFd* each : {&full, &event}) {
    DrmSyncobjEventfd args{client.create_syncobj(), 0, 0, each->get(), 0};
    EXPECT_EQ(client.raw().call(DRM_IOWR(0xCF, DrmSyncobjEventfd), args), 0);
    EXPECT_EQ(client.signal(args.handle), 0);
  }
  EXPECT_TRUE(fires(event, executor.clock()));
  EXPECT_EQ(::read(full.get(), &count, sizeof count), static_cast<ssize_t>(sizeof count));
}

// The registration is the syncobj's, not the file's.
TEST_EACH_EXECUTOR(SessionTest, EventfdFiresAfterItsFileIsClosed) {
  const driver::OwnedFd unsubmitted = new_eventfd();
  const driver::OwnedFd pending = new_eventfd();
  const driver::OwnedFd orphan = new_eventfd();
  Ref<driver::Syncobj> shared;
  const auto fence = make_ref<driver::TestFence>();
  {
    TestClient client(*machine);
    const auto add = [&](std::uint32_t syncobj, const driver::OwnedFd& event) {
      DrmSyncobjEventfd args{syncobj, 0, 0, event.get(), 0};
      EXPECT_EQ(client.raw().call(DRM_IOWR(0xCF, DrmSyncobjEventfd), args), 0);
    };
    const std::uint32_t handle = client.create_syncobj();
    shared = client.raw().session().file().syncobj(handle);
    add(handle, unsubmitted);
    const std::uint32_t with_fence = client.create_syncobj();
    client.raw().session().file().syncobj(with_fence)->replace(fence);
    add(with_fence, pending);
    add(client.create_syncobj(), orphan);
  }
  shared->replace(driver::stub_fence());
  EXPECT_TRUE(fires(unsubmitted, executor.clock()));
  fence->signal(executor.clock().now(), 0);
  EXPECT_TRUE(fires(pending, executor.clock()));
  executor.lane(driver::Lane::kCleanup).drain();
  pollfd entry{orphan.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&entry, 1, 0), 0);
}

// A wait with a token of its own, so that it can be cancelled.
class CancellableWait final : public Answer {
 public:
  CancellableWait(Session& session, std::uint64_t token, std::uint32_t syncobj, TimePoint deadline)
      : syncobj_(syncobj) {
    args_.handles = reinterpret_cast<std::uint64_t>(&syncobj_);
    args_.count_handles = 1;
    args_.timeout_nsec = deadline.ns;
    args_.flags = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT;
    session.ioctl(token,
                  {DRM_IOCTL_SYNCOBJ_WAIT, {reinterpret_cast<std::uint64_t>(&args_)}, BadFd{}},
                  memory_, *this);
  }

 private:
  std::uint32_t syncobj_;
  drm_syncobj_wait args_{};
  ProcessMemory memory_{::getpid()};
};

TEST_EACH_EXECUTOR(SessionTest, AWaitEndsWithASignalACancelOrItsTime) {
  TestClient client(*machine);
  Session& session = client.raw().session();
  const TimePoint late = executor.clock().now() + seconds(60);
  const std::uint32_t syncobj = client.create_syncobj();
  CancellableWait cancelled(session, 1'000'001, syncobj, late);
  session.cancel(1'000'001);
  EXPECT_EQ(cancelled.result(), -EINTR);

  CancellableWait timed(session, 1'000'002, syncobj, executor.clock().now() + milliseconds(2));
  EXPECT_EQ(timed.result(), -ETIME);

  CancellableWait signalled(session, 1'000'003, syncobj, late);
  EXPECT_EQ(client.signal(syncobj), 0);
  session.cancel(1'000'003);  // at the same time: either may win
  const int result = signalled.result();
  EXPECT_TRUE(result == 0 || result == -EINTR) << result;
}

// [B4.19] Whatever becomes of the source between the fence's coming and the transfer's noticing.
TEST_EACH_EXECUTOR(SessionTest, TransferThatWaitedTakesTheFenceThatCame) {
  TestClient client(*machine);
  const std::uint32_t from = client.create_syncobj();
  const std::uint32_t to = client.create_syncobj();
  drm_syncobj_transfer args{};
  args.src_handle = from;
  args.dst_handle = to;
  args.flags = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT;
  ProcessMemory memory(::getpid());
  Answer transferred;
  client.raw().session().ioctl(
      4'000'000, {DRM_IOCTL_SYNCOBJ_TRANSFER, {reinterpret_cast<std::uint64_t>(&args)}, BadFd{}},
      memory, transferred);
  EXPECT_EQ(client.signal(from), 0);
  drm_syncobj_array reset{reinterpret_cast<std::uint64_t>(&from), 1, 0};
  EXPECT_EQ(client.raw().call(DRM_IOCTL_SYNCOBJ_RESET, reset), 0);
  EXPECT_EQ(transferred.result(), 0);
  EXPECT_EQ(client.wait(to, TimePoint{}), 0);
}

TEST_EACH_EXECUTOR(SessionTest, ClosingTheFileEndsEveryWait) {
  std::vector<std::unique_ptr<CancellableWait>> waits;
  {
    TestClient client(*machine);
    for (std::uint64_t i = 0; i < 4; ++i)
      waits.push_back(std::make_unique<CancellableWait>(client.raw().session(), 2'000'000 + i,
                                                        client.create_syncobj(),
                                                        executor.clock().now() + seconds(60)));
  }
  for (const auto& wait : waits) EXPECT_EQ(wait->result(), -EINTR);
}

}  // namespace
}  // namespace pantry::uapi
