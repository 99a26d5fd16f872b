// SPDX-License-Identifier: MIT
#include "uapi/server/server.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <exception>
#include <fstream>
#include <span>
#include <thread>

#include "base/all_signals_blocked.h"
#include "base/log.h"
#include "driver/kernel/clock.h"
#include "uapi/debugfs.h"
#include "uapi/machine/eventfd.h"
#include "uapi/server/connection.h"

namespace pantry::uapi {
namespace {

constexpr int kEventsAtOnce = 64;
// epoll data: connections by pointer, with kFirst for those that go first; the rest by small
// numbers.
constexpr std::uint64_t kStopTag = 1;
constexpr std::uint64_t kListenerTag = 2;

bool watch(int epoll, int fd, std::uint64_t tag) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP;
  event.data.u64 = tag;
  return ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

driver::OwnedFd new_spare() { return driver::OwnedFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

// Whether there is such a file on this minor.
bool exists(wire::Socket socket, const Features& features) {
  if (socket == wire::Socket::kGems) return features.debugfs_gems;
  return socket != wire::Socket::kProfiling || features.profiling;
}

// What the process is called (comm), or nothing if it has ended.
std::string program_of(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/comm", pid));
  std::string name;
  std::getline(file, name);
  return name;
}

constexpr std::uint64_t kFirst = 1;
static_assert(alignof(Connection) > kFirst);
bool is_connection(std::uint64_t tag) { return tag >= kListenerTag + wire::kSocketCount; }
std::uint64_t tag_of(const Connection& connection) {
  return reinterpret_cast<std::uint64_t>(&connection) | (connection.goes_first() ? kFirst : 0);
}
Connection* connection_of(std::uint64_t tag) {
  return reinterpret_cast<Connection*>(tag & ~kFirst);
}

// epoll tells of a descriptor that it told of last time in the place that it had then.
bool goes_first(const epoll_event& event) {
  return is_connection(event.data.u64) && (event.data.u64 & kFirst) != 0;
}

}  // namespace

Server::Server(Machine& machine, std::string directory, ServerObserver* observer)
    : machine_(machine), directory_(std::move(directory)), observer_(observer) {
  // Not guessable, so that a client cannot name another's channel even by accident.
  if (::getrandom(&next_channel_, sizeof next_channel_, 0) != sizeof next_channel_)
    next_channel_ = 1;
}

Result<std::unique_ptr<Server>> Server::create(Machine& machine, const std::string& directory,
                                               ServerObserver* observer) {
  std::unique_ptr<Server> server(new Server(machine, directory, observer));
  PANTRY_TRY(server->listen());
  return server;
}

Server::~Server() {
  for (;;) {
    std::shared_ptr<Connection> any;
    {
      MutexLock lock(mutex_);
      if (connections_.empty()) return;
      any = connections_.begin()->second;
    }
    remove(std::move(any));
  }
}

BesideClient& Server::beside_client() {
  static thread_local BesideClient beside_client;
  return beside_client;
}

Result<> Server::listen() {
  epoll_ = driver::OwnedFd(::epoll_create1(EPOLL_CLOEXEC));
  stop_ = driver::OwnedFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  spare_ = new_spare();
  if (!epoll_ || !stop_ || !spare_ || !watch(epoll_.get(), stop_.get(), kStopTag))
    return Error(static_cast<Errno>(errno));
  for (const wire::Socket socket : wire::kListening) {
    if (!exists(socket, machine_.features())) continue;
    const auto kind = static_cast<std::uint32_t>(socket);
    PANTRY_TRY_ASSIGN(listeners_[kind], listen_at(path_of(directory_, socket)));
    if (!watch(epoll_.get(), listeners_[kind].get(), kListenerTag + kind))
      return Error(static_cast<Errno>(errno));
  }
  return {};
}

void Server::stop() {
  const std::uint64_t one = 1;
  if (::write(stop_.get(), &one, sizeof one) != sizeof one)
    log_error("uapi/server", "cannot be stopped");
}

int Server::wait_for(std::span<epoll_event> events) {
  const int most = static_cast<int>(events.size());
  if (beside_client().polls()) {
    const std::int64_t end = wire::poll_clock_ns() + wire::kPollNs;
    do {
      if (const int count = ::epoll_wait(epoll_.get(), events.data(), most, 0); count > 0) {
        beside_client().found();
        return count;
      }
    } while (wire::poll_clock_ns() < end);
    beside_client().in_vain();
  }
  return ::epoll_wait(epoll_.get(), events.data(), most, -1);
}

void Server::run() {
  serve_clients();
  while (turn_.await(Turn::Thread::kFirst)) serve_clients();
  // Nobody has the turn any more, so nobody calls another.
  MutexLock lock(mutex_);
  while (others_ != 0) other_gone_.wait(mutex_);
}

void Server::call_another() {
  if (observer_ && observer_->calls() == ServerObserver::Calls::kOneAtATime) return;
  if (turn_.awaited()) return;
  {
    MutexLock lock(mutex_);
    ++others_;
  }
  try {
    const AllSignalsBlocked blocked;
    std::thread([this]() PANTRY_MAY_WAIT {
      ::pthread_setname_np(::pthread_self(), "server");
      while (turn_.await(Turn::Thread::kOther)) serve_clients();
      other_is_gone();
    }).detach();
  } catch (const std::exception& error) {
    log_error("uapi/server", "no further thread, so one slow request delays others: {}",
              error.what());
    other_is_gone();
  }
}

void Server::other_is_gone() {
  MutexLock lock(mutex_);
  --others_;
  other_gone_.notify_all();
}

void Server::serve_clients() {
  call_another();
  std::array<epoll_event, kEventsAtOnce> events;
  for (;;) {
    const int count = wait_for(events);
    const std::span ready = std::span(events).first(static_cast<std::size_t>(std::max(count, 0)));
    auto others = ready.begin();
    for (auto event = ready.begin(); event != ready.end(); ++event)
      if (goes_first(*event)) std::rotate(others++, event, event + 1);
    for (const epoll_event& event : ready) {
      const std::uint64_t tag = event.data.u64;
      if (tag == kStopTag) {
        std::uint64_t taken = 0;
        if (::read(stop_.get(), &taken, sizeof taken) == sizeof taken) return turn_.stop();
      } else if (!is_connection(tag)) {
        accept(static_cast<wire::Socket>(tag - kListenerTag));
      } else {
        const std::uint64_t loan = turn_.lend();
        serve(connection_of(tag));
        // The other one finds what is left of the events.
        if (!turn_.regain(loan)) return;
      }
    }
  }
}

void Server::serve(Connection* at) {
  // None, if it was removed by an earlier event of this round, or by another thread.
  std::shared_ptr<Connection> connection = find(at);
  if (connection && connection->on_readable() == Connection::Next::kClose)
    remove(std::move(connection));
}

std::shared_ptr<Connection> Server::find(Connection* connection) {
  MutexLock lock(mutex_);
  const auto known = connections_.find(connection);
  return known != connections_.end() ? known->second : nullptr;
}

void Server::accept(wire::Socket kind) {
  Result<driver::OwnedFd> socket = accept_from(listeners_[static_cast<std::uint32_t>(kind)].get());
  if (!socket) return turn_away(kind);
  if (*socket) serve(kind, *std::move(socket));
}

// The client waits in the listener's queue, which would wake us for ever.
void Server::turn_away(wire::Socket kind) {
  spare_ = {};
  {
    const Result<driver::OwnedFd> socket =
        accept_from(listeners_[static_cast<std::uint32_t>(kind)].get());
    if (socket && *socket)
      log_error("uapi/server", "no descriptor is left: process {} is turned away",
                peer_of(socket->get()).pid);
    // Not ours alone then: the whole system has none, until others give some back.
    if (!socket) machine_.device().executor().clock().sleep(milliseconds(1));
  }
  spare_ = new_spare();
}

namespace {

void greet(int socket, const wire::Hello& hello) {
  send(socket, std::as_bytes(std::span(&hello, 1)), -1);
}

}  // namespace

void Server::serve(wire::Socket kind, driver::OwnedFd socket) {
  const Peer peer = peer_of(socket.get());
  if (peer.uid != ::geteuid()) {
    log_client("uapi/server", "process {} of user {}: this host serves user {}", peer.pid, peer.uid,
               ::geteuid());
    return greet(socket.get(), {0, negated(Errno::kAcces)});
  }
  auto charge = account_of(peer.pid)->charge(driver::Resource::kDescriptors, 1);
  if (!charge) return greet(socket.get(), {0, negated(charge.error())});
  driver::Held<driver::OwnedFd> charged{std::move(socket), *std::move(charge)};
  switch (kind) {
    case wire::Socket::kCard:
      return open_node(driver::NodeType::kPrimary, std::move(charged));
    case wire::Socket::kRender:
      return open_node(driver::NodeType::kRender, std::move(charged));
    case wire::Socket::kChannel:
      return open_channel(std::move(charged));
    case wire::Socket::kGpuvas:
      return open_debugfs(debugfs_gpuvas, std::move(charged));
    case wire::Socket::kGems:
      return open_debugfs(debugfs_gems, std::move(charged));
    case wire::Socket::kClients:
      return open_debugfs(debugfs_clients, std::move(charged));
    case wire::Socket::kGemNames:
      return open_debugfs(debugfs_gem_names, std::move(charged));
    case wire::Socket::kProfiling: {
      auto connection = std::make_shared<ProfilingConnection>(*this, std::move(charged));
      const ProfilingConnection& greeted = *connection;
      if (add(std::move(connection))) greeted.greet();
      return;
    }
    case wire::Socket::kSwSync: {
      Result<Ref<driver::SwTimeline>> timeline = driver::SwTimeline::create(program_of(peer.pid));
      if (!timeline) return;  // hangs up
      const int greeted = charged.object.get();
      if (add(std::make_shared<SwSyncConnection>(*this, std::move(charged), *std::move(timeline))))
        greet(greeted, {});
      return;
    }
    case wire::Socket::kSyncFile:
    case wire::Socket::kSyncobj:
    case wire::Socket::kDmaBuf:
      break;  // nobody listens there
  }
}

void Server::open_node(driver::NodeType node, driver::Held<driver::OwnedFd> socket) {
  const int greeted = socket.object.get();
  if (machine_.device().unplugged()) return greet(greeted, {0, negated(Errno::kNoDev)});
  if (add(std::make_shared<DeviceConnection>(*this, std::move(socket), node))) greet(greeted, {});
}

void Server::open_debugfs(std::string (*make)(driver::Device&),
                          driver::Held<driver::OwnedFd> socket) {
  static_cast<void>(add(std::make_shared<DebugfsConnection>(*this, std::move(socket), make)));
}

void Server::open_channel(driver::Held<driver::OwnedFd> socket) {
  wire::Hello hello{};
  Ref<Channel> channel;
  {
    MutexLock lock(mutex_);
    hello.channel = next_channel_++;
    const pid_t pid = peer_of(socket.object.get()).pid;
    channel = make_ref<Channel>(std::move(socket), hello.channel, pid);
    channels_.emplace(hello.channel, channel);
  }
  if (add(std::make_shared<ChannelConnection>(*this, channel))) greet(channel->socket(), hello);
}

Ref<driver::Account> Server::account_of(pid_t pid) {
  MutexLock lock(mutex_);
  if (const auto known = accounts_.find(pid); known != accounts_.end()) return known->second;
  if (accounts_.size() >= sweep_accounts_at_) {
    std::erase_if(accounts_, [](const auto& entry) { return entry.second->references() == 1; });
    sweep_accounts_at_ = std::max(kFirstSweep, 2 * accounts_.size());
  }
  return accounts_.emplace(pid, machine_.new_account(pid, program_of(pid))).first->second;
}

Result<> Server::add(std::shared_ptr<Connection> connection) {
  Connection& added = *connection;
  Registered refused;
  MutexLock lock(mutex_);
  added.number = ++last_number_;
  connections_.emplace(&added, std::move(connection));
  // From now on another thread may be told of it, and waits for the lock.
  if (!watch(epoll_.get(), added.socket(), tag_of(added))) {
    const Errno error = static_cast<Errno>(errno);
    log_error("uapi/server", "a connection cannot be watched: {}", name_of(error));
    refused = take(added);
    return Error(error);
  }
  connection_count_.fetch_add(1, std::memory_order_acq_rel);
  return {};
}

void Server::remove(std::shared_ptr<Connection> connection) {
  {
    Registered removed;
    MutexLock lock(mutex_);
    removed = take(*connection);
    if (!removed.itself) return;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, connection->socket(), nullptr);
  }
  // It counts until it is gone, or for those alone that still serve a request of its.
  connection = nullptr;
  connection_count_.fetch_sub(1, std::memory_order_acq_rel);
}

Server::Registered Server::take(Connection& connection) {
  Registered taken;
  taken.itself = connections_.extract(&connection);
  if (!taken.itself) return taken;
  taken.object = objects_.extract(connection.cookie());
  taken.channel = channels_.extract(connection.channel_id());
  return taken;
}

Ref<Channel> Server::channel(std::uint64_t id, pid_t pid) {
  MutexLock lock(mutex_);
  const auto it = channels_.find(id);
  return it != channels_.end() && it->second->pid() == pid ? it->second : nullptr;
}

void Server::give_up(const Channel::Asked& asked) {
  const std::shared_ptr<Connection> connection = find(asked.over);
  if (connection && connection->number == asked.connection) connection->cancel(asked.token);
}

FdObject Server::identify(wire::FdState state, driver::OwnedFd fd) {
  if (state == wire::FdState::kBad || !fd) return BadFd{};
  {
    MutexLock lock(mutex_);
    if (const auto it = objects_.find(cookie_of(fd.get())); it != objects_.end())
      return std::visit([](const auto& object) -> FdObject { return object; }, it->second);
  }
  if (is_eventfd(fd.get())) return EventFd{std::move(fd)};
  return ForeignFd{};
}

Result<driver::OwnedFd> Server::descriptor_for(const NewFd& wanted, pid_t pid) {
  PANTRY_TRY_ASSIGN(driver::Charge charge,
                    account_of(pid)->charge(driver::Resource::kDescriptors, 1));
  const auto* file = std::get_if<Ref<driver::SyncFile>>(&wanted.object);
  const auto* buffer = std::get_if<Ref<driver::Buffer>>(&wanted.object);
  const wire::Socket kind = file     ? wire::Socket::kSyncFile
                            : buffer ? wire::Socket::kDmaBuf
                                     : wire::Socket::kSyncobj;
  PANTRY_TRY_ASSIGN(SocketPair ends, pair_named(path_of(directory_, kind)));
  const bool writes = buffer && wanted.access == NewFd::Access::kReadWrite;
  wire::note_access_mode(ends.far_end.get(), writes ? O_RDWR : O_RDONLY);
  const std::uint64_t cookie = cookie_of(ends.far_end.get());
  driver::Held<driver::OwnedFd> near_end{std::move(ends.near_end), std::move(charge)};
  std::shared_ptr<Connection> connection;
  if (file)
    connection = std::make_shared<SyncFileConnection>(*this, std::move(near_end), cookie, *file);
  else if (buffer)
    connection = std::make_shared<DmaBufConnection>(*this, std::move(near_end), cookie, *buffer,
                                                    wanted.access);
  else
    connection = std::make_shared<SyncobjConnection>(std::move(near_end), cookie);
  {
    MutexLock lock(mutex_);
    objects_.emplace(cookie, wanted.object);
  }
  PANTRY_TRY(add(std::move(connection)));
  return std::move(ends.far_end);
}

}  // namespace pantry::uapi
