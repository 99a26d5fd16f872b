// SPDX-License-Identifier: MIT
#include "uapi/server/request_in_flight.h"

#include <unistd.h>

#include "driver/kernel/clock.h"
#include "uapi/server/client_credentials.h"

namespace pantry::uapi {

RequestInFlight::RequestInFlight(Server& server, Ref<Channel> channel, const Incoming& incoming)
    : server_(server),
      channel_(std::move(channel)),
      memory_(channel_->pid(), {incoming.request().argument}, incoming.carried()),
      token_(incoming.request().token) {
  observed_.command = incoming.request().command;
  observed_.pid = channel_->pid();
  observed_.start = server_.machine().device().executor().clock().now();
}

driver::Credentials RequestInFlight::credentials() {
  // No other user has a channel.
  return credentials_of({channel_->pid(), ::geteuid()});
}

void RequestInFlight::on_ioctl_done(IoctlReply reply) {
  wire::Reply answer{token_, reply.result, wire::Reply::Fd::kNone, 0, 0};
  driver::OwnedFd fd;
  if (reply.new_fd) {
    if (auto made = server_.descriptor_for(*reply.new_fd, channel_->pid())) {
      fd = *std::move(made);
      answer.fd = reply.new_fd->on_exec == NewFd::OnExec::kClose ? wire::Reply::Fd::kCloseOnExec
                                                                 : wire::Reply::Fd::kKeepOnExec;
      answer.number_at = reply.new_fd->number_at.value;
    } else {
      answer.result = negated(made.error());
    }
  }
  if (ServerObserver* const observer = server_.observer()) {
    observed_.result = answer.result;
    observed_.end = server_.machine().device().executor().clock().now();
    observer->on_ioctl(observed_);
  }
  channel_->reply(answer, fd.get(), memory_.answer());
  delete this;
}

}  // namespace pantry::uapi
