// SPDX-License-Identifier: MIT
#include "tools/serve_command.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>

namespace pantry::tools {
namespace {

using namespace std::chrono_literals;

// `pantry serve` in a process of its own, from the moment that it serves.
class ServingProcess {
 public:
  explicit ServingProcess(void (*at_hang_up)(int)) {
    std::string name = (std::filesystem::temp_directory_path() / "serve-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe(ends), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::signal(SIGHUP, at_hang_up);
      ::dup2(ends[1], STDOUT_FILENO);
      ServeOptions options;
      options.socket = directory_ + "/gpu";
      ::_exit(serve_command(options));
    }
    ::close(ends[1]);
    pollfd line{ends[0], POLLIN, 0};
    EXPECT_EQ(::poll(&line, 1, 60'000), 1);
    EXPECT_NE(line.revents & POLLIN, 0);
    ::close(ends[0]);
  }
  ~ServingProcess() {
    if (pid_ > 0) ::kill(pid_, SIGKILL), ::waitpid(pid_, nullptr, 0);
    std::filesystem::remove_all(directory_);
  }

  void get(int signal) { EXPECT_EQ(::kill(pid_, signal), 0); }
  bool serves() { return ::waitpid(pid_, nullptr, WNOHANG) == 0; }
  int exit_status() {
    int status = -1;
    EXPECT_EQ(::waitpid(pid_, &status, 0), pid_);
    pid_ = 0;
    return status;
  }

 private:
  std::string directory_;
  pid_t pid_ = 0;
};

TEST(ServeCommand, EndsWhenItIsTold) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    ServingProcess server(SIG_DFL);
    server.get(signal);
    EXPECT_EQ(server.exit_status(), 0);
  }
}

// As of `nohup pantry serve`.
TEST(ServeCommand, GoesOnAtAHangUpThatItsCallerIgnores) {
  ServingProcess server(SIG_IGN);
  server.get(SIGHUP);
  std::this_thread::sleep_for(200ms);
  EXPECT_TRUE(server.serves());
  server.get(SIGTERM);
  EXPECT_EQ(server.exit_status(), 0);
}

}  // namespace
}  // namespace pantry::tools
