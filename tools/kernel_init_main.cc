// SPDX-License-Identifier: MIT
//
// The first process of a guest of `pantry kernel`. The root is the host's file system; what belongs
// to the kernel is mounted over it. Runs the one program that is asked for in $PANTRY_RUN/command
// (tools/kernel_guest.cc writes it), passes its output to the two serial lines byte by byte, leaves
// its status in $PANTRY_RUN/status and switches the machine off.
//
// The program's output is a pipe, not a terminal, and its input is empty. It runs as root of the
// guest, with the rights of the host's user on files.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace {

constexpr int kCannotStart = 127;

struct Command {
  std::string directory;
  std::vector<std::string> arguments;
  std::vector<std::string> environment;
};

std::vector<std::string> read_strings(const std::string& path) {
  std::vector<std::string> strings;
  FILE* const file = fopen(path.c_str(), "re");
  if (!file) return strings;
  std::string string;
  for (int c; (c = fgetc(file)) != EOF;) {
    if (c != 0) {
      string.push_back(static_cast<char>(c));
      continue;
    }
    strings.push_back(string);
    string.clear();
  }
  fclose(file);
  return strings;
}

// Directory, number of arguments, arguments, environment; each with a zero at its end.
bool read_command(const std::string& path, Command& command) {
  const std::vector<std::string> strings = read_strings(path);
  if (strings.size() < 3) return false;
  const auto count = static_cast<std::size_t>(atoi(strings[1].c_str()));
  if (count == 0 || count > strings.size() - 2) return false;
  const auto first = strings.begin() + 2;
  command = {strings[0],
             {first, first + static_cast<std::ptrdiff_t>(count)},
             {first + static_cast<std::ptrdiff_t>(count), strings.end()}};
  return true;
}

void mount_on(const char* type, const char* where) {
  if (mount(type, where, type, 0, nullptr) != 0 && errno != EBUSY)
    fprintf(stderr, "pantry: %s on %s: %s\n", type, where, strerror(errno));
}

void mount_kernel_file_systems() {
  mount_on("proc", "/proc");
  mount_on("sysfs", "/sys");
  mount_on("debugfs", "/sys/kernel/debug");
  mount_on("devtmpfs", "/dev");
  mkdir("/dev/shm", 01777);
  mkdir("/dev/pts", 0755);
  mount_on("tmpfs", "/dev/shm");
  mount_on("devpts", "/dev/pts");
  (void)!symlink("/proc/self/fd", "/dev/fd");
}

int open_line(const char* path) {
  const int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) {
    fprintf(stderr, "pantry: %s: %s\n", path, strerror(errno));
    return -1;
  }
  termios settings{};
  tcgetattr(fd, &settings);
  cfmakeraw(&settings);
  tcsetattr(fd, TCSANOW, &settings);
  return fd;
}

// Passes on what is there; false when nothing will come any more.
bool pass_on(int from, int to) {
  char bytes[16384];
  const ssize_t got = read(from, bytes, sizeof bytes);
  if (got <= 0) return got < 0 && errno == EINTR;
  for (ssize_t at = 0; at < got;) {
    const ssize_t put = write(to, bytes + at, static_cast<std::size_t>(got - at));
    if (put > 0) at += put;
    if (put < 0 && errno != EINTR) return false;
  }
  return true;
}

std::vector<char*> pointers_to(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

[[noreturn]] void become(Command& command, int out, int err) {
  setsid();
  const int empty = open("/dev/null", O_RDONLY);
  dup2(empty, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  std::vector<char*> arguments = pointers_to(command.arguments);
  std::vector<char*> environment = pointers_to(command.environment);
  if (chdir(command.directory.c_str()) != 0)
    dprintf(err, "pantry: %s: %s\n", command.directory.c_str(), strerror(errno));
  execvpe(arguments[0], arguments.data(), environment.data());
  dprintf(err, "pantry: %s: %s\n", arguments[0], strerror(errno));
  _exit(kCannotStart);
}

// The program's status as a shell would report it. What it leaves behind is over with it, but its
// output is passed on.
int run(Command& command) {
  int out[2], err[2];
  const int lines[] = {open_line("/dev/ttyS0"), open_line("/dev/ttyS1")};
  if (lines[0] < 0 || lines[1] < 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0)
    return kCannotStart;
  const pid_t program = fork();
  if (program < 0) return kCannotStart;
  if (program == 0) become(command, out[1], err[1]);
  close(out[1]);
  close(err[1]);
  pollfd fds[] = {{out[0], POLLIN, 0}, {err[0], POLLIN, 0}};
  int status = -1;
  while (fds[0].fd >= 0 || fds[1].fd >= 0) {
    // Once the program has ended, what a child of its may still write is not waited for.
    if (poll(fds, 2, status < 0 ? 100 : 0) == 0 && status >= 0) break;
    for (int i = 0; i < 2; ++i)
      if (fds[i].fd >= 0 && fds[i].revents != 0 && !pass_on(fds[i].fd, lines[i])) fds[i].fd = -1;
    for (int ended; (ended = -1), status < 0;) {
      const pid_t pid = waitpid(-1, &ended, WNOHANG);
      if (pid <= 0) break;
      if (pid == program) status = ended;
    }
  }
  for (int ended; status < 0;)
    if (waitpid(-1, &ended, 0) == program) status = ended;
  for (const int line : lines) tcdrain(line);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void leave_status(const std::string& path, int status) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return;
  dprintf(fd, "%d\n", status);
  fsync(fd);
  close(fd);
}

}  // namespace

int main() {
  if (getpid() != 1) {
    fprintf(stderr,
            "kernel_init: the first process of a guest of `pantry kernel`, and nothing else\n");
    return 2;
  }
  mount_kernel_file_systems();
  const char* const folder = getenv("PANTRY_RUN");
  const std::string run_folder = folder ? folder : "";
  Command command;
  int status = kCannotStart;
  if (read_command(run_folder + "/command", command))
    status = run(command);
  else
    fprintf(stderr, "pantry: %s/command cannot be read\n", run_folder.c_str());
  leave_status(run_folder + "/status", status);
  kill(-1, SIGKILL);
  sync();
  reboot(RB_POWER_OFF);
  for (;;) pause();
}
