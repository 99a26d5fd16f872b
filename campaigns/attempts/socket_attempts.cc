// SPDX-License-Identifier: MIT
//
// What a process can do that speaks to the host's sockets itself, or puts something else in their
// place.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>

#include "base/check.h"
#include "campaigns/attempts/attempt.h"
#include "uapi/server/socket_directory.h"

namespace pantry::redteam {
namespace {

using Effect = Attempt::Effect;
namespace wire = pantry::wire;
namespace fs = std::filesystem;

constexpr timeval kShort{0, 200'000};

driver::OwnedFd connect(Scene& scene, wire::Socket kind) {
  auto made = uapi::connect_to(uapi::path_of(scene.directory(), kind));
  return made ? *std::move(made) : driver::OwnedFd();
}

// What the host says first; an error of ours when it hangs up.
wire::Hello hello_of(const driver::OwnedFd& socket) {
  wire::Hello hello{0, -EPIPE};
  if (::recv(socket.get(), &hello, sizeof hello, 0) != static_cast<ssize_t>(sizeof hello))
    hello.error = -EPIPE;
  return hello;
}

struct WireClient {
  explicit WireClient(Scene& scene)
      : channel(connect(scene, wire::Socket::kChannel)),
        device(connect(scene, wire::Socket::kRender)),
        id(hello_of(channel).channel) {
    PANTRY_CHECK(hello_of(device).error == 0);
    ::setsockopt(channel.get(), SOL_SOCKET, SO_RCVTIMEO, &kShort, sizeof kShort);
  }
  wire::Request version_request() {
    wire::Request request{};
    request.magic = wire::kMagic;
    request.channel = id;
    request.token = 1;
    request.command = DRM_IOCTL_VERSION;
    request.argument = reinterpret_cast<std::uint64_t>(&version);
    return request;
  }
  // The reply, or kNothing when none comes.
  int answer_to(const driver::OwnedFd& socket, const wire::Request& request,
                std::size_t bytes = sizeof(wire::Request)) {
    std::array<std::byte, sizeof request + wire::kMostCarried + 1> message{};
    std::memcpy(message.data(), &request, sizeof request);
    PANTRY_CHECK(uapi::send(socket.get(), std::span(message).first(bytes), -1));
    wire::Reply reply{};
    if (::recv(channel.get(), &reply, sizeof reply, 0) != static_cast<ssize_t>(sizeof reply))
      return -ETIMEDOUT;
    return reply.result;
  }
  drm_version version{};
  const driver::OwnedFd channel;
  const driver::OwnedFd device;
  const std::uint64_t id;
};

int directory_error(const std::string& path) {
  const auto made = uapi::SocketDirectory::create(path);
  return made ? 0 : negated(made.error());
}

// A client's mistake only as far as the attempt goes: it is the one who starts a host, or joins it,
// that is told, in the log as well.
std::string host_directory(Scene& scene) {
  const std::string path = scene.directory() + "/host";
  PANTRY_CHECK(::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST);
  return path;
}

// In a child, so that it is another process; `act` makes system calls only.
template <class Act>
int in_another_process(Act act) {
  const pid_t child = ::fork();
  PANTRY_CHECK(child >= 0);
  if (child == 0) ::_exit(act());
  int status = 0;
  PANTRY_CHECK(::waitpid(child, &status, 0) == child && WIFEXITED(status));
  return WEXITSTATUS(status);
}

constexpr Attempt kAttempts[] = {
    {"a request that is too short", ETIMEDOUT, Effect::kReads,
     [](Scene& s, Side side) {
       WireClient client(s);
       return client.answer_to(client.device, client.version_request(),
                               sizeof(wire::Request) - (side == Side::kAttack ? 1 : 0));
     }},
    {"a request without a byte", ETIMEDOUT, Effect::kReads,
     [](Scene& s, Side side) {
       WireClient client(s);
       return client.answer_to(client.device, client.version_request(),
                               side == Side::kAttack ? 0 : sizeof(wire::Request));
     }},
    {"a request that is too long", ETIMEDOUT, Effect::kReads,
     [](Scene& s, Side side) {
       WireClient client(s);
       return client.answer_to(
           client.device, client.version_request(),
           sizeof(wire::Request) + wire::kMostCarried + (side == Side::kAttack ? 1 : 0));
     }},
    {"an argument behind a question that has none", ETIMEDOUT, Effect::kReads,
     [](Scene& s, Side side) {
       WireClient client(s);
       wire::Request request = client.version_request();
       request.ask = wire::Ask::kText;
       return client.answer_to(client.device, request,
                               sizeof request + (side == Side::kAttack ? 8 : 0));
     }},
    {"a request without the magic", ETIMEDOUT, Effect::kReads,
     [](Scene& s, Side side) {
       WireClient client(s);
       wire::Request request = client.version_request();
       if (side == Side::kAttack) request.magic ^= 1;
       return client.answer_to(client.device, request);
     }},
    {"a reply into a channel that is guessed", ETIMEDOUT, Effect::kReads,
     [](Scene& s, Side side) {
       WireClient client(s);
       wire::Request request = client.version_request();
       if (side == Side::kAttack) ++request.channel;
       return client.answer_to(client.device, request);
     }},
    {"a reply into the channel of another process", ETIMEDOUT, Effect::kReads,
     [](Scene& s, Side side) {
       // It would have the host write into the memory of whose channel it names.
       WireClient client(s);
       const wire::Request request = client.version_request();
       const auto send = [&] {
         return ::send(client.device.get(), &request, sizeof request, 0) < 0 ? 1 : 0;
       };
       if (side == Side::kAttack)
         PANTRY_CHECK(in_another_process(send) == 0);
       else
         PANTRY_CHECK(send() == 0);
       wire::Reply reply{};
       return ::recv(client.channel.get(), &reply, sizeof reply, 0) < 0 ? -ETIMEDOUT : reply.result;
     }},
    {"an unknown question", EINVAL, Effect::kReads,
     [](Scene& s, Side side) {
       WireClient client(s);
       wire::Request request = client.version_request();
       if (side == Side::kAttack) request.ask = static_cast<wire::Ask>(77);
       return client.answer_to(client.device, request);
     }},
    {"an ioctl over a channel", ETIMEDOUT, Effect::kReads,
     [](Scene& s, Side side) {
       WireClient client(s);
       return client.answer_to(side == Side::kAttack ? client.channel : client.device,
                               client.version_request());
     }},
    {"another's memory as the argument", EFAULT, Effect::kReads,
     [](Scene& s, Side side) {
       WireClient client(s);
       wire::Request request = client.version_request();
       if (side == Side::kAttack) request.argument = 64;
       return client.answer_to(client.device, request);
     }},
    {"connect where the host makes its own connections", Attempt::kNothing, Effect::kReads,
     [](Scene& s, Side side) {
       return connect(s, side == Side::kAttack ? wire::Socket::kSyncFile : wire::Socket::kChannel)
                  ? 0
                  : Attempt::kNothing;
     }},
    {"connect as another user", EACCES, Effect::kReads,
     [](Scene& s, Side side) {
       // What keeps it out in the first place is taken away.
       const std::string path = s.directory() + "/channel";
       PANTRY_CHECK(::chmod(s.directory().c_str(), 0755) == 0 && ::chmod(path.c_str(), 0666) == 0);
       return -in_another_process([&] {
         if (side == Side::kAttack && ::setuid(65534) != 0) return EPERM;
         const driver::OwnedFd socket = connect(s, wire::Socket::kChannel);
         return static_cast<int>(-hello_of(socket).error);
       });
     },
     nullptr, [] { return ::geteuid() == 0 ? nullptr : "only root can become another user"; }},
};

// The same on the side of who hosts and who joins; errors of theirs, logged as errors.
constexpr Attempt kPathAttempts[] = {
    {"host in a directory that is a symbolic link", EACCES, Effect::kReads,
     [](Scene& s, Side side) {
       const std::string path = host_directory(s);
       const std::string link = s.directory() + "/link";
       fs::create_directory_symlink(path, link);
       return directory_error(side == Side::kAttack ? link : path);
     }},
    {"host in a directory that others may enter", EACCES, Effect::kReads,
     [](Scene& s, Side side) {
       const std::string path = host_directory(s);
       if (side == Side::kAttack) fs::permissions(path, fs::perms::all);
       return directory_error(path);
     }},
    {"join a host whose socket is a symbolic link", EACCES, Effect::kReads,
     [](Scene& s, Side side) {
       if (side == Side::kAttack) {
         fs::rename(s.directory() + "/render", s.directory() + "/elsewhere");
         fs::create_symlink(s.directory() + "/elsewhere", s.directory() + "/render");
       }
       const auto checked = uapi::check_host(s.directory());
       return checked ? 0 : negated(checked.error());
     }},
    {"join a host through a symbolic link", EACCES, Effect::kReads,
     [](Scene& s, Side side) {
       const std::string link = s.directory() + "/link";
       fs::create_directory_symlink(s.directory(), link);
       const auto checked = uapi::check_host(side == Side::kAttack ? link : s.directory());
       fs::remove(link);
       return checked ? 0 : negated(checked.error());
     }},
};

}  // namespace

std::span<const Attempt> socket_attempts() { return kAttempts; }
std::span<const Attempt> path_attempts() { return kPathAttempts; }

}  // namespace pantry::redteam
