// SPDX-License-Identifier: MIT
#include "tools/kernel_build.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <vector>

#include "base/log.h"
#include "driver/gem/backing.h"

namespace pantry::tools {
namespace {

constexpr const char* kScript = "tools/kernel_glue/build";

// The tree that this program was built in is above it.
std::string build_script() {
  std::error_code ignored;
  for (auto folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();
       folder != folder.root_path(); folder = folder.parent_path())
    if (std::filesystem::exists(folder / kScript, ignored)) return folder / kScript;
  return "";
}

// The output of a program that has ended with status 0.
Result<std::string> output_of(std::vector<std::string> command) {
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) return Error(static_cast<Errno>(errno));
  driver::OwnedFd from(pipe[0]), to(pipe[1]);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, to.get(), STDOUT_FILENO);
  std::vector<char*> arguments;
  for (std::string& argument : command) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, arguments[0], &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return Error(static_cast<Errno>(error));
  to = driver::OwnedFd();

  std::string output;
  char bytes[4096];
  for (ssize_t got; (got = ::read(from.get(), bytes, sizeof bytes)) != 0;)
    if (got > 0)
      output.append(bytes, static_cast<std::size_t>(got));
    else if (errno != EINTR)
      break;
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return Error(Errno::kCanceled);
  return output;
}

}  // namespace

Result<KernelBuild> build_kernel(const KernelChoice& choice) {
  const std::string script = build_script();
  if (script.empty()) {
    log_error("tools", "no {} above this program", kScript);
    return Error(Errno::kNoEnt);
  }
  std::vector<std::string> command = {script, choice.variant};
  if (!choice.source.empty()) command.push_back(choice.source);
  PANTRY_TRY_ASSIGN(std::string folder, output_of(std::move(command)));
  while (folder.ends_with('\n')) folder.pop_back();
  return KernelBuild{folder + "/linux", folder + "/pantry.dtb"};
}

}  // namespace pantry::tools
