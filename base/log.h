// SPDX-License-Identifier: MIT
//
// Pantry's log: to stderr of the host process or to `--log FILE`, never to a client's stderr. Three
// words that are never mixed: a bug in Pantry aborts (check.h); a client's mistake is log_client; a
// gap in the emulation is log_gap. What happened and is nobody's mistake is log_info (faults,
// resets, timeouts) or log_debug.
//
// Formatting allocates (without memory the line is lost): never inside a SignallingSection, where
// the trace ring (trace_ring.h) is the only output. Calls below the level in force cost one relaxed
// load. spdlog stays behind log.cc, so that this header is cheap.
#pragma once

#include <fmt/core.h>

#include <atomic>
#include <string_view>

#include "base/signalling.h"

namespace pantry {

enum class LogLevel : int { kDebug, kInfo, kClient, kGap, kError, kOff };

namespace log_detail {
extern std::atomic<int> threshold;
void write(LogLevel level, std::string_view room, fmt::string_view format,
           fmt::format_args arguments) noexcept PANTRY_MAY_ALLOCATE;
}  // namespace log_detail

// Everything at or above `level` is written from now on. The default is kGap.
void set_log_level(LogLevel level);
// Writes to `path` (appended) instead of stderr; false when it cannot be opened, and nothing
// changes.
bool set_log_file(const char* path);

#define PANTRY_DEFINE_LOG_(function, level)                                               \
  template <class... T>                                                                   \
  void function(std::string_view room, fmt::format_string<T...> format, T&&... arguments) \
      PANTRY_MAY_ALLOCATE {                                                               \
    if (static_cast<int>(level) >= log_detail::threshold.load(std::memory_order_relaxed)) \
      log_detail::write(level, room, format, fmt::make_format_args(arguments...));        \
  }
// `room` is the folder that speaks: "driver/vm".
PANTRY_DEFINE_LOG_(log_debug, LogLevel::kDebug)
PANTRY_DEFINE_LOG_(log_info, LogLevel::kInfo)
// A client's mistake: names the object and the rule that was broken.
PANTRY_DEFINE_LOG_(log_client, LogLevel::kClient)
// Something that the real device or kernel does and Pantry does not.
PANTRY_DEFINE_LOG_(log_gap, LogLevel::kGap)
// The device misbehaved, or the host machine refused something that Pantry needs.
PANTRY_DEFINE_LOG_(log_error, LogLevel::kError)
#undef PANTRY_DEFINE_LOG_

}  // namespace pantry
