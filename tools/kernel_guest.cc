// SPDX-License-Identifier: MIT
#include "tools/kernel_guest.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/types.h"
#include "gpu_emu/remote/descriptor.h"
#include "gpu_emu/remote/wire.h"

namespace pantry::tools {
namespace {

using emu::Descriptor;

// Where the guest finds its serial lines.
constexpr int kOutFd = 20;
constexpr int kErrFd = 21;

struct Pipe {
  Descriptor from, to;

  static Result<Pipe> open() {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) return Error(static_cast<Errno>(errno));
    return Pipe{Descriptor(fds[0]), Descriptor(fds[1])};
  }
};

// Directory, number of arguments, arguments, environment; each with a zero at its end. Read by
// kernel_init.
bool write_command(const KernelGuest& guest) {
  std::ofstream file(guest.folder + "/command", std::ios::binary);
  const auto put = [&file](const std::string& string) { file << string << '\0'; };
  put(std::filesystem::current_path());
  put(std::to_string(guest.command.size()));
  for (const std::string& argument : guest.command) put(argument);
  for (char** variable = environ; *variable; ++variable) put(*variable);
  file.close();
  return file.good();
}

constexpr const char* kAperture = "/aperture";  // the register pages that clients can map
constexpr const char* kFrames = "/frames";      // who owns which frame

bool make_file(const std::string& path, std::uint64_t bytes) {
  const Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  return file && ::ftruncate(file.get(), static_cast<off_t>(bytes)) == 0;
}

// Shared by guest and device.
bool make_shared_files(const KernelGuest& guest) {
  if (!make_file(guest.folder + kAperture, PANTRY_APERTURE_BYTES)) return false;
  if (guest.frame_owners == KernelGuest::FrameOwners::kUntold) return true;
  const std::uint64_t frames = guest.memory_mib * kMiB / kPageSize;
  return make_file(guest.folder + kFrames,
                   align_up((1 + frames) * sizeof(pantry_frame), kPageSize));
}

std::vector<std::string> command_line(const KernelGuest& guest) {
  std::vector<std::string> line;
  if (guest.debugger == KernelGuest::Debugger::kGdb)
    line = {"gdb", "-q", "-ex", "handle SIGSEGV SIGUSR1 SIGALRM SIGIO SIGWINCH nostop noprint pass",
            "--args"};
  const std::vector<std::string> arguments = {
      guest.build.linux_program,
      "mem=" + std::to_string(guest.memory_mib) + "M",
      "root=none",
      "rootfstype=hostfs",
      "rootflags=/",
      "rw",
      "init=" + guest.init_program,
      "PANTRY_RUN=" + guest.folder,
      "uml_dir=" + guest.folder,
      "dtb=" + guest.build.device_tree,
      "iomem=pantry," + guest.folder + kAperture,
      "pantry_gpu.socket=" + guest.folder + kDeviceSocket,
      "con=null",
      "con0=null,fd:2",
      "ssl=null",
      "ssl0=null,fd:" + std::to_string(kOutFd),
      "ssl1=null,fd:" + std::to_string(kErrFd),
  };
  line.insert(line.end(), arguments.begin(), arguments.end());
  if (guest.frame_owners == KernelGuest::FrameOwners::kTold)
    line.push_back("iomem=frames," + guest.folder + kFrames);
  return line;
}

// In the child, between fork and exec: nothing but system calls.
[[noreturn]] void become_guest(char* const* arguments, int log, int out, int err,
                               KernelGuest::Debugger debugger) {
  // Its memory lies where it wants it; where a container forbids that, it still boots most of the
  // time.
  (void)::personality(ADDR_NO_RANDOMIZE);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (debugger == KernelGuest::Debugger::kNone) {
    // A group of its own, so that the keyboard reaches it through this process alone.
    ::setpgid(0, 0);
    const int empty = ::open("/dev/null", O_RDONLY);
    ::dup2(empty, STDIN_FILENO);
    ::dup2(log, STDOUT_FILENO);
    ::dup2(log, STDERR_FILENO);
  }
  ::dup2(out, kOutFd);
  ::dup2(err, kErrFd);
  ::execvp(arguments[0], arguments);
  ::_exit(127);
}

void write_all(int fd, const char* bytes, std::size_t count) {
  while (count != 0) {
    const ssize_t put = ::write(fd, bytes, count);
    if (put < 0 && errno != EINTR) return;
    if (put > 0) {
      bytes += put;
      count -= static_cast<std::size_t>(put);
    }
  }
}

// Passes on what is there; false when nothing will come any more.
bool pass_on(int from, int to) {
  char bytes[65536];
  const ssize_t got = ::read(from, bytes, sizeof bytes);
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  if (got == 0) return false;
  write_all(to, bytes, static_cast<std::size_t>(got));
  return true;
}

// Passes on the three streams until the guest has ended and they are empty.
void relay(const Descriptor& guest, std::array<Pipe, 3>& pipes, const std::array<int, 3>& targets) {
  std::array<pollfd, 4> fds;
  for (std::size_t i = 0; i < 3; ++i) fds[i] = {pipes[i].from.get(), POLLIN, 0};
  fds[3] = {guest.get(), POLLIN, 0};
  for (bool ended = false;;) {
    const int ready = ::poll(fds.data(), fds.size(), ended ? 0 : -1);
    if (ready == 0) return;
    if (ready < 0) continue;
    for (std::size_t i = 0; i < 3; ++i)
      if (fds[i].revents != 0 && !pass_on(pipes[i].from.get(), targets[i])) fds[i].fd = -1;
    if (fds[3].revents != 0) {
      ended = true;
      fds[3].fd = -1;
    }
  }
}

Result<int> status_of(const KernelGuest& guest) {
  std::ifstream file(guest.folder + "/status");
  int status = -1;
  if (!(file >> status)) return Error(Errno::kIo);
  return status;
}

}  // namespace

Result<int> run_guest(const KernelGuest& guest, const GuestOutput& output) {
  if (!write_command(guest) || !make_shared_files(guest)) return Error(Errno::kIo);
  PANTRY_TRY_ASSIGN(Pipe log, Pipe::open());
  PANTRY_TRY_ASSIGN(Pipe out, Pipe::open());
  PANTRY_TRY_ASSIGN(Pipe err, Pipe::open());
  std::vector<std::string> line = command_line(guest);
  std::vector<char*> arguments;
  for (std::string& argument : line) arguments.push_back(argument.data());
  arguments.push_back(nullptr);

  const pid_t pid = ::fork();
  if (pid < 0) return Error(static_cast<Errno>(errno));
  if (pid == 0)
    become_guest(arguments.data(), log.to.get(), out.to.get(), err.to.get(), guest.debugger);
  std::array<Pipe, 3> pipes = {std::move(log), std::move(out), std::move(err)};
  for (Pipe& pipe : pipes) pipe.to = Descriptor();
  const Descriptor handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  relay(handle, pipes, {output.kernel_log, output.out, output.err});
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return status_of(guest);
}

std::string default_init_program() {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "kernel_init").string();
}

}  // namespace pantry::tools
