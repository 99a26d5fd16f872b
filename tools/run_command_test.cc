// SPDX-License-Identifier: MIT
#include "tools/run_command.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "tools/client_process.h"
#include "tools/private_directory.h"

namespace pantry::tools {
namespace {

// `pantry run` in a process of its own, with its files below a directory that is empty but for
// them. What it is called with and its exit status are a shell's.
class RunCommand : public testing::Test {
 protected:
  int run(const std::string& script) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::setenv("XDG_RUNTIME_DIR", files_.path().c_str(), 1);
      RunOptions options;
      options.shim = default_shim_path();
      options.command = {"/bin/sh", "-c", script};
      ::_exit(run_command(options));
    }
    int status = 0;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
  bool files_left() const { return !std::filesystem::is_empty(files_.path()); }

 private:
  const PrivateDirectory files_ = *PrivateDirectory::create();
};

TEST_F(RunCommand, EndsWithItsProgram) {
  EXPECT_EQ(run("test -c /dev/dri/renderD128 && exit 7"), 7);
  EXPECT_FALSE(files_left());
}

// As `timeout` does, to its child and to the child's group.
TEST_F(RunCommand, LeavesNothingWhenItIsToldTwice) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(run("trap 'exit 7' TERM; kill -TERM $PPID; kill -TERM $PPID; sleep 30 & wait"), 7);
    EXPECT_FALSE(files_left());
  }
}

// The program is gone, and what it left behind uses the device.
TEST_F(RunCommand, EndsTheWaitForWhatIsLeftBehind) {
  for (const char* const signal : {"INT", "TERM", "HUP"}) {
    const std::string script = std::string("exec 3<>/dev/dri/renderD128; host=$PPID; ") +
                               "(while kill -0 $$; do sleep 0.01; done 2>/dev/null; kill -" +
                               signal + " $host; exec sleep 30 >/dev/null 2>&1) & exit 7";
    EXPECT_EQ(run(script), 7);
    EXPECT_FALSE(files_left());
  }
}

}  // namespace
}  // namespace pantry::tools
