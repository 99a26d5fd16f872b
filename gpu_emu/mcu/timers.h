// SPDX-License-Identifier: MIT
//
// The firmware's timer words as spans of time. Pure functions.
#pragma once

#include <cstdint>

#include "base/types.h"
#include "gpu_emu/datasheet/glb_interface.h"
#include "gpu_emu/quirks.h"

namespace pantry::emu {

// `ticks` of a clock of `hz`. Whole seconds and the rest apart, so that 2^41 ticks do not overflow.
constexpr Duration ticks_at(std::uint64_t ticks, std::uint64_t hz) {
  const std::uint64_t whole = ticks / hz;
  const std::uint64_t rest = ticks % hz;
  return {static_cast<std::int64_t>(whole * 1'000'000'000 + rest * 1'000'000'000 / hz)};
}

// timer_span(0xeb) of a 24 MHz counter is 235 * 1024 ticks, or 10.03 ms.
constexpr Duration timer_span(std::uint32_t word, const Quirks& quirks,
                              std::uint64_t timestamp_hz) {
  using datasheet::glb::Timer;
  const std::uint64_t ticks = std::uint64_t{Timer::Units::get(word)} << datasheet::glb::kTimerShift;
  return ticks_at(ticks, Timer::SourceGpuCounter::get(word) ? quirks.core_clock_hz : timestamp_hz);
}

// The progress timer counts cycles only. 0 switches it off.
constexpr Duration progress_span(std::uint32_t word, const Quirks& quirks) {
  return ticks_at(std::uint64_t{word} << datasheet::glb::kProgressTimerShift, quirks.core_clock_hz);
}

}  // namespace pantry::emu
