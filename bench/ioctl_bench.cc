// SPDX-License-Identifier: MIT
//
// What an ioctl costs on its way: VM_GET_STATE, for which the driver itself looks up one id. In
// process, beside a bare ioctl() that Linux refuses at once; through the server, which polls as the
// shim does where the scheduler parts them, beside a bare round trip of messages of the same size
// between two threads that sleep, on one processor, where it is fastest. The limit of the first is
// the driver's own work.
#include <drm/panthor_drm.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <thread>

#include "base/check.h"
#include "bench/comparison.h"
#include "driver/kernel/thread_executor.h"
#include "uapi/machine/machine.h"
#include "uapi/server/polling.h"
#include "uapi/server/server.h"

namespace pantry::bench {
namespace {

constexpr std::uint64_t kOperations = 256;

uapi::MachineConfig small_machine() {
  uapi::MachineConfig config;
  config.dram_bytes = 64 * kMiB;
  config.checker = uapi::MachineConfig::Check::kOff;
  return config;
}

// A client in this process whose pointers are known to be good, as those of a fuzzer are.
class OwnMemory final : public uapi::UserMemory {
 public:
  Result<> read(uapi::UserAddr from, void* to, std::size_t bytes) override {
    std::memcpy(to, reinterpret_cast<const void*>(from.value), bytes);
    return {};
  }
  Result<> write(uapi::UserAddr to, const void* from, std::size_t bytes) override {
    std::memcpy(reinterpret_cast<void*>(to.value), from, bytes);
    return {};
  }
};

class Answer final : public uapi::IoctlCompletion {
 public:
  void on_ioctl_done(uapi::IoctlReply reply) override { result = reply.result; }
  int result = 1;
};

struct InProcess {
  InProcess() : machine(*uapi::Machine::create(executor, small_machine())) {
    session = machine->open(driver::NodeType::kRender, {});
    drm_panthor_vm_create vm{};
    PANTRY_CHECK(ioctl(DRM_IOCTL_PANTHOR_VM_CREATE, &vm) == 0 && vm.id == 1);
  }
  int ioctl(std::uint32_t command, void* argument) {
    Answer answer;
    session->ioctl(1, {command, {reinterpret_cast<std::uint64_t>(argument)}, uapi::BadFd{}}, memory,
                   answer);
    return answer.result;
  }
  driver::ThreadExecutor executor{1};
  std::unique_ptr<uapi::Machine> machine;
  std::unique_ptr<uapi::Session> session;
  OwnMemory memory;
};

class OurIoctl final : public Work {
 public:
  explicit OurIoctl(InProcess& with) : with_(with) {}
  void run(std::uint64_t) override {
    for (std::uint64_t i = 0; i < kOperations; ++i) {
      drm_panthor_vm_get_state state{1, 0};
      PANTRY_CHECK(with_.ioctl(DRM_IOCTL_PANTHOR_VM_GET_STATE, &state) == 0);
    }
  }

 private:
  InProcess& with_;
};

class DriversOwnWork final : public Work {
 public:
  explicit DriversOwnWork(InProcess& with) : with_(with) {}
  void run(std::uint64_t) override {
    for (std::uint64_t i = 0; i < kOperations; ++i)
      PANTRY_CHECK(!with_.session->file().vm(1)->unusable());
  }

 private:
  InProcess& with_;
};

class BareIoctl final : public Work {
 public:
  void run(std::uint64_t) override {
    for (std::uint64_t i = 0; i < kOperations; ++i) {
      drm_panthor_vm_get_state state{1, 0};
      PANTRY_CHECK(::ioctl(event_.get(), DRM_IOCTL_PANTHOR_VM_GET_STATE, &state) != 0);
    }
  }

 private:
  const driver::OwnedFd event_{::eventfd(0, EFD_CLOEXEC)};
};

void ioctl_in_process(benchmark::State& state) {
  InProcess with;
  OurIoctl ours(with);
  BareIoctl theirs;
  DriversOwnWork limit(with);
  compare(state, kOperations, {ours, &theirs, &limit});
}

driver::OwnedFd connect(const std::string& directory, const char* name, wire::Hello& hello) {
  driver::OwnedFd socket = *uapi::connect_to(directory + "/" + name);
  PANTRY_CHECK(::recv(socket.get(), &hello, sizeof hello, 0) ==
                   static_cast<ssize_t>(sizeof hello) &&
               hello.error == 0);
  return socket;
}

std::string new_directory() {
  std::string path = "/tmp/pantry-ioctl-bench-XXXXXX";
  PANTRY_CHECK(::mkdtemp(path.data()));
  return path;
}

// All that the shim does for an ioctl: what is this descriptor, is the channel still ours, ask,
// poll, wait.
class ThroughTheServer final : public Work {
 public:
  ThroughTheServer() {
    wire::Hello hello{};
    device_ = connect(directory_, "render", hello);
    channel_ = connect(directory_, "channel", hello);
    id_ = hello.channel;
    drm_panthor_vm_create vm{};
    ioctl(DRM_IOCTL_PANTHOR_VM_CREATE, &vm);
    PANTRY_CHECK(vm.id == 1);
  }
  ~ThroughTheServer() {
    server_->stop();
    serving_.join();
    std::filesystem::remove_all(directory_);
  }
  void run(std::uint64_t) override {
    for (std::uint64_t i = 0; i < kOperations; ++i) {
      drm_panthor_vm_get_state state{1, 0};
      ioctl(DRM_IOCTL_PANTHOR_VM_GET_STATE, &state);
    }
  }

