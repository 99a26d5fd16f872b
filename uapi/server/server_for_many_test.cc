// SPDX-License-Identifier: MIT
//
// What one client can do to others: nothing. Hostile clients are processes of their own, forked
// before the server has threads.
#include <drm/panthor_drm.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <thread>
#include <utility>

#include "driver/kernel/thread_executor.h"
#include "uapi/machine/unbootable_gpu.h"
#include "uapi/server/server.h"

namespace pantry::uapi {
namespace {

constexpr int kPatience = 30'000;  // ms, at least

driver::OwnedFd connect_in(const std::string& directory, wire::Socket kind) {
  auto made = connect_to(path_of(directory, kind));
  return made ? *std::move(made) : driver::OwnedFd();
}

wire::Hello hello_of(const driver::OwnedFd& socket) {
  const timeval patience{30, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  wire::Hello hello{0, -EPIPE};
  if (::recv(socket.get(), &hello, sizeof hello, 0) != static_cast<ssize_t>(sizeof hello))
    hello.error = -EPIPE;
  return hello;
}

// A client with one thread and one open node.
struct Client {
  explicit Client(const std::string& directory)
      : channel(connect_in(directory, wire::Socket::kChannel)),
        device(connect_in(directory, wire::Socket::kRender)),
        id(hello_of(channel).channel) {
    hello_of(device);
  }
  wire::Request request(std::uint32_t command, void* argument) {
    wire::Request asked{};
    asked.magic = wire::kMagic;
    asked.ask = wire::Ask::kIoctl;
    asked.channel = id;
    asked.token = ++token;
    asked.command = command;
    asked.argument = reinterpret_cast<std::uint64_t>(argument);
    return asked;
  }
  int ioctl(std::uint32_t command, void* argument) {
    const wire::Request asked = request(command, argument);
    if (!send(device.get(), std::as_bytes(std::span(&asked, 1)), -1)) return -EPIPE;
    wire::Reply reply{};
    while (reply.token != asked.token)
      if (::recv(channel.get(), &reply, sizeof reply, 0) != static_cast<ssize_t>(sizeof reply))
        return -EPIPE;
    return reply.result;
  }
  int version() {
    drm_version version{};
    return ioctl(DRM_IOCTL_VERSION, &version);
  }
  const driver::OwnedFd channel;
  const driver::OwnedFd device;
  const std::uint64_t id;
  std::uint64_t token = 0;
};

// A process that waits to be told, and then does what it was made for.
class Villain {
 public:
  explicit Villain(std::function<void(Villain&)> deed) {
    EXPECT_EQ(::pipe(start_), 0);
    EXPECT_EQ(::pipe(report_), 0);
    pid_ = ::fork();
    if (pid_ != 0) {
      // So that its end is heard of.
      ::close(std::exchange(start_[0], -1));
      ::close(std::exchange(report_[1], -1));
      return;
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    char told = 0;
    if (::read(start_[0], &told, 1) == 1) deed(*this);
    ::_exit(0);
  }
  ~Villain() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    for (const int fd : {start_[0], start_[1], report_[0], report_[1]}) ::close(fd);
  }
  void begin() { EXPECT_EQ(::write(start_[1], "x", 1), 1); }
  // From the deed: one byte for the test.
  void tell(char what) { EXPECT_EQ(::write(report_[1], &what, 1), 1); }
  char hear() {
    char what = 0;
    EXPECT_EQ(::read(report_[0], &what, 1), 1);
    return what;
  }
  void stop() {
    ::kill(pid_, SIGSTOP);
    int status = 0;
    ::waitpid(pid_, &status, WUNTRACED);
    EXPECT_TRUE(WIFSTOPPED(status));
  }
  void kill() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

 private:
  pid_t pid_ = 0;
  int start_[2] = {-1, -1};
  int report_[2] = {-1, -1};
};

class ServerForMany : public testing::Test {
 protected:
  ServerForMany() { EXPECT_NE(::mkdtemp(directory_.data()), nullptr); }
  ~ServerForMany() override {
    if (server_) {
      server_->stop();
      serving_.join();
    }
    server_.reset();
    machine_.reset();
    std::filesystem::remove_all(directory_);
  }
  void serve(const driver::Limits& limits = {}) {
    executor_ = std::make_unique<driver::ThreadExecutor>(1);
    MachineConfig config;
    config.dram_bytes = 64 * kMiB;
    config.limits = limits;
    config.misbehaviour = &broken_;
    config.autosuspend_delay = autosuspend_delay_;
    machine_ = *Machine::create(*executor_, config);
    server_ = *Server::create(*machine_, directory_, nullptr);
    before_ = machine_->baseline();
    serving_ = std::thread([this] { server_->run(); });
  }
  // The middle of `count` round trips, in microseconds; 0 when one fails.
  static double round_trip(Client& client, int count) {
    std::vector<double> times;
    for (int i = 0; i < count; ++i) {
      const auto start = std::chrono::steady_clock::now();
      if (client.version() != 0) return 0;
      times.push_back(
          std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
              .count());
    }
    std::nth_element(times.begin(), times.begin() + count / 2, times.end());
    return times[static_cast<std::size_t>(count / 2)];
  }
  bool is_as_before() {
    for (int i = 0; i < kPatience; ++i) {
      if (server_->connections() == 0 && machine_->baseline() == before_) return true;
      ::usleep(1000);
    }
    return false;
  }

  std::string directory_ = "/tmp/pantry-many-test-XXXXXX";
  UnbootableGpu broken_;
  std::optional<Duration> autosuspend_delay_ = driver::kAutosuspendDelay;  // before serve()
  std::unique_ptr<driver::ThreadExecutor> executor_;
  std::unique_ptr<Machine> machine_;
  std::unique_ptr<Server> server_;
  Machine::Baseline before_;
  std::thread serving_;
};

// The test would wait its 30 s and fail where the server drains one descriptor before it looks at
// the next: three writers to one are always faster than it.
TEST_F(ServerForMany, FloodOnOneDescriptorStarvesNobody) {
  Villain villain([&](Villain& self) {
    Client client(directory_);
    self.tell('f');
    wire::Request cancel = client.request(0, nullptr);
    cancel.ask = wire::Ask::kCancel;
    const auto flood = [&] {
      for (;;) ::send(client.device.get(), &cancel, sizeof cancel, MSG_NOSIGNAL);
    };
    const std::thread second(flood), third(flood);
    flood();
  });
  serve();
  {
    Client client(directory_);
    villain.begin();
    EXPECT_EQ(villain.hear(), 'f');
    for (int i = 0; i < 200; ++i) ASSERT_EQ(client.version(), 0) << i;
  }
  villain.kill();
  EXPECT_TRUE(is_as_before());
}

// As siglongjmp() out of a signal handler leaves one.
TEST_F(ServerForMany, WaitEndsWithItsChannel) {
  driver::Limits limits;
  limits[driver::Resource::kFences] = 1;
  serve(limits);
  {
    Client client(directory_);
    drm_syncobj_create object{};
    EXPECT_EQ(client.ioctl(DRM_IOCTL_SYNCOBJ_CREATE, &object), 0);
    drm_syncobj_wait wait{};
    wait.handles = reinterpret_cast<std::uint64_t>(&object.handle);
    wait.count_handles = 1;
    wait.flags = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT;
    drm_syncobj_wait for_ever = wait;
    for_ever.timeout_nsec = INT64_MAX;
    {
      const driver::OwnedFd left = connect_in(directory_, wire::Socket::kChannel);
      wire::Request waits = client.request(DRM_IOCTL_SYNCOBJ_WAIT, &for_ever);
      waits.channel = hello_of(left).channel;
      send(client.device.get(), std::as_bytes(std::span(&waits, 1)), -1);
      EXPECT_EQ(client.ioctl(DRM_IOCTL_SYNCOBJ_WAIT, &wait), -ENOMEM) << "one at a time";
    }
    int result = -ENOMEM;
    for (int i = 0; i < kPatience && result == -ENOMEM; ++i) {
      result = client.ioctl(DRM_IOCTL_SYNCOBJ_WAIT, &wait);
      ::usleep(1000);
    }
    EXPECT_EQ(result, -ETIME);
  }
  EXPECT_TRUE(is_as_before());
}

// Stopped with requests unread, replies unread and a wait under way, and then killed.
TEST_F(ServerForMany, StoppedAndKilledClientDelaysNobody) {
  Villain villain([&](Villain& self) {
    Client client(directory_);
    drm_panthor_vm_create vm{};
    drm_panthor_bo_create bo{};
    bo.size = kMiB;
    client.ioctl(DRM_IOCTL_PANTHOR_VM_CREATE, &vm);
    client.ioctl(DRM_IOCTL_PANTHOR_BO_CREATE, &bo);
    drm_syncobj_create object{};
    client.ioctl(DRM_IOCTL_SYNCOBJ_CREATE, &object);
    drm_syncobj_wait wait{};
    wait.handles = reinterpret_cast<std::uint64_t>(&object.handle);
    wait.count_handles = 1;
    wait.flags = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT;
    wait.timeout_nsec = INT64_MAX;
    const wire::Request waits = client.request(DRM_IOCTL_SYNCOBJ_WAIT, &wait);
    send(client.device.get(), std::as_bytes(std::span(&waits, 1)), -1);
    // Replies fill the channel, then requests the device's socket.
    drm_version version{};
    for (int i = 0; i < 5000; ++i) {
      const wire::Request asked = client.request(DRM_IOCTL_VERSION, &version);
      send(client.device.get(), std::as_bytes(std::span(&asked, 1)), -1);
    }
    self.tell('s');
    ::pause();
  });
  serve();
  {
    Client client(directory_);
    round_trip(client, 50);
    const double before = round_trip(client, 300);
    villain.begin();
    EXPECT_EQ(villain.hear(), 's');
    villain.stop();
    EXPECT_GT(server_->connections(), 2u);
    const double beside_a_stopped_one = round_trip(client, 300);
    villain.kill();
    const double after = round_trip(client, 300);
    EXPECT_GT(before, 0);
    EXPECT_GT(beside_a_stopped_one, 0);
    EXPECT_GT(after, 0);
    // Medians; anything that waits for the other would be a thousand times as long.
    EXPECT_LT(beside_a_stopped_one, 10 * std::max(before, after));
  }
  EXPECT_TRUE(is_as_before());
}

// A bind of so many operations takes some hundred milliseconds, in which others go on.
TEST_F(ServerForMany, LargeBindDelaysNobody) {
  constexpr std::uint64_t kOperations = 200'000;
  serve();
  {
    Client binder(directory_);
    drm_panthor_vm_create vm{};
    drm_panthor_bo_create bo{};
    bo.size = kPageSize;
    ASSERT_EQ(binder.ioctl(DRM_IOCTL_PANTHOR_VM_CREATE, &vm), 0);
    ASSERT_EQ(binder.ioctl(DRM_IOCTL_PANTHOR_BO_CREATE, &bo), 0);
    std::vector<drm_panthor_vm_bind_op> operations(kOperations);
    for (std::uint64_t i = 0; i < kOperations; ++i) {
      operations[i].flags = DRM_PANTHOR_VM_BIND_OP_TYPE_MAP;
      operations[i].bo_handle = bo.handle;
      operations[i].va = (1 + 2 * i) * kPageSize;
      operations[i].size = kPageSize;
    }
    drm_panthor_vm_bind bind{};
    bind.vm_id = vm.id;
    bind.ops = {sizeof operations[0], static_cast<std::uint32_t>(operations.size()),
                reinterpret_cast<std::uint64_t>(operations.data())};
    const wire::Request binds = binder.request(DRM_IOCTL_PANTHOR_VM_BIND, &bind);
    send(binder.device.get(), std::as_bytes(std::span(&binds, 1)), -1);
    {
      Client other(directory_);
      EXPECT_EQ(other.version(), 0);
      wire::Reply reply{};
      EXPECT_EQ(::recv(binder.channel.get(), &reply, sizeof reply, MSG_DONTWAIT), -1)
          << "the other one has waited";
    }
    // The binder's other threads as well.
    const driver::OwnedFd channel = connect_in(directory_, wire::Socket::kChannel);
    drm_version version{};
    wire::Request asks = binder.request(DRM_IOCTL_VERSION, &version);
    asks.channel = hello_of(channel).channel;
    send(binder.device.get(), std::as_bytes(std::span(&asks, 1)), -1);
    wire::Reply reply{};
    EXPECT_EQ(::recv(channel.get(), &reply, sizeof reply, 0), sizeof reply);
    EXPECT_EQ(reply.token, asks.token);
    EXPECT_EQ(::recv(binder.channel.get(), &reply, sizeof reply, 0), sizeof reply);
    EXPECT_EQ(reply.token, binds.token);
    EXPECT_EQ(reply.result, 0);
  }
  EXPECT_TRUE(is_as_before());
}

// In the deed of a villain: a page that never comes, so that a request which has to read it is
// served for ever.
class LostPage {
 public:
  LostPage()
      : faults_(static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK))),
        page_(::mmap(nullptr, kPageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                     0)) {
    uffdio_api api{UFFD_API, 0, 0};
    uffdio_register registered{
        {reinterpret_cast<std::uint64_t>(page_), kPageSize}, UFFDIO_REGISTER_MODE_MISSING, 0};
    ok_ = faults_ && ::ioctl(faults_.get(), UFFDIO_API, &api) == 0 &&
          ::ioctl(faults_.get(), UFFDIO_REGISTER, &registered) == 0;
  }
  bool ok() const { return ok_; }
  // True once the client's request is being served.
  bool holds_up(Client& client) {
    drm_panthor_gpu_info info{};
    drm_panthor_dev_query query{};
    query.size = sizeof info;
    query.pointer = reinterpret_cast<std::uint64_t>(page_);
    const wire::Request asks = client.request(DRM_IOCTL_PANTHOR_DEV_QUERY, &query);
    if (!send(client.device.get(), std::as_bytes(std::span(&asks, 1)), -1)) return false;
    pollfd fault{faults_.get(), POLLIN, 0};
    uffd_msg message{};
    while (::read(faults_.get(), &message, sizeof message) < 0)
      if (::poll(&fault, 1, kPatience) == 0) return false;
    return true;
  }

