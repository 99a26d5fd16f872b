// SPDX-License-Identifier: MIT

#include "igt_tests/harness/crash.h"

#include <execinfo.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <exception>

#include "igt_tests/harness/children.h"

namespace igt {
namespace {

struct FatalSignal {
  int number;
  const char* name;
  bool is_fault;  // raised by an instruction of ours
};

constexpr FatalSignal kFatalSignals[] = {
    {SIGILL, "SIGILL", true},    {SIGBUS, "SIGBUS", true},    {SIGFPE, "SIGFPE", true},
    {SIGSEGV, "SIGSEGV", true},  {SIGABRT, "SIGABRT", false}, {SIGQUIT, "SIGQUIT", false},
    {SIGHUP, "SIGHUP", false},   {SIGINT, "SIGINT", false},   {SIGTERM, "SIGTERM", false},
    {SIGPIPE, "SIGPIPE", false},
};

constexpr size_t kSignalStackBytes = 64 * 1024;
constexpr int kMaxFrames = 64;

// Where a fault goes. Only the main thread of the program (or of a child) sets it.
sigjmp_buf* crash_target = nullptr;

// write(2) whose result nobody can do anything about.
void put(const char* text) {
  ssize_t ignored = write(STDERR_FILENO, text, strlen(text));
  (void)ignored;
}

void handle_fatal_signal(int number, siginfo_t*, void*) {
  const FatalSignal* signal_info = &kFatalSignals[0];
  for (const FatalSignal& candidate : kFatalSignals) {
    if (candidate.number == number) signal_info = &candidate;
  }
  put("Received signal ");
  put(signal_info->name);
  put(".\n");
  if (signal_info->is_fault) {
    std::array<void*, kMaxFrames> frames;
    put("Stack trace:\n");
    backtrace_symbols_fd(frames.data(), backtrace(frames.data(), kMaxFrames), STDERR_FILENO);
    if (crash_target != nullptr && on_main_thread()) siglongjmp(*crash_target, number);
  }
  kill_children_from_handler();
  signal(number, SIG_DFL);
  raise(number);
  // Blocked while its handler runs; let it through now.
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, number);
  pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
}

const char* signal_name(int number) {
  for (const FatalSignal& candidate : kFatalSignals) {
    if (candidate.number == number) return candidate.name;
  }
  return "signal";
}

Outcome run_catching(BodyRef body) {
  try {
    body();
  } catch (const Outcome& outcome) {
    return outcome;
  } catch (const std::exception& error) {
    igt_critical("Unhandled exception: %s\n", error.what());
    return {Result::kFail, kExitFailure};
  }
  return {Result::kSuccess, kExitSuccess};
}

}  // namespace

bool on_main_thread() { return syscall(SYS_gettid) == getpid(); }

void install_crash_handlers() {
  void* stack =
      mmap(nullptr, kSignalStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (stack != MAP_FAILED) {
    stack_t signal_stack{};
    signal_stack.ss_sp = stack;
    signal_stack.ss_size = kSignalStackBytes;
    sigaltstack(&signal_stack, nullptr);
  }
  // The first call loads the unwinder, which must not happen inside a handler.
  std::array<void*, 1> frame;
  backtrace(frame.data(), 1);
  for (const FatalSignal& fatal : kFatalSignals) {
    struct sigaction action {};
    action.sa_sigaction = handle_fatal_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(fatal.number, &action, nullptr);
  }
}

Outcome run_guarded(BodyRef body) {
  sigjmp_buf* const outer = crash_target;
  sigjmp_buf here;
  // Volatile: read after the second return of sigsetjmp.
  Outcome* volatile result = nullptr;
  Outcome storage{Result::kCrash, kExitFailure};
  const int number = sigsetjmp(here, 1);
  if (number == 0) {
    crash_target = &here;
    storage = run_catching(body);
    result = &storage;
  }
  crash_target = outer;
  if (result != nullptr) return *result;
  igt_critical("Crashed with %s\n", signal_name(number));
  return {Result::kCrash, 128 + number};
}

void print_stack_trace() {
  std::array<void*, kMaxFrames> frames;
  const int count = backtrace(frames.data(), kMaxFrames);
  char** symbols = backtrace_symbols(frames.data(), count);
  if (symbols == nullptr) return;
  fflush(stdout);
  fprintf(stderr, "Stack trace:\n");
  for (int i = 1; i < count; ++i) fprintf(stderr, "  #%d %s\n", i - 1, symbols[i]);
  fflush(stderr);
  free(symbols);
}

}  // namespace igt
