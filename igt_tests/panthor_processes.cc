// SPDX-License-Identifier: MIT

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/cases.h"
#include "igt_tests/lib/channel.h"
#include "igt_tests/lib/tenant.h"

IGT_TEST_DESCRIPTION(
    "Clients that are several processes, become another program, or are killed at work.");

using namespace gpu;

namespace {

void fork_shares_the_file(const Device& opened) {
  const Device device = opened.open_again();
  igt_fork(child, 1) {
    drm_panthor_vm_create create{};
    do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_VM_CREATE, &create);
    igt_assert_eq(create.id, 1);
  };
  igt_waitchildren();
  drm_panthor_vm_get_state state{1, 0};
  do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_VM_GET_STATE, &state);
  igt_assert_eq(state.state, DRM_PANTHOR_VM_STATE_USABLE);
}

int open_descriptors() {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir("/proc/self/fd"), closedir);
  igt_assert(directory != nullptr);
  int count = 0;
  while (readdir(directory.get()) != nullptr) ++count;
  return count;
}

// A child that works in its parent's memory, with descriptors of its own.
void vfork_shares_the_file(const Device& opened) {
  const Device device = opened.open_again();
  drm_panthor_vm_get_state state{1, 0};
  int before = 0;
  for (uint32_t round = 1; round <= 4; ++round) {
    const pid_t child = vfork();
    if (child == 0) {
      drm_panthor_vm_create create{};
      const int result = ioctl(device.fd(), DRM_IOCTL_PANTHOR_VM_CREATE, &create);
      _exit(result == 0 && create.id == round ? 0 : 1);
    }
    igt_assert_lt(0, child);
    int status = -1;
    igt_assert_eq(waitpid(child, &status, 0), child);
    igt_assert_eq(status, 0);
    state.vm_id = round;
    do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_VM_GET_STATE, &state);
    // It leaves nothing behind in its parent.
    if (round == 1) before = open_descriptors();
    igt_assert_eq(open_descriptors(), before);
  }
}

// A child inherits the file, uses it, and keeps it alive after its parent has closed it.
void fork_keeps_the_file(const Device& device) {
  Pulse pulse(device, kPlay);
  Tenant tenant(device, pulse);
  const Channel started;
  const Channel leave;
  igt_fork(child, 1) {
    tenant.start();
    started.send(tenant.fence().get());
    leave.receive();
  };
  const UniqueFd fence = started.receive();
  pulse.expect_start();
  tenant.close();
  sleep_ns(kGlance);
  pulse.expect_beat();
  igt_assert_eq(sync_file_status(fence.get()), 0);
  leave.send(fence.get());
  igt_waitchildren();
  expect_ended(finish_sync_file(fence.get(), kPatience));
  pulse.expect_silence();
}

// The other way round: a child that goes takes nothing with it.
void child_closes_its_copy(const Device& device) {
  Pulse pulse(device, kPlay);
  Tenant tenant(device, pulse);
  tenant.start();
  pulse.expect_start();
  igt_fork(child, 4) { tenant.close(); };
  igt_waitchildren();
  sleep_ns(kGlance);
  pulse.expect_beat();
  tenant.close();
  pulse.expect_silence();
}

enum class AtExec { kKept, kClosed };

// Runs a program that knows nothing of the file, with or without the descriptor.
void exec_program(const Device& device, AtExec descriptor) {
  Pulse pulse(device, kPlay);
  Tenant tenant(device, pulse);
  tenant.start();
  const UniqueFd fence = tenant.fence();
  pulse.expect_start();
  igt_assert_eq(fcntl(tenant.fd(), F_SETFD, descriptor == AtExec::kKept ? 0 : FD_CLOEXEC), 0);
  int pipe_ends[2] = {-1, -1};
  igt_assert_eq(pipe2(pipe_ends, O_CLOEXEC), 0);
  const UniqueFd executed(pipe_ends[0]);
  UniqueFd before_exec(pipe_ends[1]);
  igt_fork(child, 1) {
    execl("/bin/sleep", "sleep", "30", nullptr);
    igt_assert(false);
  };
  const pid_t child = igt::newest_child();
  before_exec.reset();
  // The writing end closes itself by exec: now the child is that program.
  char byte = 0;
  igt_assert_eq(read(executed.get(), &byte, 1), 0);
  tenant.close();
  if (descriptor == AtExec::kKept) {
    sleep_ns(kGlance);
    pulse.expect_beat();
    igt_assert_eq(sync_file_status(fence.get()), 0);
    kill(child, SIGKILL);
  }
  expect_ended(finish_sync_file(fence.get(), kPatience));
  pulse.expect_silence();
  if (descriptor == AtExec::kClosed) igt_assert_eq(kill(child, SIGKILL), 0);
  igt_assert(WIFSIGNALED(igt::wait_for_child(IGT_PLACE, child)));
}

