// SPDX-License-Identifier: MIT
//
// The host's end of one descriptor that a client holds. Used by the server's thread only.
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

// card, render: one open device node.
class DeviceConnection final : public Connection {
 public:
  DeviceConnection(Server& server, driver::OwnedFd socket, driver::NodeType node);
  ~DeviceConnection() override;
  int socket() const override { return socket_.get(); }
  Next on_readable() override;
  void cancel(std::uint64_t token) override { session_->cancel(token); }

 private:
  void start_ioctl(Incoming& incoming, Ref<Channel> channel);
  void mmap(const wire::Request& request, Channel& channel);

  Server& server_;
  const driver::OwnedFd socket_;
  std::unique_ptr<Session> session_;
};

// sync_file: the client's end becomes readable when the fence signals, as poll() expects.
class SyncFileConnection final : public Connection, private driver::FenceCallback {
 public:
  SyncFileConnection(Server& server, driver::OwnedFd socket, std::uint64_t client_cookie,
                     Ref<driver::SyncFile> file);
  ~SyncFileConnection() override;
  int socket() const override { return socket_.get(); }
  Next on_readable() override;
  std::uint64_t cookie() const override { return client_cookie_; }

 private:
  void on_signalled(driver::Fence& fence) noexcept override;

  Server& server_;
  const driver::OwnedFd socket_;
  const std::uint64_t client_cookie_;
  const Ref<driver::SyncFile> file_;
};

// syncobj: opaque to the client; exists to be passed around and imported.
class SyncobjConnection final : public Connection {
 public:
  SyncobjConnection(driver::OwnedFd socket, std::uint64_t client_cookie)
      : socket_(std::move(socket)), client_cookie_(client_cookie) {}
  int socket() const override { return socket_.get(); }
  Next on_readable() override;
  std::uint64_t cookie() const override { return client_cookie_; }

 private:
  const driver::OwnedFd socket_;
  const std::uint64_t client_cookie_;
};

// dma_buf: keeps the buffer alive as long as the client has a copy of the descriptor.
class DmaBufConnection final : public Connection {
 public:
  DmaBufConnection(Server& server, driver::OwnedFd socket, std::uint64_t client_cookie,
                   Ref<driver::Buffer> buffer, NewFd::Access access);
  int socket() const override { return socket_.get(); }
  Next on_readable() override;
  void cancel(std::uint64_t token) override { pending_.cancel(token); }
  std::uint64_t cookie() const override { return client_cookie_; }

 private:
  void mmap(const wire::Request& request, Channel& channel);
  void start_ioctl(Incoming& incoming, Ref<Channel> channel);

  Server& server_;
  const driver::OwnedFd socket_;
  const std::uint64_t client_cookie_;
  const Ref<driver::Buffer> buffer_;
  const NewFd::Access access_;
  PendingIoctls pending_;
};

// sw_sync: a timeline, which ends when the last copy of the descriptor is closed.
class SwSyncConnection final : public Connection {
 public:
  SwSyncConnection(Server& server, driver::OwnedFd socket, Ref<driver::SwTimeline> timeline);
  ~SwSyncConnection() override;
  int socket() const override { return socket_.get(); }
  Next on_readable() override;

 private:
  Server& server_;
  const driver::OwnedFd socket_;
  const Ref<driver::SwTimeline> timeline_;
};

// gpuvas, gems: somebody who reads that file of debugfs.
class DebugfsConnection final : public Connection {
 public:
  using Make = std::string (*)(driver::Device& device);  // of the text
  DebugfsConnection(Server& server, driver::OwnedFd socket, Make make)
      : server_(server), socket_(std::move(socket)), make_(make) {}
  int socket() const override { return socket_.get(); }
  Next on_readable() override;

 private:
  Server& server_;
  const driver::OwnedFd socket_;
  const Make make_;
};

// profiling: somebody who has that attribute open.
class ProfilingConnection final : public Connection {
 public:
  ProfilingConnection(Server& server, driver::OwnedFd socket)
      : server_(server), socket_(std::move(socket)) {}
  int socket() const override { return socket_.get(); }
  Next on_readable() override;
  // Text that comes as a plain message has no answer, so its sender has gone on: to read the
  // attribute again, or to submit a job.
  bool goes_first() const override { return true; }
  // Hello, text, end.
  void greet() const;

 private:
  void answer(const wire::Request& request, pid_t pid);

  Server& server_;
  const driver::OwnedFd socket_;
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
