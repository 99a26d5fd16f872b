// SPDX-License-Identifier: MIT

#include "igt_tests/harness/log.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <mutex>

namespace igt {
namespace {

constexpr size_t kRingEntries = 256;

struct LogState {
  std::mutex mutex;
  LogLevel level = LogLevel::kInfo;
  std::string program = "igt";
  std::array<std::string, kRingEntries> ring;
  size_t stored =
      0;  // entries since the ring was emptied; the newest is at (stored - 1) % kRingEntries
};

LogState& log_state() {
  static LogState state;
  return state;
}

const char* level_name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "DEBUG";
    case LogLevel::kInfo:
      return "INFO";
    case LogLevel::kWarn:
      return "WARNING";
    case LogLevel::kCritical:
      return "CRITICAL";
    case LogLevel::kNone:
      break;
  }
  return "NONE";
}

}  // namespace

std::string format_list(const char* text, va_list arguments) {
  va_list again;
  va_copy(again, arguments);
  const int length = vsnprintf(nullptr, 0, text, again);
  va_end(again);
  if (length <= 0) return {};
  std::string result(static_cast<size_t>(length), '\0');
  vsnprintf(result.data(), result.size() + 1, text, arguments);
  return result;
}

std::string format(const char* text, ...) {
  va_list arguments;
  va_start(arguments, text);
  std::string result = format_list(text, arguments);
  va_end(arguments);
  return result;
}

void log(LogLevel level, const char* text, ...) {
  va_list arguments;
  va_start(arguments, text);
  const std::string message = format_list(text, arguments);
  va_end(arguments);

  LogState& state = log_state();
  const std::lock_guard lock(state.mutex);
  const std::string prefix =
      format("(%s:%d) %s: ", state.program.c_str(), static_cast<int>(getpid()), level_name(level));
  state.ring[state.stored++ % kRingEntries] = prefix + message;
  if (level < state.level) return;
  FILE* out = level >= LogLevel::kWarn ? stderr : stdout;
  fflush(out == stderr ? stdout : stderr);
  fprintf(out, "%s%s", level == LogLevel::kInfo ? "" : prefix.c_str(), message.c_str());
  fflush(out);
}

void set_log_level(LogLevel level) {
  LogState& state = log_state();
  const std::lock_guard lock(state.mutex);
  state.level = level;
}

LogLevel log_level() {
  LogState& state = log_state();
  const std::lock_guard lock(state.mutex);
  return state.level;
}

void set_log_program(const char* program) {
  LogState& state = log_state();
  const std::lock_guard lock(state.mutex);
  state.program = program;
}

void clear_log_ring() {
  LogState& state = log_state();
  const std::lock_guard lock(state.mutex);
  state.stored = 0;
}

void dump_log_ring(const char* subtest) {
  LogState& state = log_state();
  const std::lock_guard lock(state.mutex);
  // Whoever asked for debug output has seen it all.
  if (state.level == LogLevel::kDebug) return;
  fflush(stdout);
  if (subtest != nullptr) fprintf(stderr, "Subtest %s failed.\n", subtest);
  if (state.stored == 0) {
    fprintf(stderr, "No log.\n");
    fflush(stderr);
    return;
  }
  fprintf(stderr, "**** DEBUG ****\n");
  const size_t count = state.stored < kRingEntries ? state.stored : kRingEntries;
  for (size_t i = state.stored - count; i < state.stored; ++i) {
    const std::string& entry = state.ring[i % kRingEntries];
    fprintf(stderr, "%s%s", entry.c_str(), !entry.empty() && entry.back() == '\n' ? "" : "\n");
  }
  fprintf(stderr, "****  END  ****\n");
  fflush(stderr);
}

}  // namespace igt
