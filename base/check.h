// SPDX-License-Identifier: MIT
//
// CHECK is for bugs in Pantry itself and aborts with the place and the broken condition. A client's
// mistake is an Errno, a gap in the emulation is a log line (log.h); neither is ever a CHECK.
//
// Checks stay on in every build: they cost a predicted branch and must not allocate, so they are
// allowed inside a SignallingSection.
#pragma once

namespace pantry {

[[noreturn]] void check_failed(const char* file, int line, const char* condition) noexcept;

}  // namespace pantry

#define PANTRY_CHECK(condition) \
  (static_cast<bool>(condition) ? void(0) : ::pantry::check_failed(__FILE__, __LINE__, #condition))
