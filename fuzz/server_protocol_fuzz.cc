// SPDX-License-Identifier: MIT
//
// Clients of the server that do not keep to its protocol (uapi/server/protocol.h): any bytes on any
// of its sockets, with and without descriptors; requests with ioctls, mappings and texts that lead
// somewhere or nowhere; sockets closed at any moment, and passed to the server as if they were
// something else. Afterwards the server has no client, no descriptor and no object.
//
//   input   steps: a byte and what follows (see Clients::step)
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "driver/kernel/thread_executor.h"
#include "fuzz/ioctl_layout.h"
#include "fuzz/open_descriptors.h"
#include "fuzz/quiet_start.h"
#include "uapi/server/server.h"

namespace {

using namespace pantry;
using fuzz::take_number;
using wire::Ask;

constexpr std::size_t kMostSteps = 64;
constexpr std::size_t kMostDescriptors = 24;
constexpr std::size_t kScratchBytes = 32 * 1024;

// The server reads and writes the memory of its client, which is this process: so a pointer leads
// into the scratch, or to the pages behind it that nobody may touch.
class GuardedPages {
 public:
  GuardedPages()
      : pages_(static_cast<std::uint8_t*>(
            mmap(nullptr, 2 * kScratchBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {
    PANTRY_CHECK(pages_ != MAP_FAILED);
    PANTRY_CHECK(mprotect(pages_, kScratchBytes, PROT_READ | PROT_WRITE) == 0);
  }
  std::span<std::uint8_t> usable() { return {pages_, kScratchBytes}; }

 private:
  std::uint8_t* const pages_;
};

// One machine for all inputs: each leaves it as it was.
class House {
 public:
  House() {
    PANTRY_CHECK(::mkdtemp(directory.data()) != nullptr);
    uapi::MachineConfig config;
    config.dram_bytes = 64 * kMiB;
    machine = uapi::Machine::create(executor, config).value();
  }
  ~House() { std::filesystem::remove_all(directory); }
  std::string directory = "/tmp/pantry-fuzz-XXXXXX";
  driver::ThreadExecutor executor{1};
  std::unique_ptr<uapi::Machine> machine;
  GuardedPages pages;
};

House& house() {
  static House the_house;
  return the_house;
}

class Clients {
 public:
  Clients(const std::string& directory, fuzz::Input input)
      : directory_(directory),
        input_(input),
        scratch_(house().pages.usable(),
                 reinterpret_cast<std::uint64_t>(house().pages.usable().data())) {
    // Two threads' channels, a client of each node.
    for (const auto kind : {wire::Socket::kChannel, wire::Socket::kChannel, wire::Socket::kRender,
                            wire::Socket::kCard})
      connect(kind);
  }

  void run() {
    for (std::size_t n = 0; n < kMostSteps && !input_.is_over(); ++n) step();
  }

 private:
  void connect(wire::Socket kind) {
    if (held_.size() >= kMostDescriptors) return;
    auto made = uapi::connect_to(uapi::path_of(directory_, kind));
    if (!made) return;
    if (kind == wire::Socket::kChannel) {
      wire::Hello hello{};
      // A server that never greets is found by the fuzzer's own alarm, which interrupts this too.
      ssize_t got = -1;
      do {
        got = ::recv(made->get(), &hello, sizeof hello, 0);
      } while (got < 0 && errno == EINTR);
      PANTRY_CHECK(got == static_cast<ssize_t>(sizeof hello));
      channels_.push_back({made->get(), hello.channel});
    }
    held_.push_back(*std::move(made));
  }
  int any_descriptor() {
    if (held_.empty()) return -1;
    return held_[input_.take<std::uint8_t>() % held_.size()].get();
  }
  // What goes with a message: nothing, mostly.
  driver::OwnedFd attachment() {
    switch (input_.below(8)) {
      case 4:
        return driver::OwnedFd(::eventfd(0, EFD_CLOEXEC));
      case 5:
        return driver::OwnedFd(::memfd_create("fuzz", MFD_CLOEXEC));
      case 6:
      case 7: {
        const int known = any_descriptor();
        return driver::OwnedFd(known < 0 ? -1 : ::dup(known));
      }
      default:
        return {};
    }
  }

  wire::Request request(Ask ask) {
    const auto which = input_.take<std::uint8_t>();
    wire::Request request{};
    request.magic = wire::kMagic;
    request.ask = ask;
    request.channel = channels_.empty() || which >= 0xf0 ? take_number(input_)
                                                         : channels_[which % channels_.size()].id;
    request.token = next_token_++;
    request.processor = which & 15;
    return request;
  }
  // How much of the argument goes with an ioctl: all as a shim does it, nothing, or so many bytes.
  std::size_t carried_by(std::uint32_t command, unsigned how) {
    if (how == 1) return 0;
    return how == 2 ? input_.below(wire::kMostCarried + 2)
                    : _IOC_SIZE(command) % (wire::kMostCarried + 1);
  }
  void ask(const wire::Request& request, int socket, const driver::OwnedFd& attached,
           std::size_t carried = 0) {
    std::array<std::byte, sizeof request + wire::kMostCarried + 1> message{};
    std::memcpy(message.data(), &request, sizeof request);
    // As the client has it: at a bad pointer it has nothing.
    if (request.argument >= scratch_.address() && request.argument + carried <= scratch_.end())
      std::memcpy(message.data() + sizeof request, reinterpret_cast<const void*>(request.argument),
                  carried);
    if (!uapi::send(socket, std::span(message).first(sizeof request + carried), attached.get()))
      return;
    // A client that waits for its answer has it soon; one that does not goes on.
    for (const Channel& channel : channels_) {
      pollfd patience{channel.socket, POLLIN, 0};
      if (channel.id != request.channel || ::poll(&patience, 1, 1) != 1) continue;
      wire::Reply reply{};
      auto got = uapi::receive(channel.socket, std::as_writable_bytes(std::span(&reply, 1)));
      if (got.fd && held_.size() < kMostDescriptors) held_.push_back(std::move(got.fd));
    }
  }

  void step() {
    const auto what = input_.take<std::uint8_t>();
    switch (what & 7) {
      case 0:
        connect(wire::kListening[(what >> 3) % std::size(wire::kListening)]);
        break;
      case 1: {  // any bytes
        std::byte bytes[96];
        const std::size_t count = input_.below(sizeof bytes + 1);
        for (std::size_t n = 0; n < count; ++n) bytes[n] = input_.take<std::byte>();
        const int socket = any_descriptor();
        const driver::OwnedFd attached = attachment();
        if (!is_request(std::span(bytes, count)))
          (void)uapi::send(socket, std::span(bytes, count), attached.get());
        break;
      }
      case 2:
      case 3:
      case 4: {
        const bool of_device = (what & 7) != 4;
        const std::size_t which = input_.take<std::uint8_t>();
        const fuzz::IoctlLayout& layout =
            of_device ? fuzz::kDeviceIoctls[which % std::size(fuzz::kDeviceIoctls)]
                      : fuzz::kDescriptorIoctls[which % std::size(fuzz::kDescriptorIoctls)];
        wire::Request asked = request(Ask::kIoctl);
        asked.command = layout.command;
        asked.argument = fuzz::ArgumentMaker(input_, scratch_, house().executor.clock().now().ns)
                             .make(layout.fields);
        asked.fd_state = static_cast<wire::FdState>(what >> 3 & 3);
        const int socket = any_descriptor();
        const driver::OwnedFd attached = attachment();
        ask(asked, socket, attached, carried_by(asked.command, what >> 5 & 3));
        break;
      }
      case 5:
      case 6: {  // mappings, sizes, texts, stores, cancellations, and what no version knows
        wire::Request asked = request(static_cast<Ask>(1 + what / 8 % 8));
        if ((what & 7) == 6) asked.argument = take_number(input_);
        asked.length = take_number(input_);
        asked.protection = input_.take<std::uint8_t>() & 7;
        asked.flags = static_cast<std::int32_t>(take_number(input_));
        if (asked.ask == Ask::kCancel && asked.length < next_token_) asked.token = asked.length;
        if (asked.ask == Ask::kStore && (what & 7) == 5) {
          const auto text = scratch_.place(input_.below(16));
          for (std::uint8_t& letter : text) letter = input_.take<std::uint8_t>();
          asked.argument = scratch_.address_of(text);
          asked.length = text.size();
        }
        const int socket = any_descriptor();
        ask(asked, socket, attachment());
        break;
      }
      default:
        if (!held_.empty()) {
          const std::size_t which = input_.take<std::uint8_t>() % held_.size();
          std::erase_if(channels_, [&](const Channel& channel) {
            return channel.socket == held_[which].get();
          });
          held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(which));
        }
        break;
    }
  }
  // Its pointers would lead anywhere: requests are made by ask().
  static bool is_request(std::span<const std::byte> bytes) {
    std::uint32_t magic = 0;
    if (bytes.size() >= sizeof magic) std::memcpy(&magic, bytes.data(), sizeof magic);
    return bytes.size() >= sizeof(wire::Request) && magic == wire::kMagic;
  }

  struct Channel {
    int socket;
    std::uint64_t id;
  };
  const std::string directory_;
  fuzz::Input input_;
  fuzz::Scratch scratch_;
  std::vector<driver::OwnedFd> held_;
  std::vector<Channel> channels_;
  std::uint64_t next_token_ = 1;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  uapi::Machine& machine = *house().machine;
  const uapi::Machine::Baseline before = machine.baseline();
  const std::size_t descriptors = fuzz::open_descriptors();
  {
    const auto server = uapi::Server::create(machine, house().directory, nullptr).value();
    std::thread serving([&] { server->run(); });
    Clients(house().directory, fuzz::Input(data, size)).run();
    // Nobody is left, which the server notices soon.
    for (int n = 0; server->connections() != 0; ++n) {
      PANTRY_CHECK(n < 100'000);
      ::usleep(100);
    }
    server->stop();
    serving.join();
    // It leaves its sockets to whoever owns the directory.
    for (const wire::Socket kind : wire::kListening)
      std::filesystem::remove(uapi::path_of(house().directory, kind));
  }
  PANTRY_CHECK(machine.baseline() == before);
  PANTRY_CHECK(fuzz::open_descriptors() == descriptors);
  return 0;
}