void exec_with_the_descriptor(const Device& device) { exec_program(device, AtExec::kKept); }
void exec_without_the_descriptor(const Device& device) { exec_program(device, AtExec::kClosed); }

// Starts `work` in a child, kills it once its heartbeat runs, and sees the job end.
template <typename Work>
void kill_a_client(const Device& device, int64_t after, Work work) {
  Pulse pulse(device, kPlay);
  igt_fork(child, 1) {
    Tenant tenant(device, pulse);
    tenant.start();
    work(tenant);
    sleep_ns(kPatience);
  };
  const pid_t child = igt::newest_child();
  pulse.expect_start();
  sleep_ns(after);
  kill(child, SIGKILL);
  const int status = igt::wait_for_child(IGT_PLACE, child);
  igt_assert(WIFSIGNALED(status));
  igt_assert_eq(WTERMSIG(status), SIGKILL);
  pulse.expect_silence();
}

void killed_while_its_job_runs(const Device& device) {
  for (int i = 0; i < 5; ++i) kill_a_client(device, 0, [](Tenant&) {});
  expect_in_order(device);
}

void killed_while_it_waits(const Device& device) {
  kill_a_client(device, kGlance, [](Tenant& tenant) {
    const UniqueFd fence = tenant.fence();
    finish_sync_file(fence.get(), kPatience);
  });
  kill_a_client(device, kGlance, [](Tenant& tenant) {
    drm_syncobj_create object{};
    do_ioctl(tenant.fd(), DRM_IOCTL_SYNCOBJ_CREATE, &object);
    drm_syncobj_wait request{};
    request.handles = reinterpret_cast<uint64_t>(&object.handle);
    request.count_handles = 1;
    request.flags = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT;
    request.timeout_nsec = now_ns() + kPatience;
    drmIoctl(tenant.fd(), DRM_IOCTL_SYNCOBJ_WAIT, &request);
  });
  expect_in_order(device);
}

// Binds as fast as they go, synchronous and not, until the end comes.
void bind_storm(Tenant& tenant) {
  drm_panthor_bo_create bo{};
  bo.size = 64 * kPage;
  do_ioctl(tenant.fd(), DRM_IOCTL_PANTHOR_BO_CREATE, &bo);
  for (uint32_t i = 0;; ++i) {
    drm_panthor_vm_bind_op ops[8] = {};
    for (uint32_t j = 0; j < 8; ++j) {
      const uint64_t slot = (i * 8 + j) * 37 % 512;
      ops[j].flags = (i + j) % 3 == 0 ? kUnmap : kMap;
      ops[j].bo_handle = ops[j].flags == kUnmap ? 0 : bo.handle;
      ops[j].va = kPlay + kGigabyte + slot * 48 * kPage;
      ops[j].size = (1 + slot % 64) * kPage;
    }
    drm_panthor_vm_bind request{};
    request.vm_id = tenant.vm_id();
    request.flags = i % 2 == 0 ? DRM_PANTHOR_VM_BIND_ASYNC : 0;
    request.ops = {sizeof(ops[0]), 8, reinterpret_cast<uint64_t>(ops)};
    do_ioctl(tenant.fd(), DRM_IOCTL_PANTHOR_VM_BIND, &request);
  }
}

void killed_in_a_bind_storm(const Device& device) {
  for (int i = 0; i < 12; ++i) {
    kill_a_client(device, static_cast<int64_t>(random()) % (6 * kMillisecond), bind_storm);
  }
  expect_in_order(device);
}

