// SPDX-License-Identifier: MIT
//
// kills [--quick] [--seconds N] [--kills N] [--seed N] [--leak vm|buffer|descriptor]: eight clients
// on one host
// (campaigns/clients/kill_target_main.cc) that bind, submit, and exchange buffers and fences, of
// which one after the other is killed with SIGKILL at a random moment and replaced. No client may
// find a wrong byte or a fence that does not signal (it would end by itself), and afterwards the
// host must be as before: frames, table pages, groups, buffers, address-space slots, descriptors,
// threads, heap. With --leak the host keeps a VM or a buffer of one that was killed, or a
// descriptor of its own, and the campaign fails unless it reports that. The campaign is
// scripts/campaign kills.
#include <drm/panthor_drm.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <random>

#include "base/log.h"
#include "base/mutex.h"
#include "campaigns/hosts/host_inventory.h"
#include "campaigns/hosts/served_machine.h"
#include "campaigns/hosts/wait_until.h"

namespace {

using namespace pantry;
using campaigns::HostInventory;

constexpr std::size_t kClients = 8;
// For the host to be clean again: more than anything takes on a busy machine.
constexpr Duration kPatience = seconds(60);
// Where it never will be.
constexpr Duration kLeakPatience = seconds(5);
constexpr Duration kPause = microseconds(200);
// What the heap may have grown by: less than a tenth of what one client costs for each that was
// killed, and what the allocator keeps for itself.
constexpr std::uint64_t kHeapPerKill = 128;
constexpr std::uint64_t kHeapSlack = 256 * 1024;

enum class Leak { kNone, kVm, kBuffer, kDescriptor };

bool parse_leak(const char* name, Leak& leak) {
  if (std::strcmp(name, "vm") == 0)
    leak = Leak::kVm;
  else if (std::strcmp(name, "buffer") == 0)
    leak = Leak::kBuffer;
  else if (std::strcmp(name, "descriptor") == 0)
    leak = Leak::kDescriptor;
  else
    return false;
  return true;
}

struct Arguments {
  Leak leak = Leak::kNone;
  std::uint64_t seconds = 600;
  std::uint64_t kills = 2000;
  std::uint64_t seed = 1;
};

bool parse(int argc, char** argv, Arguments& arguments) {
  for (int i = 1; i < argc; ++i) {
    const auto number = [&](const char* name, std::uint64_t& value) {
      if (std::strcmp(argv[i], name) != 0 || i + 1 == argc) return false;
      value = std::strtoull(argv[++i], nullptr, 0);
      return true;
    };
    if (std::strcmp(argv[i], "--quick") == 0)
      arguments.seconds = 12, arguments.kills = 40;
    else if (std::strcmp(argv[i], "--leak") == 0 && i + 1 < argc) {
      if (!parse_leak(argv[++i], arguments.leak)) return false;
    } else if (!number("--seconds", arguments.seconds) && !number("--kills", arguments.kills) &&
               !number("--seed", arguments.seed))
      return false;
  }
  return arguments.kills != 0;
}

// What the clients got done. Told to, keeps something of the next client that ends.
class Work final : public uapi::ServerObserver {
 public:
  Calls calls() const override { return Calls::kSideBySide; }
  void leak(Leak what) { leak_ = what; }
  void on_ioctl(const Ioctl& ioctl) override {
    if (ioctl.result != 0) return;
    if (ioctl.command == DRM_IOCTL_PANTHOR_VM_BIND) binds.fetch_add(1);
    if (ioctl.command == DRM_IOCTL_PANTHOR_GROUP_SUBMIT) jobs.fetch_add(1);
    if (ioctl.command == DRM_IOCTL_PRIME_FD_TO_HANDLE) imports.fetch_add(1);
  }
  void on_release(uapi::Session& session) override {
    if (leak_.load() == Leak::kNone) return;
    MutexLock lock(mutex_);
    switch (leak_.load()) {
      case Leak::kNone:
        return;
      case Leak::kVm:
        kept_vm_ = session.file().vm(1);
        if (!kept_vm_) return;  // it was killed before it had one
        break;
      case Leak::kBuffer:
        kept_buffer_ = session.file().buffer(1);
        if (!kept_buffer_) return;
        break;
      case Leak::kDescriptor:
        kept_descriptor_ = driver::OwnedFd(::dup(0));
        break;
    }
    leak_ = Leak::kNone;
  }
  // Once no client is left, so that the machine outlives it.
  void give_back() {
    MutexLock lock(mutex_);
    kept_vm_ = {};
    kept_buffer_ = {};
  }
  std::atomic<std::uint64_t> binds{0};
  std::atomic<std::uint64_t> jobs{0};
  std::atomic<std::uint64_t> imports{0};

