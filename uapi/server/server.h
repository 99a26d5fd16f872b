// SPDX-License-Identifier: MIT
//
// Serves one machine to client processes (protocol.h). One thread at a time does the socket work,
// and serves what it finds; ioctls that wait hold no thread. A client that is stopped, slow or
// killed delays nobody: replies never block, the hang-up of its sockets releases what it had, and
// where a request takes long (a large bind, client memory that is slow to come) another thread goes
// on with the socket work (turn.h). There are as many threads as requests that take long, each with
// a channel of its own, which is charged to its client until it ends; and two. Of each descriptor
// that has requests one is taken in turn, so a client that floods one delays others by one request
// at a time.
//
// Serves the user that it runs as. What a process holds at once is bounded (driver/kernel/quota.h).
#pragma once

#include <sys/epoll.h>

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>

#include "uapi/machine/machine.h"
#include "uapi/server/beside_client.h"
#include "uapi/server/channel.h"
#include "uapi/server/server_observer.h"
#include "uapi/server/turn.h"

namespace pantry::uapi {

class Connection;

class Server {
 public:
  // Listens in `directory`, which exists and is private to this user. `observer` may be null. The
  // errno of the host.
  static Result<std::unique_ptr<Server>> create(Machine& machine, const std::string& directory,
                                                ServerObserver* observer);
  // Not running. Releases every client.
  ~Server();

  // Serves until stop(); on a thread of the caller's, and others, which are done by the time it
  // returns. A request that never ends keeps it from returning.
  void run() PANTRY_MAY_WAIT;
  // Any thread.
  void stop();
  // Descriptors that clients hold: device nodes, sync_files, syncobjs, dma-bufs and channels.
  std::size_t connections() const { return connection_count_.load(std::memory_order_acquire); }

  // For the connections, on any thread of the server.
  Machine& machine() { return machine_; }
  ServerObserver* observer() { return observer_; }
  // Of the calling thread.
  static BesideClient& beside_client();
  Ref<Channel> channel(std::uint64_t id, pid_t pid);
  // Whoever asked is gone. No effect where the ioctl is done, or its connection closed.
  void give_up(const Channel::Asked& asked);
  // What the process may hold, and holds: one for all its files.
  Ref<driver::Account> account_of(pid_t pid);
  // What a descriptor that a client passed stands for.
  FdObject identify(wire::FdState state, driver::OwnedFd fd);
  // A descriptor for the process: the far end of a new connection that stands for the object.
  // EMFILE past its quota.
  Result<driver::OwnedFd> descriptor_for(const NewFd& wanted, pid_t pid);

 private:
  Server(Machine& machine, std::string directory, ServerObserver* observer);
  Result<> listen();
  // Does the socket work until the turn is another's, or stop().
  void serve_clients();
  void serve(Connection* connection);
  // Sees to it that a thread awaits the turn.
  void call_another();
  void other_is_gone();
  // How many events; negative when interrupted.
  int wait_for(std::span<epoll_event> events);
  std::shared_ptr<Connection> find(Connection* connection);
  // What stands for a connection, and is to be destroyed without the lock.
  struct Registered {
    std::unordered_map<Connection*, std::shared_ptr<Connection>>::node_type itself;
    std::unordered_map<std::uint64_t, decltype(NewFd::object)>::node_type object;
    std::unordered_map<std::uint64_t, Ref<Channel>>::node_type channel;
  };
  Registered take(Connection& connection) PANTRY_REQUIRES(mutex_);
  void accept(wire::Socket kind);
  void serve(wire::Socket kind, driver::OwnedFd socket);
  void open_node(driver::NodeType node, driver::Held<driver::OwnedFd> socket);
  void open_channel(driver::Held<driver::OwnedFd> socket);
  void open_debugfs(std::string (*make)(driver::Device&), driver::Held<driver::OwnedFd> socket);
  void turn_away(wire::Socket kind);
  // On failure the connection is closed, and what was registered for it is forgotten.
  Result<> add(std::shared_ptr<Connection> connection);
  // No effect on one that has been removed.
  void remove(std::shared_ptr<Connection> connection);

  Machine& machine_;
  const std::string directory_;
  ServerObserver* const observer_;
  driver::OwnedFd epoll_;
  driver::OwnedFd stop_;
  driver::OwnedFd listeners_[wire::kSocketCount];
  // Given up for a moment when no descriptor is left, so that a client can be accepted and turned
  // away.
  driver::OwnedFd spare_;
  Turn turn_;
  Mutex mutex_;
  CondVar other_gone_;
  unsigned others_ PANTRY_GUARDED_BY(mutex_) = 0;  // threads that have been called
  std::uint64_t next_channel_ PANTRY_GUARDED_BY(mutex_);
  std::uint64_t last_number_ PANTRY_GUARDED_BY(mutex_) = 0;
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections_
      PANTRY_GUARDED_BY(mutex_);
  static constexpr std::size_t kFirstSweep = 16;
  std::unordered_map<pid_t, Ref<driver::Account>> accounts_ PANTRY_GUARDED_BY(mutex_);
  // So many, and those of which nothing is charged any more go: twice what was left last time.
  std::size_t sweep_accounts_at_ PANTRY_GUARDED_BY(mutex_) = kFirstSweep;
  std::unordered_map<std::uint64_t, Ref<Channel>> channels_ PANTRY_GUARDED_BY(mutex_);
  // What the client ends of sync_file, syncobj and dma_buf connections stand for, by socket cookie.
  std::unordered_map<std::uint64_t, decltype(NewFd::object)> objects_ PANTRY_GUARDED_BY(mutex_);
  std::atomic<std::size_t> connection_count_{0};
};

}  // namespace pantry::uapi
