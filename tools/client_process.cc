// SPDX-License-Identifier: MIT
#include "tools/client_process.h"

#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <filesystem>

#include "uapi/server/protocol.h"

namespace pantry::tools {
namespace {

// The caller's environment, with the shim in front of what is preloaded already.
std::vector<std::string> environment_of(const ClientProgram& program) {
  const std::string preload = "LD_PRELOAD=";
  const std::string directory = std::string(wire::kDirectoryVariable) + "=";
  std::vector<std::string> variables;
  // AddressSanitizer as a library of its own refuses to come after another. It works there, too.
  const std::string asan = "ASAN_OPTIONS=";
  std::string asan_options = asan + "verify_asan_link_order=0";
  std::string preloaded = preload + program.shim;
  for (char** variable = environ; *variable; ++variable) {
    const std::string text(*variable);
    if (text.starts_with(preload))
      preloaded += ":" + text.substr(preload.size());
    else if (text.starts_with(asan))
      asan_options += ":" + text.substr(asan.size());
    else if (!text.starts_with(directory) && !text.starts_with("PANTRY="))
      variables.push_back(text);
  }
  variables.push_back(preloaded);
  variables.push_back(asan_options);
  variables.push_back(directory + program.directory);
  variables.push_back("PANTRY=1");
  return variables;
}

std::vector<char*> pointers_to(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

// The program that gets the signals that ask this process to end, and the last such signal that it
// has not got yet: it may come, on any thread, before the program's number is known.
std::atomic<pid_t> terminated_with_us{0};
std::atomic<int> to_pass_on{0};

void pass_on_what_came() {
  const pid_t pid = terminated_with_us;
  if (pid <= 0) return;
  if (const int signal = to_pass_on.exchange(0); signal != 0) ::kill(pid, signal);
}

void pass_on(int signal) {
  const int saved = errno;
  to_pass_on = signal;
  pass_on_what_came();
  errno = saved;
}

// While the program runs, its end is ours: the keyboard's signals reach it anyway, others are
// passed on. The program itself gets the defaults, but of what our caller ignores (nohup, or a
// shell in the background) both of us hear nothing.
class EndingSignals {
 public:
  EndingSignals() {
    struct sigaction action {};
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
      const bool from_keyboard = kSignals[i] == SIGINT || kSignals[i] == SIGQUIT;
      action.sa_handler = from_keyboard ? SIG_IGN : pass_on;
      ::sigaction(kSignals[i], nullptr, &before_[i]);
      ignored_[i] = before_[i].sa_handler == SIG_IGN;
      if (!ignored_[i]) ::sigaction(kSignals[i], &action, nullptr);
    }
  }
  ~EndingSignals() {
    for (std::size_t i = 0; i < kSignals.size(); ++i)
      ::sigaction(kSignals[i], &before_[i], nullptr);
    ignored_ = {};
  }
  static void set_default_in(posix_spawnattr_t& attributes) {
    sigset_t all;
    ::sigemptyset(&all);
    for (std::size_t i = 0; i < kSignals.size(); ++i)
      if (!ignored_[i]) ::sigaddset(&all, kSignals[i]);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  }

 private:
  static constexpr std::array<int, 4> kSignals{SIGINT, SIGQUIT, SIGTERM, SIGHUP};
  static std::array<bool, kSignals.size()> ignored_;  // by our caller
  std::array<struct sigaction, kSignals.size()> before_;
};
std::array<bool, EndingSignals::kSignals.size()> EndingSignals::ignored_{};

}  // namespace

void take_all_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

Result<pid_t> start_client(const ClientProgram& program) {
  std::vector<std::string> command = program.command;
  std::vector<std::string> environment = environment_of(program);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  EndingSignals::set_default_in(attributes);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, command[0].c_str(), nullptr, &attributes,
                                   pointers_to(command).data(), pointers_to(environment).data());
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) return Error(static_cast<Errno>(error));
  take_all_descriptors();
  return pid;
}

Result<int> run_client(const ClientProgram& program) {
  const EndingSignals signals;
  PANTRY_TRY_ASSIGN(const pid_t pid, start_client(program));
  terminated_with_us = pid;
  pass_on_what_came();
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  terminated_with_us = 0;
  to_pass_on = 0;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

std::string default_shim_path() {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "libpantry_shim.so")
      .string();
}

}  // namespace pantry::tools
