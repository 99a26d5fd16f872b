// SPDX-License-Identifier: MIT
//
// Clients that do not keep to the protocol: whatever bytes and descriptors arrive, the server goes
// on serving and keeps nothing.
#include "uapi/server/server.h"

#include <drm/panthor_drm.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <thread>

#include "base/sanitizer.h"
#include "driver/kernel/thread_executor.h"

namespace pantry::uapi {
namespace {

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
    ++count;
  return count;
}

// False: it hangs up instead.
bool greets(const driver::OwnedFd& socket) {
  const timeval patience{10, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  wire::Hello hello{1, 0};
  const ssize_t bytes = ::recv(socket.get(), &hello, sizeof hello, 0);
  EXPECT_NE(bytes, -1) << "left waiting";
  return bytes == static_cast<ssize_t>(sizeof hello) && hello.channel == 0;
}

class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    EXPECT_NE(::mkdtemp(directory_.data()), nullptr);
    MachineConfig config;
    config.dram_bytes = 64 * kMiB;
    auto machine = Machine::create(executor_, config);
    EXPECT_TRUE(machine.has_value());
    machine_ = *std::move(machine);
    auto server = Server::create(*machine_, directory_, nullptr);
    EXPECT_TRUE(server.has_value());
    server_ = *std::move(server);
    serving_ = std::thread([this] { server_->run(); });
  }
  ~ServerTest() override {
    server_->stop();
    serving_.join();
    std::filesystem::remove_all(directory_);
  }

  driver::OwnedFd connect(wire::Socket kind) {
    auto made = connect_to(path_of(directory_, kind));
    EXPECT_TRUE(made.has_value());
    if (!made) return {};
    if (kind == wire::Socket::kCard || kind == wire::Socket::kRender) {
      EXPECT_TRUE(greets(*made));
    }
    return *std::move(made);
  }

  // Every client has gone and the server has noticed.
  bool settles_at(std::size_t descriptors) {
    constexpr int kPatience = 30'000;  // ms, at least
    for (int i = 0; i < kPatience; ++i) {
      if (server_->connections() == 0 && open_descriptors() == descriptors) return true;
      ::usleep(1000);
    }
    return false;
  }

  std::string directory_ = "/tmp/pantry-server-test-XXXXXX";
  driver::ThreadExecutor executor_{1};
  std::unique_ptr<Machine> machine_;
  std::unique_ptr<Server> server_;
  std::thread serving_;
};

// As large as an argument can be.
using Argument =
    std::array<std::uint64_t, (std::size_t{1} << _IOC_SIZEBITS) / sizeof(std::uint64_t)>;

