// SPDX-License-Identifier: MIT
#include "gpu_emu/remote/shared_window.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <utility>

#include "base/types.h"

namespace pantry::emu {
namespace {

// What the signal handler may look at. It does so relaxed: a thread that faults in a window has
// come by that window after the slot was filled in. And ThreadSanitizer's run time, in whose
// release store the fault may have come up, would wait for itself in anything stronger.
struct Slot {
  std::atomic<bool> taken{false};
  std::atomic<std::uint8_t*> start{nullptr};
  std::atomic<std::uint64_t> bytes{0};
  std::atomic<bool> lost{false};
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

Slot slots[SharedWindow::kMax];
struct sigaction previous;

Slot* slot_of(const std::uint8_t* address) {
  for (Slot& slot : slots) {
    const std::uint64_t bytes = slot.bytes.load(std::memory_order_relaxed);
    const std::uint8_t* const start = slot.start.load(std::memory_order_relaxed);
    if (bytes != 0 && address >= start && static_cast<std::uint64_t>(address - start) < bytes)
      return &slot;
  }
  return nullptr;
}

void on_bus_error(int number, siginfo_t* info, void* context) {
  const int saved = errno;
  auto* const address = static_cast<std::uint8_t*>(info->si_addr);
  if (Slot* const slot = slot_of(address)) {
    void* const page = address - (reinterpret_cast<std::uintptr_t>(address) & (kPageSize - 1));
    // Not the library's mmap, which a sanitizer replaces by one that takes its locks.
    if (::syscall(SYS_mmap, page, kPageSize, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != -1) {
      slot->lost.store(true, std::memory_order_relaxed);
      errno = saved;
      return;
    }
  }
  if ((previous.sa_flags & SA_SIGINFO) != 0 && previous.sa_sigaction)
    return previous.sa_sigaction(number, info, context);
  // The default: the instruction runs again and takes the process down where the mistake is.
  ::signal(SIGBUS, SIG_DFL);
  errno = saved;
}

void install_handler() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action {};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    ::sigaction(SIGBUS, &action, &previous);
  });
}

}  // namespace

Result<SharedWindow> SharedWindow::map(int fd, std::uint64_t offset, std::uint64_t bytes) {
  install_handler();
  struct stat file {};
  if (::fstat(fd, &file) != 0 || !S_ISREG(file.st_mode)) return Error(Errno::kFault);
  const auto size = static_cast<std::uint64_t>(file.st_size);
  if (bytes == 0 || offset > size || bytes > size - offset) return Error(Errno::kFault);
  for (int i = 0; i < kMax; ++i) {
    Slot& slot = slots[i];
    if (slot.taken.exchange(true)) continue;
    void* const start =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, static_cast<off_t>(offset));
    if (start == MAP_FAILED) {
      slot.taken = false;
      return Error(Errno::kFault);
    }
    slot.lost = false;
    slot.start = static_cast<std::uint8_t*>(start);
    slot.bytes = bytes;
    return SharedWindow(i);
  }
  return Error(static_cast<Errno>(ENFILE));
}

SharedWindow::SharedWindow(SharedWindow&& other) noexcept : slot_(std::exchange(other.slot_, -1)) {}

SharedWindow::~SharedWindow() {
  if (slot_ < 0) return;
  Slot& slot = slots[slot_];
  const std::uint64_t bytes = slot.bytes.exchange(0);
  ::munmap(slot.start.exchange(nullptr), bytes);
  slot.taken = false;
}

std::uint8_t* SharedWindow::data() const {
  return slots[slot_].start.load(std::memory_order_relaxed);
}
std::uint64_t SharedWindow::bytes() const {
  return slots[slot_].bytes.load(std::memory_order_relaxed);
}
bool SharedWindow::lost() const { return slots[slot_].lost.load(std::memory_order_relaxed); }

}  // namespace pantry::emu