// Four processes at work at once, each on memory of its own at the same address.
void processes_work_side_by_side(const Device& device) {
  igt_fork(child, 4) {
    const Device own = device.open_again();
    Bench bench(own);
    Bo bo = Bo::create(own, 8 * kPage);
    const auto base = static_cast<uint32_t>(child + 1) * 0x10000;
    for (uint32_t round = 0; round < 12; ++round) {
      bench.vm().map(bo, kPlay);
      bench.store_tags(kPlay, 8, base + round);
      const auto tags = bench.load_tags(kPlay, 8);
      for (uint32_t i = 0; i < 8; ++i) igt_assert_eq(tags[i], base + round + i);
      for (uint32_t i = 0; i < 8; ++i)
        igt_assert_eq(uint32_t{bo.word_at(i * kPage)}, base + round + i);
      bench.vm().unmap(kPlay, 8 * kPage);
    }
  };
  igt_waitchildren();
}

// A process whose parent has ended, as that of a daemon has. (It also has no ancestor any more but
// the first of all processes, whose memory a security module may keep others from.)
void orphan_goes_on(const Device& device) {
  int pipe_ends[2] = {-1, -1};
  igt_assert_eq(pipe2(pipe_ends, O_CLOEXEC), 0);
  const UniqueFd verdict(pipe_ends[0]);
  UniqueFd told(pipe_ends[1]);
  igt_fork(child, 1) {
    const pid_t parent = getpid();
    const pid_t orphan = fork();
    igt_assert_lte(0, orphan);
    if (orphan == 0) {
      while (getppid() == parent) sleep_ns(kMillisecond);
      char name[16] = {};
      drm_version version{};
      version.name = name;
      version.name_len = sizeof name;
      const bool works = ioctl(device.fd(), DRM_IOCTL_VERSION, &version) == 0 && name[0] == 'p';
      (void)!write(told.get(), works ? "y" : "n", 1);
      _exit(0);
    }
  };
  told.reset();
  igt_waitchildren();
  char answer = 0;
  igt_assert_eq(read(verdict.get(), &answer, 1), 1);
  igt_assert_eq(answer, 'y');
}

// Of a process with a table for a great many, each fork() copies it up to the highest.
void descriptors_stay_low(const Device& device) {
  constexpr rlim_t kMany = 16384;
  rlimit before{};
  igt_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit many{kMany, before.rlim_max < kMany ? kMany : before.rlim_max};
  igt_require_f(setrlimit(RLIMIT_NOFILE, &many) == 0, "not that many descriptors\n");
  igt_fork(child, 1) {
    drm_panthor_vm_create create{};
    do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_VM_CREATE, &create);
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir("/proc/self/fd"), closedir);
    while (const dirent* const entry = readdir(directory.get()))
      igt_assert_lt(atoi(entry->d_name), 8192);
  };
  igt_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
  igt_waitchildren();
}

constexpr Case kCases[] = {
    {"fork-shares-the-file", "What the child creates is there for its parent.",
     fork_shares_the_file},
    {"vfork-shares-the-file", "So is what a child of vfork() creates.", vfork_shares_the_file},
    {"fork-keeps-the-file", "A child's descriptor counts as well.", fork_keeps_the_file},
    {"child-closes-its-copy", "And is not the only one.", child_closes_its_copy},
    {"exec-with-the-descriptor", "A program that inherits the file keeps it.",
     exec_with_the_descriptor},
    {"exec-without-the-descriptor", "CLOEXEC closes it.", exec_without_the_descriptor},
    {"killed-while-its-job-runs", "SIGKILL ends the job too. [G1.3]", killed_while_its_job_runs},
    {"killed-while-it-waits", "SIGKILL in the middle of a wait. [G1.3]", killed_while_it_waits},
    {"killed-in-a-bind-storm", "SIGKILL in the middle of binds.", killed_in_a_bind_storm},
    {"processes-work-side-by-side", "Four processes, one address.", processes_work_side_by_side},
    {"orphan-goes-on", "A process whose parent has ended is still a client.", orphan_goes_on},
    {"descriptors-stay-low", "A client's table of descriptors stays short.", descriptors_stay_low},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
