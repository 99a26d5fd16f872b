// SPDX-License-Identifier: MIT
#include "uapi/server/socket_directory.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "uapi/server/protocol.h"
#include "uapi/server/socket.h"

namespace pantry::uapi {
namespace {

namespace fs = std::filesystem;
constexpr uid_t kOther = 65534;

class SocketDirectoryTest : public testing::Test {
 protected:
  ~SocketDirectoryTest() override { fs::remove_all(base_); }

  static Errno error_of(const std::string& path) {
    const auto made = SocketDirectory::create(path);
    return made ? Errno{} : made.error();
  }
  static Errno joining(const std::string& path) {
    const auto checked = check_host(path);
    return checked ? Errno{} : checked.error();
  }
  // All that a host listens to.
  static std::vector<driver::OwnedFd> listen_in(const std::string& path) {
    std::vector<driver::OwnedFd> sockets;
    for (const char* name : wire::kSocketNames) {
      auto socket = listen_at(path + "/" + name);
      EXPECT_TRUE(socket.has_value());
      sockets.push_back(*std::move(socket));
    }
    return sockets;
  }

  static std::string new_directory() {
    std::string path = "/tmp/pantry-directory-test-XXXXXX";
    EXPECT_NE(::mkdtemp(path.data()), nullptr);
    return path;
  }
  const std::string base_ = new_directory();
  const std::string path_ = base_ + "/host";
};

TEST_F(SocketDirectoryTest, IsPrivateAndGoesWithItsHost) {
  {
    const auto made = SocketDirectory::create(path_);
    ASSERT_TRUE(made.has_value());
    EXPECT_EQ(fs::status(path_).permissions(), fs::perms::owner_all);
    const auto sockets = listen_in(path_);
    for (const char* name : wire::kSocketNames)
      EXPECT_EQ(fs::status(path_ + "/" + name).permissions(),
                fs::perms::owner_read | fs::perms::owner_write);
    EXPECT_EQ(joining(path_), Errno{});
    EXPECT_EQ(error_of(path_), Errno::kBusy);
    EXPECT_EQ(joining(path_), Errno{}) << "the second host has broken the first";
  }
  EXPECT_FALSE(fs::exists(path_));
  EXPECT_EQ(joining(path_), Errno::kNoEnt);
}

TEST_F(SocketDirectoryTest, TakesOverWhatADeadHostHasLeft) {
  fs::create_directory(path_);
  fs::permissions(path_, fs::perms::owner_all);
  { const auto sockets = listen_in(path_); }
  fs::create_directories(path_ + "/root/dev/dri");
  EXPECT_NE(joining(path_), Errno{}) << "nobody listens";
  const auto made = SocketDirectory::create(path_);
  ASSERT_TRUE(made.has_value());
  const auto sockets = listen_in(path_);
  EXPECT_EQ(joining(path_), Errno{});
}

TEST_F(SocketDirectoryTest, LeavesAloneWhatIsNotItsOwn) {
  fs::create_directory(path_);
  fs::permissions(path_, fs::perms::owner_all);
  std::ofstream(path_ + "/letter") << "dear";
  fs::create_directory(base_ + "/elsewhere");
  std::ofstream(base_ + "/elsewhere/file") << "there";
  fs::create_directory_symlink(base_ + "/elsewhere", path_ + "/root");
  ASSERT_TRUE(SocketDirectory::create(path_).has_value());
  EXPECT_TRUE(fs::exists(path_ + "/letter"));
  EXPECT_TRUE(fs::exists(base_ + "/elsewhere/file")) << "followed a link";
}

TEST_F(SocketDirectoryTest, RefusesWhatAnotherMayHavePutThere) {
  fs::create_directory(path_);
  fs::permissions(path_, fs::perms::owner_all);
  const std::string link = base_ + "/link";
  fs::create_directory_symlink(path_, link);
  EXPECT_EQ(error_of(link), Errno::kAcces);
  const std::string file = base_ + "/file";
  std::ofstream{file};
  EXPECT_EQ(error_of(file), Errno::kAcces);
  fs::permissions(path_, fs::perms::owner_all | fs::perms::group_exec);
  EXPECT_EQ(error_of(path_), Errno::kAcces);
  fs::permissions(path_, fs::perms::owner_all);
  EXPECT_EQ(error_of(path_), Errno{}) << "the control: without all that, it is taken";
  EXPECT_EQ(error_of(base_ + std::string(100, 'x')), static_cast<Errno>(ENAMETOOLONG));
}

TEST_F(SocketDirectoryTest, ClientRefusesTheSame) {
  const auto made = SocketDirectory::create(path_);
  ASSERT_TRUE(made.has_value());
  const auto sockets = listen_in(path_);
  ASSERT_EQ(joining(path_), Errno{});
  fs::create_directory_symlink(path_, base_ + "/link");
  EXPECT_EQ(joining(base_ + "/link"), Errno::kAcces);
  // One of its sockets is a link to another host's.
  fs::rename(path_ + "/render", base_ + "/render");
  fs::create_symlink(base_ + "/render", path_ + "/render");
  EXPECT_EQ(joining(path_), Errno::kAcces);
  fs::remove(path_ + "/render");
  EXPECT_EQ(joining(path_), Errno::kNoEnt);
  fs::rename(base_ + "/render", path_ + "/render");
  EXPECT_EQ(joining(path_), Errno{});
  fs::permissions(path_, fs::perms::owner_all | fs::perms::others_all);
  EXPECT_EQ(joining(path_), Errno::kAcces);
}

TEST_F(SocketDirectoryTest, AnotherUsersIsRefusedByBothSides) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can make what is another user's";
  fs::create_directory(path_);
  fs::permissions(path_, fs::perms::owner_all);
  ASSERT_EQ(::chown(path_.c_str(), kOther, kOther), 0);
  EXPECT_EQ(error_of(path_), Errno::kAcces);
  EXPECT_EQ(joining(path_), Errno::kAcces);
  ASSERT_EQ(::chown(path_.c_str(), 0, 0), 0);
  auto sockets = listen_in(path_);
  ASSERT_EQ(joining(path_), Errno{});
  ASSERT_EQ(::lchown((path_ + "/card").c_str(), kOther, kOther), 0);
  EXPECT_EQ(joining(path_), Errno::kAcces);
  ASSERT_EQ(::lchown((path_ + "/card").c_str(), 0, 0), 0);

  // The file is ours, who listens is not: as when the path was exchanged after it was looked at.
  sockets.clear();
  fs::remove(path_ + "/channel");
  fs::permissions(base_, fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec);
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t stranger = ::fork();
  if (stranger == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::chown(path_.c_str(), kOther, kOther);
    const bool dropped = ::setuid(kOther) == 0;
    const auto listening = listen_at(path_ + "/channel");
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // again: it goes with the user id
    const char done = dropped && listening ? 'y' : 'n';
    if (::write(ready[1], &done, 1) != 1) ::_exit(1);
    ::pause();
  }
  char done = 0;
  ASSERT_EQ(::read(ready[0], &done, 1), 1);
  ASSERT_EQ(done, 'y');
  ASSERT_EQ(::chown(path_.c_str(), 0, 0), 0);
  ASSERT_EQ(::lchown((path_ + "/channel").c_str(), 0, 0), 0);
  EXPECT_EQ(joining(path_), Errno::kAcces);
  ::kill(stranger, SIGKILL);
  ::waitpid(stranger, nullptr, 0);
}

}  // namespace
}  // namespace pantry::uapi
