// SPDX-License-Identifier: MIT
#include "uapi/server/channel.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace pantry::uapi {
namespace {

class ChannelTest : public testing::Test {
 protected:
  ChannelTest() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    client_ = driver::OwnedFd(ends[0]);
    channel_ =
        make_ref<Channel>(driver::Held{driver::OwnedFd(ends[1]), driver::Charge()}, 1, ::getpid());
  }
  static Channel::Asked asked(std::uint64_t token) { return {nullptr, 0, token}; }
  void reply(std::uint64_t token, int fd = -1) {
    channel_->reply(
        {token, 0, fd < 0 ? wire::Reply::Fd::kNone : wire::Reply::Fd::kCloseOnExec, 0, 0}, fd);
  }
  wire::Reply received() {
    wire::Reply reply{};
    EXPECT_EQ(::recv(client_.get(), &reply, sizeof reply, MSG_DONTWAIT), sizeof reply);
    return reply;
  }

  driver::OwnedFd client_;
  Ref<Channel> channel_;
};

TEST_F(ChannelTest, OneRequestAtATime) {
  EXPECT_TRUE(channel_->begin(asked(7)));
  // The same token, too: by it alone an answer cannot be told to be another's.
  EXPECT_FALSE(channel_->begin(asked(7)));
  EXPECT_FALSE(channel_->begin(asked(8)));
  reply(7);
  EXPECT_EQ(received().token, 7u);
  EXPECT_TRUE(channel_->begin(asked(8)));
  EXPECT_FALSE(channel_->given_up(8));
}

TEST_F(ChannelTest, CancelledWhileItBegins) {
  EXPECT_TRUE(channel_->begin(asked(7)));
  channel_->cancelled(7);
  EXPECT_TRUE(channel_->given_up(7));
  reply(7);
  EXPECT_TRUE(channel_->begin(asked(8)));
  EXPECT_FALSE(channel_->given_up(7));
  EXPECT_FALSE(channel_->given_up(8));
}

// Two threads of the server have taken the two messages.
TEST_F(ChannelTest, CancelledBeforeItBegins) {
  channel_->cancelled(7);
  EXPECT_TRUE(channel_->begin(asked(7)));
  EXPECT_TRUE(channel_->given_up(7));
  reply(7);
  EXPECT_TRUE(channel_->begin(asked(8)));
  EXPECT_FALSE(channel_->given_up(8));
}

TEST_F(ChannelTest, GivenUpWithItsThread) {
  EXPECT_TRUE(channel_->begin(asked(7)));
  EXPECT_FALSE(channel_->given_up(7));
  EXPECT_EQ(channel_->close().token, 7u);
  EXPECT_TRUE(channel_->given_up(7));
}

// For the client would wait for ever.
TEST_F(ChannelTest, AnswersWithoutADescriptorThatCannotBeSent) {
  const driver::OwnedFd fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  reply(1, fd.get());
  EXPECT_EQ(received().result, 0);
  reply(2, 1'000'000);  // none
  const wire::Reply without = received();
  EXPECT_EQ(without.token, 2u);
  EXPECT_EQ(without.result, -EMFILE);
  EXPECT_EQ(without.fd, wire::Reply::Fd::kNone);
}

}  // namespace
}  // namespace pantry::uapi
