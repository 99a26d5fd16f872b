// SPDX-License-Identifier: MIT
//
// The host's end of one descriptor that a client holds. While a thread of the server serves a
// request that came over it, another may take the next, and may find that the peer has hung up:
// then it lives, and is charged to the client, until all are done.
#pragma once

#include <string>

#include "driver/sync/sw_timeline.h"
#include "driver/sync/sync_file.h"
#include "uapi/pending_ioctl.h"
#include "uapi/server/incoming.h"
#include "uapi/server/server.h"

namespace pantry::uapi {

class Connection {
 public:
  virtual ~Connection() = default;
  // Set by the server; no two of its connections ever have the same.
  std::uint64_t number = 0;
  virtual int socket() const = 0;
  // Something arrived: takes one message, so that a flood on one descriptor does not keep those who
  // use others waiting. kClose: the peer hung up.
  enum class Next { kContinue, kClose };
  virtual Next on_readable() = 0;
  // What arrived here comes before what arrived elsewhere meanwhile.
  virtual bool goes_first() const { return false; }
  // Nobody waits for this ioctl any more: if it waits, it ends with EINTR.
  virtual void cancel(std::uint64_t /*token*/) {}
  // The name of the client's end while this connection lives, 0 if it needs none; and that of a
  // channel.
  virtual std::uint64_t cookie() const { return 0; }
  virtual std::uint64_t channel_id() const { return 0; }
};

// One over which a client's threads ask for things.
class RequestConnection : public Connection {
 public:
  int socket() const override { return socket_.object.get(); }
  Next on_readable() override;

 protected:
  RequestConnection(Server& server, driver::Held<driver::OwnedFd> socket)
      : server_(server), socket_(std::move(socket)) {}
  enum class Served { kYes, kNotAsked };
  // Takes the request that has come, which waits afterwards or will have been answered; or
  // kNotAsked: this is nothing that such a descriptor is asked.
  virtual Served serve(Incoming& incoming, const Ref<Channel>& channel) = 0;
  void serve_in_turn(Incoming& incoming);

  Server& server_;
  const driver::Held<driver::OwnedFd> socket_;
};

// card, render: one open device node.
class DeviceConnection final : public RequestConnection {
 public:
  DeviceConnection(Server& server, driver::Held<driver::OwnedFd> socket, driver::NodeType node);
  ~DeviceConnection() override;
  void cancel(std::uint64_t token) override { session_->cancel(token); }

 private:
  Served serve(Incoming& incoming, const Ref<Channel>& channel) override;
  void start_ioctl(Incoming& incoming, const Ref<Channel>& channel);
  void mmap(const wire::Request& request, Channel& channel);

  std::unique_ptr<Session> session_;
};

// sync_file: the client's end becomes readable when the fence signals, as poll() expects.
class SyncFileConnection final : public RequestConnection, private driver::FenceCallback {
 public:
  SyncFileConnection(Server& server, driver::Held<driver::OwnedFd> socket,
                     std::uint64_t client_cookie, Ref<driver::SyncFile> file);
  ~SyncFileConnection() override;
  std::uint64_t cookie() const override { return client_cookie_; }

 private:
  Served serve(Incoming& incoming, const Ref<Channel>& channel) override;
  void on_signalled(driver::Fence& fence) noexcept override;

  const std::uint64_t client_cookie_;
  const Ref<driver::SyncFile> file_;
};

// syncobj: opaque to the client; exists to be passed around and imported.
class SyncobjConnection final : public Connection {
 public:
  SyncobjConnection(driver::Held<driver::OwnedFd> socket, std::uint64_t client_cookie)
      : socket_(std::move(socket)), client_cookie_(client_cookie) {}
  int socket() const override { return socket_.object.get(); }
  Next on_readable() override;
  std::uint64_t cookie() const override { return client_cookie_; }

 private:
  const driver::Held<driver::OwnedFd> socket_;
  const std::uint64_t client_cookie_;
};

// dma_buf: keeps the buffer alive as long as the client has a copy of the descriptor.
class DmaBufConnection final : public RequestConnection {
 public:
  DmaBufConnection(Server& server, driver::Held<driver::OwnedFd> socket,
                   std::uint64_t client_cookie, Ref<driver::Buffer> buffer, NewFd::Access access);
  void cancel(std::uint64_t token) override { pending_.cancel(token); }
  std::uint64_t cookie() const override { return client_cookie_; }

 private:
  Served serve(Incoming& incoming, const Ref<Channel>& channel) override;
  void mmap(const wire::Request& request, Channel& channel);
  void start_ioctl(Incoming& incoming, const Ref<Channel>& channel);

  const std::uint64_t client_cookie_;
  const Ref<driver::Buffer> buffer_;
  const NewFd::Access access_;
  PendingIoctls pending_;
};

// sw_sync: a timeline, which ends when the last copy of the descriptor is closed.
class SwSyncConnection final : public RequestConnection {
 public:
  SwSyncConnection(Server& server, driver::Held<driver::OwnedFd> socket,
                   Ref<driver::SwTimeline> timeline);
  ~SwSyncConnection() override;

 private:
  Served serve(Incoming& incoming, const Ref<Channel>& channel) override;

  const Ref<driver::SwTimeline> timeline_;
};

// gpuvas, gems: somebody who reads that file of debugfs.
class DebugfsConnection final : public RequestConnection {
 public:
  using Make = std::string (*)(driver::Device& device);  // of the text
  DebugfsConnection(Server& server, driver::Held<driver::OwnedFd> socket, Make make)
      : RequestConnection(server, std::move(socket)), make_(make) {}

 private:
  Served serve(Incoming& incoming, const Ref<Channel>& channel) override;

  const Make make_;
};

// profiling: somebody who has that attribute open.
class ProfilingConnection final : public RequestConnection {
 public:
  ProfilingConnection(Server& server, driver::Held<driver::OwnedFd> socket)
      : RequestConnection(server, std::move(socket)) {}
  Next on_readable() override;
  // Text that comes as a plain message has no answer, so its sender has gone on: to read the
  // attribute again, or to submit a job.
  bool goes_first() const override { return true; }
  // Hello, text, end.
  void greet() const;

 private:
  Served serve(Incoming& incoming, const Ref<Channel>& channel) override;

  Mutex text_;  // in the order in which it came
};

class ChannelConnection final : public Connection {
 public:
  ChannelConnection(Server& server, Ref<Channel> channel)
      : server_(server), channel_(std::move(channel)) {}
  int socket() const override { return channel_->socket(); }
  Next on_readable() override;
  std::uint64_t channel_id() const override { return channel_->id(); }

 private:
  Server& server_;
  const Ref<Channel> channel_;
};

}  // namespace pantry::uapi