 private:
  const driver::OwnedFd faults_;
  void* const page_;
  bool ok_ = false;
};

// Killed while requests of two of its threads hold a thread of the server's each.
TEST_F(ServerForMany, MemoryThatNeverComesDelaysNobody) {
  Villain villain([&](Villain& self) {
    LostPage page;
    if (!page.ok()) return self.tell('?');
    Client one(directory_), two(directory_);
    self.tell(page.holds_up(one) && page.holds_up(two) ? 's' : '!');
    ::pause();
  });
  serve();
  villain.begin();
  const char heard = villain.hear();
  if (heard == '?') GTEST_SKIP() << "userfaultfd() is not allowed here";
  EXPECT_EQ(heard, 's') << "the second request was not served";
  {
    Client client(directory_);
    for (int i = 0; i < 100; ++i) ASSERT_EQ(client.version(), 0);
  }
  villain.kill();
  EXPECT_TRUE(is_as_before());
}

// What is closed costs the host a thread and its descriptors still.
TEST_F(ServerForMany, WhatIsServedIsChargedUntilItIsDone) {
  constexpr int kMost = 8;
  Villain villain([&](Villain& self) {
    LostPage page;
    if (!page.ok()) return self.tell('?');
    for (int i = 0; i < kMost / 2; ++i) {
      Client client(directory_);
      self.tell(page.holds_up(client) ? 's' : '!');
    }
    self.tell(hello_of(connect_in(directory_, wire::Socket::kChannel)).error == -EMFILE ? 'r'
                                                                                        : 'a');
    ::pause();
  });
  driver::Limits limits;
  limits[driver::Resource::kDescriptors] = kMost;
  serve(limits);
  villain.begin();
  for (int i = 0; i < kMost / 2; ++i) {
    const char heard = villain.hear();
    if (heard == '?') GTEST_SKIP() << "userfaultfd() is not allowed here";
    EXPECT_EQ(heard, 's');
  }
  EXPECT_EQ(villain.hear(), 'r');
  villain.kill();
  EXPECT_TRUE(is_as_before());
}

// One that waits keeps its channel; another request would hide it from the channel's end.
TEST_F(ServerForMany, OneRequestAtATimeOfAChannel) {
  serve();
  {
    Client client(directory_);
    drm_syncobj_create object{};
    EXPECT_EQ(client.ioctl(DRM_IOCTL_SYNCOBJ_CREATE, &object), 0);
    {
      Client thread(directory_);
      drm_syncobj_wait wait{};
      wait.handles = reinterpret_cast<std::uint64_t>(&object.handle);
      wait.count_handles = 1;
      wait.timeout_nsec = INT64_MAX;
      wait.flags = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT;
      drm_version version{};
      for (wire::Request asks : {thread.request(DRM_IOCTL_SYNCOBJ_WAIT, &wait),
                                 thread.request(DRM_IOCTL_VERSION, &version)})
        send(client.device.get(), std::as_bytes(std::span(&asks, 1)), -1);
      EXPECT_EQ(client.version(), 0);  // behind them
      wire::Reply reply{};
      EXPECT_EQ(::recv(thread.channel.get(), &reply, sizeof reply, MSG_DONTWAIT), -1);
    }
    // The wait ended with it.
    driver::Account& account = *server_->account_of(::getpid());
    for (int i = 0; i < kPatience && account.held(driver::Resource::kDescriptors) != 2; ++i)
      ::usleep(1000);
    EXPECT_EQ(account.held(driver::Resource::kDescriptors), 2u);
    EXPECT_EQ(account.held(driver::Resource::kFences), 0u);
  }
  EXPECT_TRUE(is_as_before());
}

TEST_F(ServerForMany, DescriptorsOfAProcessAreBounded) {
  driver::Limits limits;
  limits[driver::Resource::kDescriptors] = 5;
  serve(limits);
  {
    Client client(directory_);  // two
    std::vector<driver::OwnedFd> more;
    for (int i = 0; i < 3; ++i) {
      more.push_back(connect_in(directory_, wire::Socket::kRender));
      EXPECT_EQ(hello_of(more.back()).error, 0);
    }
    for (const wire::Socket kind : wire::kListening)
      EXPECT_EQ(hello_of(connect_in(directory_, kind)).error, -EMFILE);
    drm_panthor_bo_create bo{};
    bo.size = kPageSize;
    EXPECT_EQ(client.ioctl(DRM_IOCTL_PANTHOR_BO_CREATE, &bo), -ENOMEM);
    drm_syncobj_create object{};
    EXPECT_EQ(client.ioctl(DRM_IOCTL_SYNCOBJ_CREATE, &object), 0);
    drm_syncobj_handle out{};
    out.handle = object.handle;
    EXPECT_EQ(client.ioctl(DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &out), -EMFILE);
    more.pop_back();
    for (int i = 0; i < kPatience && server_->connections() != 4; ++i) ::usleep(1000);
    EXPECT_EQ(client.ioctl(DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &out), 0);
  }
  EXPECT_TRUE(is_as_before());
}

// [A0.12]
TEST_F(ServerForMany, NodeOfAnUnpluggedDeviceCannotBeOpened) {
  // Asleep, as it would be after a pause of this thread, it would have nothing to reset.
  autosuspend_delay_ = std::nullopt;
  serve();
  Client client(directory_);
  EXPECT_EQ(client.version(), 0);
  broken_.break_down();
  machine_->device().request_reset("a test has broken the GPU");
  machine_->device().settle();
  ASSERT_TRUE(machine_->device().unplugged());
  EXPECT_EQ(client.version(), -ENODEV);
  for (const wire::Socket node : {wire::Socket::kCard, wire::Socket::kRender}) {
    const driver::OwnedFd late = connect_in(directory_, node);
    EXPECT_EQ(hello_of(late).error, -ENODEV);
    std::byte rest[1];
    EXPECT_EQ(::recv(late.get(), rest, sizeof rest, 0), 0);
  }
}

TEST_F(ServerForMany, OtherUsersAreRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  Villain villain([&](Villain& self) {
    if (::setuid(65534) != 0) self.tell('?');
    for (const wire::Socket kind : wire::kListening)
      self.tell(hello_of(connect_in(directory_, kind)).error == -EACCES ? 'r' : 'a');
  });
  serve();
  // What keeps others out in the first place, taken away.
  ASSERT_EQ(::chmod(directory_.c_str(), 0755), 0);
  for (const wire::Socket kind : wire::kListening)
    ASSERT_EQ(::chmod(path_of(directory_, kind).c_str(), 0666), 0);
  villain.begin();
  for ([[maybe_unused]] const wire::Socket kind : wire::kListening) EXPECT_EQ(villain.hear(), 'r');
  EXPECT_EQ(server_->connections(), 0u);
  const Client control(directory_);
  EXPECT_NE(control.id, 0u);
}

// Nobody listens where the server makes its own connections, so nobody can fill their queue.
TEST_F(ServerForMany, ObjectsHaveNoFrontDoor) {
  serve();
  for (const wire::Socket kind :
       {wire::Socket::kSyncFile, wire::Socket::kSyncobj, wire::Socket::kDmaBuf}) {
    Client client(directory_);
    EXPECT_FALSE(connect_in(directory_, kind));
    drm_syncobj_create object{};
    EXPECT_EQ(client.ioctl(DRM_IOCTL_SYNCOBJ_CREATE, &object), 0);
    drm_syncobj_handle out{};
    out.handle = object.handle;
    EXPECT_EQ(client.ioctl(DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &out), 0);
    EXPECT_FALSE(connect_in(directory_, kind));
  }
  EXPECT_TRUE(is_as_before());
}

}  // namespace
}  // namespace pantry::uapi