 private:
  std::atomic<Leak> leak_{Leak::kNone};
  Mutex mutex_;
  Ref<driver::Vm> kept_vm_ PANTRY_GUARDED_BY(mutex_);
  Ref<driver::Buffer> kept_buffer_ PANTRY_GUARDED_BY(mutex_);
  driver::OwnedFd kept_descriptor_ PANTRY_GUARDED_BY(mutex_);
};

std::uint64_t heap_in_use() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

// The socket over which clients write to each other: the host holds both ends all the time, so that
// letters of the killed stay.
class Mailbox {
 public:
  Mailbox() {
    if (::socketpair(AF_UNIX, SOCK_DGRAM, 0, ends_) != 0) std::abort();
    ::setenv("PANTRY_KILLS_MAILBOX", fmt::format("{},{}", ends_[0], ends_[1]).c_str(), 1);
  }
  // Letters that nobody will read any more, with what they carry.
  void empty() {
    std::array<std::byte, 64> letter;
    while (::recv(ends_[1], letter.data(), letter.size(), MSG_DONTWAIT) >= 0) {
    }
  }

 private:
  int ends_[2];
};

class Campaign {
 public:
  Campaign(campaigns::ServedMachine& host, std::uint64_t seed, Duration patience)
      : clock_(host.executor().clock()),
        host_(host),
        client_(host.client("kill_target")),
        patience_(patience),
        random_(seed) {}

  // Each of the following: what went wrong, if anything.
  std::string start_all() {
    for (pid_t& pid : clients_)
      if (std::string wrong = start(pid); !wrong.empty()) return wrong;
    return {};
  }
  std::string kill_all() {
    std::string wrong = look_for_ended();
    for (pid_t& pid : clients_) {
      if (pid == 0) continue;
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
      pid = 0;
    }
    mailbox_.empty();
    return wrong;
  }
  // Lets them work for a random time around `pause`, then kills one and starts another.
  std::string kill_one(Duration pause) {
    const TimePoint end =
        clock_.now() + nanoseconds(static_cast<std::int64_t>(
                           random_() % (2 * static_cast<std::uint64_t>(pause.ns) + 1)));
    do {
      if (std::string wrong = look_for_ended(); !wrong.empty()) return wrong;
      clock_.sleep(std::min(milliseconds(20), std::max(end - clock_.now(), kPause)));
    } while (clock_.now() < end);
    pid_t& pid = clients_[random_() % kClients];
    ::kill(pid, SIGKILL);
    int status = 0;
    ::waitpid(pid, &status, 0);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) return ended(status);
    return start(pid);
  }
  // Once no client is left: what the host holds, or `before` in good time.
  HostInventory settled(const HostInventory* before) {
    HostInventory now;
    campaigns::wait_until(clock_, patience_, kPause, [&] {
      now = campaigns::take_inventory(host_.machine(), &host_.server());
      return before ? now == *before : now.connections == 0;
    });
    return now;
  }

 private:
  std::string start(pid_t& pid) {
    ::setenv("PANTRY_KILLS_SEED", std::to_string(random_()).c_str(), 1);
    const auto started = tools::start_client(client_);
    if (!started) return fmt::format("{}: {}", client_.command[0], name_of(started.error()));
    pid = *started;
    return {};
  }
  static std::string ended(int status) {
    return fmt::format("a client ended by itself, wait status {:#x}", status);
  }
  std::string look_for_ended() {
    for (pid_t& pid : clients_) {
      int status = 0;
      if (pid == 0 || ::waitpid(pid, &status, WNOHANG) != pid) continue;
      pid = 0;
      return ended(status);
    }
    return {};
  }

