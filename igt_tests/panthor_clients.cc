// SPDX-License-Identifier: MIT

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <fstream>
#include <functional>
#include <memory>
#include <string>

#include "igt_tests/harness/igt.h"
#include "igt_tests/lib/bo.h"
#include "igt_tests/lib/cases.h"
#include "igt_tests/lib/clock.h"

IGT_TEST_DESCRIPTION("Clients that do what few do: with threads, memory and descriptors.");

using namespace gpu;

namespace {

// Empty messages and nonsense are for nobody: the file goes on.
void written_to(const Device& opened) {
  const Device device = opened.open_again();
  char bytes[64] = {};
  for (const size_t size : {size_t{0}, size_t{1}, sizeof bytes}) {
    // Linux refuses it; what matters is what comes after it.
    if (write(device.fd(), bytes, size) < 0) igt_assert_eq(errno, EINVAL);
    drm_panthor_vm_create create{};
    do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_VM_CREATE, &create);
    drm_panthor_vm_get_state state{create.id, 0};
    do_ioctl(device.fd(), DRM_IOCTL_PANTHOR_VM_GET_STATE, &state);
  }
}

bool is_mapped(const void* page) {
  unsigned char resident = 0;
  return mincore(const_cast<void*>(page), 4096, &resident) == 0;
}

void flush_id_stays_with_its_process(const Device& device) {
  const void* const page = mmap(nullptr, 4096, PROT_READ, MAP_SHARED, device.fd(),
                                static_cast<off_t>(DRM_PANTHOR_USER_FLUSH_ID_MMIO_OFFSET));
  igt_assert(page != MAP_FAILED);
  igt_assert(is_mapped(page));
  igt_fork(child, 1) { igt_assert(!is_mapped(page)); };
  igt_waitchildren();
  igt_assert_neq(*static_cast<const volatile uint32_t*>(page), 0);
  munmap(const_cast<void*>(page), 4096);
}

bool first_thread_has_ended() {
  std::ifstream stat("/proc/self/stat");
  std::string number, name, state;
  stat >> number >> name >> state;
  return state == "Z";
}

// Reads and writes its own memory, and passes a descriptor, by ioctl.
bool works(const Device& device) {
  drm_panthor_vm_create create{};
  drm_syncobj_create object{};
  drm_syncobj_eventfd event{};
  if (ioctl(device.fd(), DRM_IOCTL_PANTHOR_VM_CREATE, &create) != 0 || create.id == 0) return false;
  if (ioctl(device.fd(), DRM_IOCTL_SYNCOBJ_CREATE, &object) != 0 || object.handle == 0)
    return false;
  event.handle = object.handle;
  event.fd = eventfd(0, EFD_CLOEXEC);
  return ioctl(device.fd(), DRM_IOCTL_SYNCOBJ_EVENTFD, &event) == 0;
}

void* go_on_alone(void* argument) {
  const int64_t end = now_ns() + kPatience;
  while (!first_thread_has_ended() && now_ns() < end) sleep_ns(kMillisecond);
  _exit(first_thread_has_ended() && works(*static_cast<const Device*>(argument)) ? 0 : 1);
}

void goes_on_without_its_first_thread(const Device& opened) {
  Device device = opened.open_again();
  igt_fork(child, 1) {
    pthread_t thread;
    igt_assert_eq(pthread_create(&thread, nullptr, go_on_alone, &device), 0);
    // This thread only.
    syscall(SYS_exit, 0);
  };
  const int status = igt::wait_for_child(IGT_PLACE, igt::newest_child());
  igt_assert(WIFEXITED(status));
  igt_assert_eq(WEXITSTATUS(status), 0);
}

void eventfd_outlives_its_file(const Device& opened) {
  Device first = opened.open_again();
  const Device second = opened.open_again();
  drm_syncobj_create object{};
  do_ioctl(first.fd(), DRM_IOCTL_SYNCOBJ_CREATE, &object);
  drm_syncobj_handle passed{};
  passed.handle = object.handle;
  do_ioctl(first.fd(), DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &passed);
  const UniqueFd carrier(passed.fd);
  do_ioctl(second.fd(), DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &passed);
  const UniqueFd event(eventfd(0, EFD_CLOEXEC));
  drm_syncobj_eventfd request{};
  request.handle = object.handle;
  request.fd = event.get();
  do_ioctl(first.fd(), DRM_IOCTL_SYNCOBJ_EVENTFD, &request);
  first.close();
  drm_syncobj_array signal{};
  signal.handles = reinterpret_cast<uint64_t>(&passed.handle);
  signal.count_handles = 1;
  do_ioctl(second.fd(), DRM_IOCTL_SYNCOBJ_SIGNAL, &signal);
  pollfd entry{event.get(), POLLIN, 0};
  igt_assert_eq(poll(&entry, 1, static_cast<int>(kPatience / kMillisecond)), 1);
}

