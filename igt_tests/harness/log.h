// SPDX-License-Identifier: MIT
//
// What a test program says. Everything is kept in a ring of the last 256 entries, which is printed
// when a subtest fails; what reaches IGT_LOG_LEVEL is printed at once: warnings and worse on
// stderr, the rest on stdout.
//
// Safe from any thread (one lock, held while an entry is stored and printed). Allocates; never call
// it from a signal handler.
#pragma once

#include <cstdarg>
#include <string>

namespace igt {

enum class LogLevel { kDebug, kInfo, kWarn, kCritical, kNone };

std::string format(const char* text, ...) __attribute__((format(printf, 1, 2)));
std::string format_list(const char* text, va_list arguments) __attribute__((format(printf, 1, 0)));

void log(LogLevel level, const char* text, ...) __attribute__((format(printf, 2, 3)));

void set_log_level(LogLevel level);
LogLevel log_level();
// The name in front of every entry but information, as "(program:pid)".
void set_log_program(const char* program);

// Empties the ring (a subtest starts), or prints it to stderr between its two marks (a subtest
// failed).
void clear_log_ring();
void dump_log_ring(const char* subtest);

}  // namespace igt

#define igt_debug(...) ::igt::log(::igt::LogLevel::kDebug, __VA_ARGS__)
#define igt_info(...) ::igt::log(::igt::LogLevel::kInfo, __VA_ARGS__)
#define igt_warn(...) ::igt::log(::igt::LogLevel::kWarn, __VA_ARGS__)
#define igt_critical(...) ::igt::log(::igt::LogLevel::kCritical, __VA_ARGS__)