  driver::Clock& clock_;
  campaigns::ServedMachine& host_;
  const tools::ClientProgram client_;
  const Duration patience_;
  std::mt19937_64 random_;
  Mailbox mailbox_;
  std::array<pid_t, kClients> clients_{};
};

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (!parse(argc, argv, arguments)) {
    fmt::print(stderr,
               "usage: kills [--quick] [--seconds N] [--kills N] [--seed N] [--leak "
               "vm|buffer|descriptor]\n");
    return 2;
  }
  set_log_level(LogLevel::kError);
  // Two thousand clients each print a banner to stdout; what they have found comes on stderr.
  std::FILE* const out = ::fdopen(::fcntl(1, F_DUPFD_CLOEXEC, 3), "w");
  if (!out || !std::freopen("/dev/null", "w", stdout)) {
    fmt::print(stderr, "kills: stdout cannot be kept for the verdict: {}\n", std::strerror(errno));
    return 1;
  }
  Work work;
  const auto host = campaigns::ServedMachine::create("kills", work);
  if (!host) return 1;
  driver::Clock& clock = host->executor().clock();
  Campaign campaign(*host, arguments.seed,
                    arguments.leak == Leak::kNone ? kPatience : kLeakPatience);
  const Duration pause = nanoseconds(seconds(1).ns * static_cast<std::int64_t>(arguments.seconds) /
                                     static_cast<std::int64_t>(arguments.kills));
  const HostInventory before = campaign.settled(nullptr);

  // A first generation, after which the heap has what it keeps.
  std::string wrong = campaign.start_all();
  for (std::size_t i = 0; i < kClients && wrong.empty(); ++i) wrong = campaign.kill_one(pause);
  if (std::string at_end = campaign.kill_all(); wrong.empty()) wrong = at_end;
  campaign.settled(&before);
  const std::uint64_t heap_before = heap_in_use();

  const TimePoint start = clock.now();
  std::uint64_t kills = 0;
  if (wrong.empty()) wrong = campaign.start_all();
  work.leak(arguments.leak);
  while (wrong.empty() && kills < arguments.kills) {
    wrong = campaign.kill_one(pause);
    if (wrong.empty()) ++kills;
  }
  if (std::string at_end = campaign.kill_all(); wrong.empty()) wrong = at_end;
  const HostInventory after = campaign.settled(&before);
  const std::uint64_t heap_after = heap_in_use();
  const bool leaves_something = wrong.empty() && after != before;
  if (leaves_something)
    wrong = fmt::format("something is left behind: {}", campaigns::text_of(after));
  if (wrong.empty() && heap_after > heap_before + kHeapSlack + kHeapPerKill * kills)
    wrong = fmt::format("the heap has grown from {} to {} bytes", heap_before, heap_after);
  if (wrong.empty() && (work.jobs == 0 || work.imports == 0)) wrong = "the clients did not work";
  work.give_back();
  if (arguments.leak != Leak::kNone) {
    fmt::print(out, "kills: what the host keeps is {}: {}\n",
               leaves_something ? "reported" : "NOT REPORTED", wrong);
    return std::fclose(out) == 0 && leaves_something ? 0 : 1;
  }
  if (!wrong.empty())
    fmt::print(out, "FOUND after kill {}, --seed {}: {}\n", kills, arguments.seed, wrong);
  fmt::print(
      out,
      "kills: {} kills of {} clients in {} binds, {} jobs and {} imports; baseline {}; heap {} to "
      "{} bytes; {} findings, {} s\n",
      kills, kClients, work.binds.load(), work.jobs.load(), work.imports.load(),
      campaigns::text_of(before), heap_before, heap_after, wrong.empty() ? 0 : 1,
      (clock.now() - start).ns / seconds(1).ns);
  return std::fclose(out) == 0 && wrong.empty() ? 0 : 1;
}