// Runs `call` as the first call of a thread that has been asked to end. True: it has returned.
bool returns_to_a_cancelled_thread(std::function<void()> call) {
  struct Work {
    std::function<void()> call;
    bool returned = false;
  } work{std::move(call)};
  const auto run = [](void* argument) -> void* {
    auto& own = *static_cast<Work*>(argument);
    pthread_cancel(pthread_self());
    own.call();
    own.returned = true;
    pthread_testcancel();
    return nullptr;
  };
  pthread_t thread;
  igt_assert_eq(pthread_create(&thread, nullptr, run, &work), 0);
  void* result = nullptr;
  igt_assert_eq(pthread_join(thread, &result), 0);
  igt_assert(result == PTHREAD_CANCELED);
  return work.returned;
}

// These are no cancellation points: who is asked to end gets to know what they have made.
void cancelled_between_its_calls(const Device& opened) {
  const Device device = opened.open_again();
  const Bo bo = Bo::create(device, kPage);
  igt_assert(returns_to_a_cancelled_thread([&] {
    drm_panthor_vm_create create{};
    ioctl(device.fd(), DRM_IOCTL_PANTHOR_VM_CREATE, &create);
  }));
  const auto offset = static_cast<off_t>(bo.mmap_offset());
  void* mapping = nullptr;
  igt_assert(returns_to_a_cancelled_thread(
      [&] { mapping = mmap(nullptr, kPage, PROT_READ, MAP_SHARED, device.fd(), offset); }));
  igt_assert(mapping != nullptr && mapping != MAP_FAILED);
  munmap(mapping, kPage);
  int exported = -1;
  igt_assert(returns_to_a_cancelled_thread([&] {
    drm_prime_handle prime{bo.handle(), DRM_CLOEXEC, -1};
    ioctl(device.fd(), DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime);
    exported = prime.fd;
  }));
  const UniqueFd dma_buf(exported);
  igt_assert_fd(dma_buf.get());
  off_t size = 0;
  igt_assert(returns_to_a_cancelled_thread([&] { size = lseek(dma_buf.get(), 0, SEEK_END); }));
  igt_assert_eq(size, static_cast<off_t>(kPage));
}