// One thread of a client that keeps to the protocol.
struct PoliteClient {
  explicit PoliteClient(driver::OwnedFd channel_) : channel(std::move(channel_)) {
    const timeval patience{10, 0};
    ::setsockopt(channel.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    wire::Hello hello{};
    EXPECT_EQ(::recv(channel.get(), &hello, sizeof hello, 0), static_cast<ssize_t>(sizeof hello));
    id = hello.channel;
  }
  wire::Request request(wire::Ask ask, std::uint32_t command, const void* argument) const {
    wire::Request request{};
    request.magic = wire::kMagic;
    request.ask = ask;
    request.channel = id;
    request.token = 1;
    request.command = command;
    request.argument = reinterpret_cast<std::uint64_t>(argument);
    return request;
  }
  int ioctl(const driver::OwnedFd& device, std::uint32_t command, void* argument) const {
    wire::Request asked = request(wire::Ask::kIoctl, command, argument);
    asked.token = 2;
    if (!send(device.get(), std::as_bytes(std::span(&asked, 1)), -1)) return -EPIPE;
    // What others of this process had sent here is passed over.
    wire::Reply reply{};
    while (reply.token != asked.token)
      if (::recv(channel.get(), &reply, sizeof reply, 0) != static_cast<ssize_t>(sizeof reply))
        return -EPIPE;
    return reply.result;
  }
  driver::OwnedFd channel;
  std::uint64_t id = 0;
};

TEST_F(ServerTest, AnswersOverTheChannelOfTheThreadThatAsked) {
  const PoliteClient first(connect(wire::Socket::kChannel));
  const PoliteClient second(connect(wire::Socket::kChannel));
  const driver::OwnedFd device = connect(wire::Socket::kRender);
  EXPECT_NE(first.id, second.id);
  for (const PoliteClient* client : {&first, &second}) {
    drm_version version{};
    EXPECT_EQ(client->ioctl(device, DRM_IOCTL_VERSION, &version), 0);
    EXPECT_EQ(version.name_len, 7u);
  }
}

// Neither side reaches into the other then: there is nothing at that address.
TEST_F(ServerTest, ArgumentThatComesAlongIsAnsweredInTheReply) {
  const PoliteClient client(connect(wire::Socket::kChannel));
  const driver::OwnedFd device = connect(wire::Socket::kRender);
  struct {
    wire::Request request;
    drm_panthor_vm_create argument;
  } asked{client.request(wire::Ask::kIoctl, DRM_IOCTL_PANTHOR_VM_CREATE,
                         reinterpret_cast<const void*>(64)),
          {0, 0, 1}};
  struct {
    wire::Reply reply;
    drm_panthor_vm_create argument;
  } answered{};
  const auto ask = [&] {
    EXPECT_TRUE(send(device.get(), std::as_bytes(std::span(&asked, 1)), -1));
    return ::recv(client.channel.get(), &answered, sizeof answered, 0);
  };
  EXPECT_EQ(ask(), static_cast<ssize_t>(sizeof answered));
  EXPECT_EQ(answered.reply.result, 0);
  EXPECT_EQ(answered.argument.id, 1u);
  EXPECT_GT(answered.argument.user_va_range, 1u << 30);
  // Also of an ioctl that fails, and one with nothing to say comes back bare.
  asked.argument.flags = 1;
  EXPECT_EQ(ask(), static_cast<ssize_t>(sizeof answered));
  EXPECT_EQ(answered.reply.result, -EINVAL);
  EXPECT_EQ(answered.argument.flags, 1u);
  asked.request.command = DRM_IOCTL_GEM_CLOSE;
  EXPECT_EQ(ask(), static_cast<ssize_t>(sizeof(wire::Reply)));
  EXPECT_EQ(answered.reply.result, -EINVAL);
}

// So a client knows whether to poll for the next one.
TEST_F(ServerTest, ReplyTellsTheProcessorItComesFrom) {
  const PoliteClient client(connect(wire::Socket::kChannel));
  const driver::OwnedFd device = connect(wire::Socket::kRender);
  cpu_set_t allowed;
  ASSERT_EQ(::sched_getaffinity(0, sizeof allowed, &allowed), 0);
  for (std::uint64_t processor = 0; processor < CPU_SETSIZE; ++processor) {
    if (!CPU_ISSET(processor, &allowed)) continue;
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(processor, &only);
    ASSERT_EQ(::pthread_setaffinity_np(serving_.native_handle(), sizeof only, &only), 0);
    const wire::Request asked = client.request(wire::Ask::kText, 0, nullptr);
    ASSERT_TRUE(send(device.get(), std::as_bytes(std::span(&asked, 1)), -1));
    wire::Reply reply{};
    reply.processor = ~std::uint64_t{0};
    ASSERT_EQ(::recv(client.channel.get(), &reply, sizeof reply, 0),
              static_cast<ssize_t>(sizeof reply));
    EXPECT_EQ(reply.processor, processor);
  }
}

TEST_F(ServerTest, AnswerOfAWaitComesWithItsReply) {
  const PoliteClient client(connect(wire::Socket::kChannel));
  const driver::OwnedFd device = connect(wire::Socket::kRender);
  drm_syncobj_create object{};
  ASSERT_EQ(client.ioctl(device, DRM_IOCTL_SYNCOBJ_CREATE, &object), 0);
  struct {
    wire::Request request;
    drm_syncobj_wait argument;
  } asked{client.request(wire::Ask::kIoctl, DRM_IOWR(0xC3, drm_syncobj_wait),
                         reinterpret_cast<const void*>(64)),
          {}};
  asked.argument.handles = reinterpret_cast<std::uint64_t>(&object.handle);
  asked.argument.count_handles = 1;
  asked.argument.timeout_nsec = INT64_MAX;
  asked.argument.flags = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT;
  asked.argument.first_signaled = 77;
  EXPECT_TRUE(send(device.get(), std::as_bytes(std::span(&asked, 1)), -1));
  const PoliteClient other(connect(wire::Socket::kChannel));
  drm_syncobj_array signalled{reinterpret_cast<std::uint64_t>(&object.handle), 1, 0};
  EXPECT_EQ(other.ioctl(device, DRM_IOCTL_SYNCOBJ_SIGNAL, &signalled), 0);
  struct {
    wire::Reply reply;
    drm_syncobj_wait argument;
  } answered{};
  EXPECT_EQ(::recv(client.channel.get(), &answered, sizeof answered, 0),
            static_cast<ssize_t>(sizeof answered));
  EXPECT_EQ(answered.reply.result, 0);
  EXPECT_EQ(answered.argument.first_signaled, 0u);
}

TEST_F(ServerTest, OnlyAnIoctlHasMoreThanARequestAndNotMoreThanAnArgument) {
  const PoliteClient client(connect(wire::Socket::kChannel));
  const driver::OwnedFd device = connect(wire::Socket::kRender);
  drm_version version{};
  struct {
    wire::Request request;
    std::array<std::byte, wire::kMostCarried + 1> argument;
  } asked{client.request(wire::Ask::kIoctl, DRM_IOCTL_VERSION, &version), {}};
  const auto is_answered = [&](std::size_t carried) {
    EXPECT_TRUE(send(device.get(),
                     std::as_bytes(std::span(&asked, 1)).first(sizeof(wire::Request) + carried),
                     -1));
    // Whatever has an answer has it before that of the next request.
    drm_version next{};
    wire::Request asked_next = client.request(wire::Ask::kIoctl, DRM_IOCTL_VERSION, &next);
    asked_next.token = asked.request.token + 1;
    EXPECT_TRUE(send(device.get(), std::as_bytes(std::span(&asked_next, 1)), -1));
    wire::Reply reply{};
    EXPECT_GT(::recv(client.channel.get(), &reply, sizeof reply, 0), 0);
    if (reply.token == asked_next.token) return false;
    EXPECT_GT(::recv(client.channel.get(), &reply, sizeof reply, 0), 0);
    return true;
  };
  EXPECT_TRUE(is_answered(0));
  EXPECT_TRUE(is_answered(wire::kMostCarried));
  EXPECT_FALSE(is_answered(wire::kMostCarried + 1));
  asked.request.ask = wire::Ask::kText;
  EXPECT_TRUE(is_answered(0));
  EXPECT_FALSE(is_answered(1));
  asked.request.ask = wire::Ask::kUnwritten;
  EXPECT_FALSE(is_answered(0));
}

// The connection of an open() may not be accepted yet, or just be, when its first ioctl comes.
TEST_F(ServerTest, FirstRequestMayComeAtAnyTime) {
  for (int i = 0; i < 3000; ++i) {
    const driver::OwnedFd device = connect(wire::Socket::kRender);
    const PoliteClient client(connect(wire::Socket::kChannel));
    drm_version version{};
    ASSERT_EQ(client.ioctl(device, DRM_IOCTL_VERSION, &version), 0) << i;
  }
}

// A stray write() to a device node, say, while another thread waits for its answer.
TEST_F(ServerTest, NonsenseOnADescriptorCostsNobodyTheAnswer) {
  const PoliteClient client(connect(wire::Socket::kChannel));
  const driver::OwnedFd device = connect(wire::Socket::kRender);
  for (const std::size_t bytes : {std::size_t{1}, sizeof(wire::Request), std::size_t{4096}}) {
    const std::vector<std::byte> nonsense(bytes, std::byte{0x5a});
    EXPECT_TRUE(send(device.get(), nonsense, -1));
    drm_version version{};
    EXPECT_EQ(client.ioctl(device, DRM_IOCTL_VERSION, &version), 0);
  }
}

// write(fd, p, 0): not the end of the connection, which looks the same but for the sender.
TEST_F(ServerTest, EmptyMessageIsNoHangUp) {
  const PoliteClient client(connect(wire::Socket::kChannel));
  const driver::OwnedFd device = connect(wire::Socket::kRender);
  const driver::OwnedFd other = connect(wire::Socket::kCard);
  for (const driver::OwnedFd* socket : {&device, &other, &client.channel})
    EXPECT_TRUE(send(socket->get(), {}, -1));
  drm_version version{};
  EXPECT_EQ(client.ioctl(device, DRM_IOCTL_VERSION, &version), 0);
  EXPECT_EQ(client.ioctl(other, DRM_IOCTL_VERSION, &version), 0);
  EXPECT_EQ(server_->connections(), 3u);
}

// Leaves this process, and so the server, without a descriptor.
class NoDescriptors {
 public:
  NoDescriptors() {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    const rlimit few{open_descriptors() + 16, before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    for (;;) {
      driver::OwnedFd fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
      if (!fd) break;
      taken_.push_back(std::move(fd));
    }
    EXPECT_EQ(errno, EMFILE);
  }
  ~NoDescriptors() {
    taken_.clear();
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0);
  }

