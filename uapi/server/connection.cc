// SPDX-License-Identifier: MIT
#include "uapi/server/connection.h"

#include <drm/panthor_drm.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <new>
#include <string>
#include <string_view>

#include "base/log.h"
#include "uapi/debugfs.h"
#include "uapi/dma_buf_ioctls.h"
#include "uapi/fdinfo.h"
#include "uapi/machine/process_memory.h"
#include "uapi/server/client_credentials.h"
#include "uapi/server/request_in_flight.h"
#include "uapi/sw_sync_ioctls.h"
#include "uapi/sync_file_ioctls.h"
#include "uapi/sysfs.h"

namespace pantry::uapi {

namespace {

// The channel for the reply, or null: then nobody can be answered.
Ref<Channel> channel_of(Server& server, const Incoming& incoming) {
  Ref<Channel> channel = server.channel(incoming.request().channel, incoming.pid);
  if (!channel)
    log_client("uapi/server", "process {}: a request for a channel that is not its own",
               incoming.pid);
  else
    server.beside_client().served(incoming.request());
  return channel;
}

// Answers Ask::kText.
template <class Make>
void reply_text(Channel& channel, std::uint64_t token, Make make) {
  wire::Reply reply{token, 0, wire::Reply::Fd::kCloseOnExec, 0, 0};
  driver::OwnedFd file;
  try {
    const std::string text = make();
    file = driver::OwnedFd(::memfd_create("pantry-text", MFD_CLOEXEC));
    if (!file ||
        ::pwrite(file.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
      reply.result = negated(Errno::kNoMem);
  } catch (const std::bad_alloc&) {
    reply.result = negated(Errno::kNoMem);
  }
  if (reply.result != 0) {
    reply.fd = wire::Reply::Fd::kNone;
    file = {};
  }
  channel.reply(reply, file.get());
}

// Of a socket over which nothing can be asked.
Connection::Next only_hang_up(int socket) {
  const Incoming incoming = receive_request(socket);
  if (incoming.kind == Incoming::Kind::kRequest)
    log_client("uapi/server", "process {}: a request over what takes none", incoming.pid);
  return incoming.kind == Incoming::Kind::kHangUp ? Connection::Next::kClose
                                                  : Connection::Next::kContinue;
}

}  // namespace

Connection::Next RequestConnection::on_readable() {
  Incoming incoming = receive_request(socket());
  if (incoming.kind == Incoming::Kind::kHangUp) return Next::kClose;
  if (incoming.kind == Incoming::Kind::kRequest) serve_in_turn(incoming);
  return Next::kContinue;
}

void RequestConnection::serve_in_turn(Incoming& incoming) {
  const wire::Request& request = incoming.request();
  const std::uint64_t token = request.token;
  if (request.ask == wire::Ask::kCancel) {
    // The ioctl may be on its way into its wait.
    if (const Ref<Channel> channel = server_.channel(request.channel, incoming.pid))
      channel->cancelled(token);
    return cancel(token);
  }
  const Ref<Channel> channel = channel_of(server_, incoming);
  if (!channel) return;
  if (!channel->begin({this, number, token})) {
    log_client("uapi/server", "process {}: a request for a channel whose last has no answer yet",
               incoming.pid);
    return;
  }
  if (serve(incoming, channel) == Served::kNotAsked) {
    log_client("uapi/server", "process {}: asks {} of what cannot tell", incoming.pid,
               static_cast<std::uint32_t>(request.ask));
    channel->reply({token, negated(Errno::kInval), wire::Reply::Fd::kNone, 0, 0}, -1);
  }
  if (channel->given_up(token)) cancel(token);
}

DeviceConnection::DeviceConnection(Server& server, driver::Held<driver::OwnedFd> socket,
                                   driver::NodeType node)
    : RequestConnection(server, std::move(socket)) {
  const Peer peer = peer_of(socket_.object.get());
  session_ = server.machine().open(node, credentials_of(peer), server.account_of(peer.pid));
}

DeviceConnection::~DeviceConnection() {
  if (ServerObserver* const observer = server_.observer()) observer->on_release(*session_);
}

RequestConnection::Served DeviceConnection::serve(Incoming& incoming, const Ref<Channel>& channel) {
  const wire::Request& request = incoming.request();
  if (request.ask == wire::Ask::kIoctl)
    start_ioctl(incoming, channel);
  else if (request.ask == wire::Ask::kMmap)
    mmap(request, *channel);
  else if (request.ask == wire::Ask::kText)
    reply_text(*channel, request.token,
               [&] { return device_fdinfo(session_->file(), session_->features()); });
  else
    return Served::kNotAsked;
  return Served::kYes;
}

void DeviceConnection::start_ioctl(Incoming& incoming, const Ref<Channel>& channel) {
  const wire::Request& request = incoming.request();
  auto* const in_flight = new RequestInFlight(server_, channel, incoming);
  IoctlRequest ioctl{request.command,
                     {request.argument},
                     server_.identify(request.fd_state, std::move(incoming.fd)),
                     in_flight};
  if (ServerObserver* const observer = server_.observer())
    observer->on_start(*session_, ioctl, in_flight->memory());
  session_->ioctl(request.token, std::move(ioctl), in_flight->memory(), *in_flight);
}

void DeviceConnection::mmap(const wire::Request& request, Channel& channel) {
  const auto type = (request.flags & MAP_TYPE) == MAP_PRIVATE ? Session::MapType::kPrivate
                                                              : Session::MapType::kShared;
  const auto target = session_->mmap(request.argument, request.length, request.protection, type);
  wire::Reply reply{request.token, 0, wire::Reply::Fd::kCloseOnExec, 0, 0};
  int fd = -1;
  if (target) fd = target->buffer ? target->buffer->memfd() : server_.machine().user_page_fd();
  // Device memory, other than a buffer, does not go over to a child (VM_DONTCOPY).
  if (target && !target->buffer) reply.on_fork = wire::Reply::OnFork::kLeaveOut;
  if (fd < 0) {
    reply.result = target ? -ENODEV : negated(target.error());
    reply.fd = wire::Reply::Fd::kNone;
  }
  channel.reply(reply, fd);
}

SyncFileConnection::SyncFileConnection(Server& server, driver::Held<driver::OwnedFd> socket,
                                       std::uint64_t client_cookie, Ref<driver::SyncFile> file)
    : RequestConnection(server, std::move(socket)),
      client_cookie_(client_cookie),
      file_(std::move(file)) {
  if (!file_->fence()->add_callback(*this)) ::shutdown(socket_.object.get(), SHUT_WR);
}

SyncFileConnection::~SyncFileConnection() { file_->fence()->remove_callback(*this); }

// Ends the stream towards the client, so that its poll() sees POLLIN for good. Does not block.
void SyncFileConnection::on_signalled(driver::Fence&) noexcept { ::shutdown(socket(), SHUT_WR); }

RequestConnection::Served SyncFileConnection::serve(Incoming& incoming,
                                                    const Ref<Channel>& channel) {
  const wire::Request& request = incoming.request();
  if (request.ask != wire::Ask::kIoctl) return Served::kNotAsked;
  auto* const in_flight = new RequestInFlight(server_, channel, incoming);
  in_flight->on_ioctl_done(
      sync_file_ioctl(*file_, request.command, {request.argument}, in_flight->memory(),
                      server_.identify(request.fd_state, std::move(incoming.fd))));
  return Served::kYes;
}

Connection::Next SyncobjConnection::on_readable() { return only_hang_up(socket()); }

DmaBufConnection::DmaBufConnection(Server& server, driver::Held<driver::OwnedFd> socket,
                                   std::uint64_t client_cookie, Ref<driver::Buffer> buffer,
                                   NewFd::Access access)
    : RequestConnection(server, std::move(socket)),
      client_cookie_(client_cookie),
      buffer_(std::move(buffer)),
      access_(access),
      pending_(server.machine().device().executor()) {
  // So that poll() always finds the descriptor readable; the shim knows better and asks.
  ::shutdown(socket_.object.get(), SHUT_WR);
}

void DmaBufConnection::mmap(const wire::Request& request, Channel& channel) {
  wire::Reply reply{request.token, 0, wire::Reply::Fd::kNone, 0, request.argument};
  const bool is_private = (request.flags & MAP_TYPE) == MAP_PRIVATE;
  const bool writes = (request.protection & PROT_WRITE) != 0 && !is_private;
  const std::uint64_t length = align_up(request.length, kPageSize);
  if (writes && access_ == NewFd::Access::kReadOnly)
    reply.result = negated(Errno::kAcces);
  else if (request.argument > buffer_->size() || length > buffer_->size() - request.argument ||
           is_private || (buffer_->create_flags() & DRM_PANTHOR_BO_NO_MMAP) != 0)
    reply.result = negated(Errno::kInval);
  if (reply.result != 0) return channel.reply(reply, -1);
  // A read-only descriptor of its own, so that mprotect cannot add what mmap may not.
  driver::OwnedFd memory(
      access_ == NewFd::Access::kReadOnly
          ? ::open(fmt::format("/proc/self/fd/{}", buffer_->memfd()).c_str(), O_RDONLY | O_CLOEXEC)
          : ::fcntl(buffer_->memfd(), F_DUPFD_CLOEXEC, 0));
  if (memory)
    reply.fd = wire::Reply::Fd::kCloseOnExec;
  else
    reply.result = negated(Errno::kNoMem);
  channel.reply(reply, memory.get());
}

void DmaBufConnection::start_ioctl(Incoming& incoming, const Ref<Channel>& channel) {
  const wire::Request& request = incoming.request();
  const std::uint64_t token = request.token;
  auto* const in_flight = new RequestInFlight(server_, channel, incoming);
  DmaBufReply reply =
      dma_buf_ioctl(*buffer_, request.command, {request.argument}, in_flight->memory(),
                    server_.identify(request.fd_state, std::move(incoming.fd)));
  if (!reply.after) return in_flight->on_ioctl_done(std::move(reply));
  auto charge = server_.account_of(incoming.pid)->charge(driver::Resource::kFences, 1);
  if (!charge) return in_flight->on_ioctl_done({negated(charge.error()), std::nullopt});
  driver::SyncobjWaitArgs wait;
  wait.syncobjs = {driver::Syncobj::create()};
  wait.syncobjs.front()->replace(std::move(reply.after));
  wait.points = {0};
  wait.deadline = TimePoint::never();
  const auto finish = [](Result<std::uint32_t> waited, const driver::SyncobjWait&) -> IoctlReply {
    return {waited ? 0 : negated(waited.error()), std::nullopt};
  };
  pending_.start(std::make_unique<PendingIoctl>(pending_, token, std::move(wait), finish,
                                                *in_flight, *std::move(charge)));
}

RequestConnection::Served DmaBufConnection::serve(Incoming& incoming, const Ref<Channel>& channel) {
  const wire::Request& request = incoming.request();
  switch (request.ask) {
    case wire::Ask::kMmap:
      mmap(request, *channel);
      break;
    case wire::Ask::kSize:
      channel->reply({request.token, 0, wire::Reply::Fd::kNone, buffer_->mmap_offset() / kPageSize,
                      buffer_->size()},
                     -1);
      break;
    case wire::Ask::kIoctl:
      start_ioctl(incoming, channel);
      break;
    case wire::Ask::kText:
      reply_text(*channel, request.token, [&] {
        return request.argument == static_cast<std::uint64_t>(wire::Text::kFdinfo)
                   ? dma_buf_fdinfo(*buffer_)
                   : buffer_->dma_buf_name().value_or("");
      });
      break;
    case wire::Ask::kReady: {
      using Use = driver::Reservation::Use;
      const driver::Reservation& fences = *buffer_->reservation();
      channel->reply({request.token, 0, wire::Reply::Fd::kNone, 0,
                      (fences.idle(Use::kWrite) ? wire::kReadable : 0) |
                          (fences.idle(Use::kRead) ? wire::kWritable : 0)},
                     -1);
      break;
    }
    case wire::Ask::kStore:
    case wire::Ask::kCancel:
    case wire::Ask::kUnwritten:
      return Served::kNotAsked;
  }
  return Served::kYes;
}

SwSyncConnection::SwSyncConnection(Server& server, driver::Held<driver::OwnedFd> socket,
                                   Ref<driver::SwTimeline> timeline)
    : RequestConnection(server, std::move(socket)), timeline_(std::move(timeline)) {}

SwSyncConnection::~SwSyncConnection() {
  driver::Device& device = server_.machine().device();
  timeline_->end(device.cleanup(), device.executor().clock().now());
}

RequestConnection::Served SwSyncConnection::serve(Incoming& incoming, const Ref<Channel>& channel) {
  const wire::Request& request = incoming.request();
  if (request.ask != wire::Ask::kIoctl) return Served::kNotAsked;
  auto* const in_flight = new RequestInFlight(server_, channel, incoming);
  in_flight->on_ioctl_done(sw_sync_ioctl(server_.machine().device(), *timeline_, request.command,
                                         {request.argument}, in_flight->memory()));
  return Served::kYes;
}

RequestConnection::Served DebugfsConnection::serve(Incoming& incoming,
                                                   const Ref<Channel>& channel) {
  if (incoming.request().ask != wire::Ask::kText) return Served::kNotAsked;
  reply_text(*channel, incoming.request().token, [&] { return make_(server_.machine().device()); });
  return Served::kYes;
}

void ProfilingConnection::greet() const {
  const wire::Hello hello{};
  const std::string text = show_profiling(server_.machine().device());
  send(socket(), std::as_bytes(std::span(&hello, 1)), -1);
  send(socket(), std::as_bytes(std::span(text)), -1);
  ::shutdown(socket(), SHUT_WR);
}

// Anything that is no request is text, which nobody hears the outcome of.
Connection::Next ProfilingConnection::on_readable() {
  Incoming incoming;
  wire::Request& request = incoming.message.request;
  {
    MutexLock lock(text_);
    const Received received = receive(socket(), std::as_writable_bytes(std::span(&request, 1)));
    if (received.kind == Received::Kind::kHangUp) return Next::kClose;
    if (received.kind == Received::Kind::kNothing) return Next::kContinue;
    incoming.pid = received.pid;
    if (received.bytes != sizeof request || request.magic != wire::kMagic) {
      const std::string_view text(reinterpret_cast<const char*>(&request),
                                  std::min(received.bytes, sizeof request));
      if (received.bytes > sizeof request || !store_profiling(server_.machine().device(), text))
        log_client("uapi/server", "process {}: a write to profiling is lost", received.pid);
      return Next::kContinue;
    }
  }
  serve_in_turn(incoming);
  return Next::kContinue;
}

RequestConnection::Served ProfilingConnection::serve(Incoming& incoming,
                                                     const Ref<Channel>& channel) {
  const wire::Request& request = incoming.request();
  const pid_t pid = incoming.pid;
  driver::Device& device = server_.machine().device();
  if (request.ask == wire::Ask::kText) {
    reply_text(*channel, request.token, [&] { return show_profiling(device); });
    return Served::kYes;
  }
  if (request.ask != wire::Ask::kStore) return Served::kNotAsked;
  // As sysfs does: what is behind the first page but one byte is not taken, and told to be.
  std::array<char, kPageSize - 1> text;
  const std::size_t bytes = std::min<std::uint64_t>(request.length, text.size());
  ProcessMemory memory(pid);
  Result<> stored = memory.read({request.argument}, text.data(), bytes);
  if (stored) stored = store_profiling(device, std::string_view(text.data(), bytes));
  channel->reply(
      {request.token, stored ? 0 : negated(stored.error()), wire::Reply::Fd::kNone, 0, bytes}, -1);
  return Served::kYes;
}

// Its thread has ended or, by siglongjmp() out of a signal handler, left a wait behind.
Connection::Next ChannelConnection::on_readable() {
  const Next next = only_hang_up(channel_->socket());
  if (next == Next::kClose) server_.give_up(channel_->close());
  return next;
}

}  // namespace pantry::uapi