// A thread that is cancelled while it waits for a buffer does not take the set along with it.
void cancelled_while_it_waits(const Device& opened) {
  const Device device = opened.open_again();
  const Bo bo = Bo::create(device, kPage);
  const UniqueFd dma_buf = bo.export_fd();
  const UniqueFd set(epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{};
  event.events = EPOLLIN;
  igt_assert_eq(epoll_ctl(set.get(), EPOLL_CTL_ADD, dma_buf.get(), &event), 0);
  alarm(60);  // instead of waiting for ever
  for (int round = 0; round < 200; ++round) {
    pthread_t thread;
    const auto wait = [](void* argument) -> void* {
      const int number = *static_cast<const int*>(argument);
      epoll_event got{};
      for (;;) epoll_wait(number, &got, 1, -1);
    };
    int number = set.get();
    igt_assert_eq(pthread_create(&thread, nullptr, wait, &number), 0);
    sleep_ns(round % 40 * 10'000);  // until all of what it does has been met
    igt_assert_eq(pthread_cancel(thread), 0);
    igt_assert_eq(pthread_join(thread, nullptr), 0);
    igt_assert_eq(epoll_wait(set.get(), &event, 1, 0), 1);
  }
  alarm(0);
}

sigjmp_buf before_the_wait;

int open_descriptors() {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir("/proc/self/fd"), closedir);
  int count = 0;
  while (readdir(directory.get()) != nullptr) ++count;
  return count;
}

// As a test does whose time is over: the handler does not return, the wait is not gone on with.
void waits_left_behind(const Device& opened) {
  const Device device = opened.open_again();
  drm_syncobj_create object{};
  do_ioctl(device.fd(), DRM_IOCTL_SYNCOBJ_CREATE, &object);
  struct sigaction leave {};
  struct sigaction before {};
  leave.sa_handler = [](int) { siglongjmp(before_the_wait, 1); };
  igt_assert_eq(sigaction(SIGALRM, &leave, &before), 0);
  static int descriptors;
  for (static int round = 0; round < 8; ++round) {
    if (sigsetjmp(before_the_wait, 1) == 0) {
      const itimerval soon{{0, 0}, {0, 10000}};
      setitimer(ITIMER_REAL, &soon, nullptr);
      drm_syncobj_wait wait{};
      wait.handles = reinterpret_cast<uint64_t>(&object.handle);
      wait.count_handles = 1;
      wait.timeout_nsec = INT64_MAX;
      wait.flags = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT;
      ioctl(device.fd(), DRM_IOCTL_SYNCOBJ_WAIT, &wait);
      igt_assert(false);
    }
    drm_version version{};
    do_ioctl(device.fd(), DRM_IOCTL_VERSION, &version);
    if (round == 0) descriptors = open_descriptors();
    igt_assert_eq(open_descriptors(), descriptors);
  }
  igt_assert_eq(sigaction(SIGALRM, &before, nullptr), 0);
}

bool sleeps(pid_t thread) {
  std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
  std::string text;
  std::getline(file, text);
  return text.find(") S ") != std::string::npos;
}

// The number by which a thread has begun to wait becomes that of something else, and then a signal
// reaches the thread.
void number_taken_over_during_a_wait(const Device& opened) {
  Device device = opened.open_again();
  drm_syncobj_create object{};
  do_ioctl(device.fd(), DRM_IOCTL_SYNCOBJ_CREATE, &object);
  const UniqueFd copy(fcntl(device.fd(), F_DUPFD_CLOEXEC, 0));
  struct sigaction before {};
  struct sigaction nothing {};
  nothing.sa_handler = [](int) {};
  igt_assert_eq(sigaction(SIGUSR1, &nothing, &before), 0);
  struct Waiter {
    int fd;
    drm_syncobj_wait wait{};
    std::atomic<pid_t> thread{0};
    int error = 0;
  } waiter{device.fd()};
  waiter.wait.handles = reinterpret_cast<uint64_t>(&object.handle);
  waiter.wait.count_handles = 1;
  waiter.wait.timeout_nsec = INT64_MAX;
  waiter.wait.flags = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT;
  pthread_t thread;
  const auto wait = [](void* argument) -> void* {
    auto& own = *static_cast<Waiter*>(argument);
    own.thread = static_cast<pid_t>(syscall(SYS_gettid));
    if (ioctl(own.fd, DRM_IOCTL_SYNCOBJ_WAIT, &own.wait) != 0) own.error = errno;
    return nullptr;
  };
  igt_assert_eq(pthread_create(&thread, nullptr, wait, &waiter), 0);
  for (int looks = 0; looks < 3; sleep_ns(kMillisecond))
    looks = waiter.thread != 0 && sleeps(waiter.thread) ? looks + 1 : 0;
  int pair[2];
  igt_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
  const UniqueFd near_end(pair[0]), far_end(pair[1]);
  igt_assert_eq(dup2(far_end.get(), device.fd()), device.fd());
  igt_assert_eq(pthread_kill(thread, SIGUSR1), 0);
  // Linux ends the wait with EINTR; where it goes on, this ends it.
  sleep_ns(kGlance);
  drm_syncobj_array signal{};
  signal.handles = reinterpret_cast<uint64_t>(&object.handle);
  signal.count_handles = 1;
  do_ioctl(copy.get(), DRM_IOCTL_SYNCOBJ_SIGNAL, &signal);
  igt_assert_eq(pthread_join(thread, nullptr), 0);
  igt_assert(waiter.error == 0 || waiter.error == EINTR);
  char byte = 0;
  igt_assert_eq(recv(near_end.get(), &byte, 1, MSG_DONTWAIT), -1);
  igt_assert_eq(errno, EAGAIN);
  igt_assert_eq(sigaction(SIGUSR1, &before, nullptr), 0);
}

constexpr Case kCases[] = {
    {"written-to", "A write to the file costs nobody the file.", written_to},
    {"flush-id-stays-with-its-process", "A child does not inherit the page of the flush id. [H2.3]",
     flush_id_stays_with_its_process},
    {"goes-on-without-its-first-thread", "The other threads can still do everything.",
     goes_on_without_its_first_thread},
    {"eventfd-outlives-its-file", "An event is registered with the syncobj.",
     eventfd_outlives_its_file},
    {"cancelled-between-its-calls", "Neither ioctl() nor mmap() is a cancellation point.",
     cancelled_between_its_calls},
    {"cancelled-while-it-waits", "A cancelled thread leaves nothing locked.",
     cancelled_while_it_waits},
    {"waits-left-behind", "siglongjmp() out of a wait costs no descriptor.", waits_left_behind},
    {"number-taken-over-during-a-wait", "What took it over hears nothing of the wait.",
     number_taken_over_during_a_wait},
};

}  // namespace

igt_main { gpu::run_cases(kCases); }