 private:
  void ioctl(std::uint32_t command, void* argument) {
    sockaddr_un address;
    socklen_t size = sizeof address;
    PANTRY_CHECK(::getpeername(device_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    PANTRY_CHECK(uapi::cookie_of(channel_.get()) != 0);
    wire::Request request{};
    request.magic = wire::kMagic;
    request.channel = id_;
    request.token = ++token_;
    request.command = command;
    request.argument = reinterpret_cast<std::uint64_t>(argument);
    request.processor = static_cast<std::uint64_t>(::sched_getcpu());
    wire::Reply reply{};
    const std::size_t bytes = _IOC_SIZE(command);
    iovec asked[] = {{&request, sizeof request}, {argument, bytes}};
    iovec answered[] = {{&reply, sizeof reply}, {argument, bytes}};
    msghdr message{};
    message.msg_iovlen = 2;
    message.msg_iov = asked;
    PANTRY_CHECK(::sendmsg(device_.get(), &message, MSG_NOSIGNAL) > 0);
    message.msg_iov = answered;
    PANTRY_CHECK((host_processor_ != request.processor && polling_.worth_while()
                      ? poll(message)
                      : wait(message)) == static_cast<ssize_t>(sizeof reply + bytes) &&
                 reply.token == token_ && reply.result == 0);
    host_processor_ = reply.processor;
  }

  ssize_t wait(msghdr& message) { return ::recvmsg(channel_.get(), &message, 0); }
  ssize_t poll(msghdr& message) {
    const std::int64_t end = wire::poll_clock_ns() + wire::kPollNs;
    do {
      const ssize_t bytes = ::recvmsg(channel_.get(), &message, MSG_DONTWAIT);
      if (bytes >= 0) {
        polling_.found();
        return bytes;
      }
    } while (wire::poll_clock_ns() < end);
    polling_.in_vain();
    return wait(message);
  }

  const std::string directory_ = new_directory();
  driver::ThreadExecutor executor_{1};
  const std::unique_ptr<uapi::Machine> machine_ =
      *uapi::Machine::create(executor_, small_machine());
  const std::unique_ptr<uapi::Server> server_ =
      *uapi::Server::create(*machine_, directory_, nullptr);
  std::thread serving_{[this] { server_->run(); }};
  driver::OwnedFd device_;
  driver::OwnedFd channel_;
  std::uint64_t id_ = 0;
  std::uint64_t token_ = 0;
  std::uint64_t host_processor_ = 0;
  wire::Polling polling_;
};

// On two processors, or now on one and now on two, as the scheduler likes it, it would be no
// measure.
class BareRoundTrip final : public Work {
 public:
  BareRoundTrip() {
    PANTRY_CHECK(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends_) == 0);
    CPU_ZERO(&processor_);
    CPU_SET(::sched_getcpu(), &processor_);
    echo_ = std::thread([this] {
      PANTRY_CHECK(::sched_setaffinity(0, sizeof processor_, &processor_) == 0);
      Asked request{};
      const Answered reply{};
      while (::recv(ends_[1], &request, sizeof request, 0) > 0)
        ::send(ends_[1], &reply, sizeof reply, MSG_NOSIGNAL);
    });
  }
  ~BareRoundTrip() {
    ::shutdown(ends_[0], SHUT_RDWR);
    echo_.join();
    for (const int end : ends_) ::close(end);
  }
  void run(std::uint64_t) override {
    const Asked request{};
    Answered reply{};
    for (std::uint64_t i = 0; i < kOperations; ++i)
      PANTRY_CHECK(::send(ends_[0], &request, sizeof request, MSG_NOSIGNAL) > 0 &&
                   ::recv(ends_[0], &reply, sizeof reply, 0) > 0);
  }
  void prepare(std::uint64_t) override {
    PANTRY_CHECK(::sched_getaffinity(0, sizeof before_, &before_) == 0 &&
                 ::sched_setaffinity(0, sizeof processor_, &processor_) == 0);
  }
  void restore(std::uint64_t) override { ::sched_setaffinity(0, sizeof before_, &before_); }

 private:
  struct Asked {
    wire::Request request;
    drm_panthor_vm_get_state argument;
  };
  struct Answered {
    wire::Reply reply;
    drm_panthor_vm_get_state argument;
  };
  cpu_set_t processor_;
  cpu_set_t before_;
  int ends_[2];
  std::thread echo_;
};

void ioctl_through_the_server(benchmark::State& state) {
  ThroughTheServer ours;
  BareRoundTrip theirs;
  compare(state, kOperations, {ours, &theirs});
}

BENCHMARK(ioctl_in_process)
    ->Name("ioctl, in process (beside a bare ioctl)")
    ->Apply(in_one_iteration);
BENCHMARK(ioctl_through_the_server)
    ->Name("ioctl, through the server (beside a bare socket round trip)")
    ->Apply(in_one_iteration);

}  // namespace
}  // namespace pantry::bench