 private:
  rlimit before_{};
  std::vector<driver::OwnedFd> taken_;
};

TEST_F(ServerTest, ClientsAreTurnedAwayWhenNoDescriptorIsLeft) {
#if PANTRY_ADDRESS_SANITIZER
  GTEST_SKIP() << "without descriptors, its checks of pointers fail as well";
#endif
  const PoliteClient client(connect(wire::Socket::kChannel));
  const driver::OwnedFd device = connect(wire::Socket::kRender);
  drm_version version{};
  EXPECT_EQ(client.ioctl(device, DRM_IOCTL_VERSION, &version), 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s/render", directory_.c_str());
  std::vector<driver::OwnedFd> clients;
  for (int i = 0; i < 3; ++i)
    clients.emplace_back(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  {
    const NoDescriptors none;
    for (const driver::OwnedFd& turned_away : clients) {
      ASSERT_EQ(
          ::connect(turned_away.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
          0);
      EXPECT_FALSE(greets(turned_away));
      EXPECT_EQ(client.ioctl(device, DRM_IOCTL_VERSION, &version), 0);
    }
  }
  const driver::OwnedFd again = connect(wire::Socket::kRender);
  EXPECT_EQ(client.ioctl(again, DRM_IOCTL_VERSION, &version), 0);
}

TEST_F(ServerTest, NonsenseLeavesNothingBehind) {
  const std::size_t descriptors = open_descriptors();
  const Machine::Baseline before = machine_->baseline();
  EXPECT_TRUE(rc::check([&] {
    const auto rolls =
        *rc::gen::container<std::vector<std::uint64_t>>(64, rc::gen::arbitrary<std::uint64_t>());
    std::uint64_t at = 0;
    // What arguments point to, until no ioctl is under way that would write there.
    std::vector<std::unique_ptr<Argument>> arguments;
    auto next = [&] {
      ++at;
      return (rolls[at % rolls.size()] + at * 0x9e3779b97f4a7c15) >> 11;
    };
    {
      const PoliteClient own(connect(wire::Socket::kChannel));
      const driver::OwnedFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
      std::vector<driver::OwnedFd> sockets;
      for (int i = 0; i < 24; ++i) {
        if (i == 0 || next() % 4 == 0)
          sockets.push_back(connect(wire::kListening[next() % std::size(wire::kListening)]));
        // Small numbers: none of them is an address of this process.
        Argument& scratch = *arguments.emplace_back(std::make_unique<Argument>());
        for (int k = 0; k < 64; ++k) scratch[k] = next() % 3 == 0 ? next() % 128 : 0;
        wire::Request request =
            own.request(static_cast<wire::Ask>(next() % 8), static_cast<std::uint32_t>(next()),
                        next() % 4 == 0 ? nullptr : scratch.data());
        const std::uint32_t type = next() % 4 == 0 ? (next() % 2 == 0 ? '>' : 'b') : 'd';
        if (next() % 8 != 0)
          request.command = _IOC(_IOC_READ | _IOC_WRITE, type, next() % 256, next() % 200);
        request.fd_state = static_cast<wire::FdState>(next() % 4);
        request.length = next() % 3 == 0 ? next() : kPageSize;
        request.protection = static_cast<std::int32_t>(next() % 8);
        request.flags = static_cast<std::int32_t>(next() % 4);
        if (next() % 16 == 0) request.magic = static_cast<std::uint32_t>(next());
        if (next() % 16 == 0) request.channel += next() % 3 - 1;
        const driver::OwnedFd& socket = sockets[next() % sockets.size()];
        const int attached = next() % 3 == 0   ? event.get()
                             : next() % 3 == 0 ? sockets[next() % sockets.size()].get()
                                               : -1;
        // The argument comes along, or some of it, or more.
        request.processor = next() % 3 == 0 ? next() : next() % 2;
        std::array<std::byte, 2 * (sizeof request + wire::kMostCarried)> message;
        std::memcpy(message.data(), &request, sizeof request);
        std::memcpy(message.data() + sizeof request, scratch.data(),
                    message.size() - sizeof request);
        const std::size_t bytes =
            next() % 16 == 0  ? next() % sizeof request
            : next() % 3 != 0 ? sizeof request + next() % 2 * _IOC_SIZE(request.command) % 128
                              : sizeof request + next() % (message.size() - sizeof request);
        send(socket.get(), std::span(message).first(bytes), attached);
        // Read, or left lying.
        std::array<std::byte, sizeof(wire::Reply) + wire::kMostCarried> reply;
        if (next() % 2 == 0) receive(own.channel.get(), reply);
      }
      // Served last, so by then the server has accepted whatever was there before.
      const PoliteClient polite(connect(wire::Socket::kChannel));
      for (const wire::Socket kind : {wire::Socket::kCard, wire::Socket::kRender}) {
        const driver::OwnedFd device = connect(kind);
        drm_version version{};
        RC_ASSERT(polite.ioctl(device, DRM_IOCTL_VERSION, &version) == 0);
      }
    }
    RC_ASSERT(settles_at(descriptors));
    RC_ASSERT(machine_->baseline() == before);
  }));
}

}  // namespace
}  // namespace pantry::uapi
