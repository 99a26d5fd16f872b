// SPDX-License-Identifier: MIT
//
// The strong types that cross every header: an address in a GPU address space, an address in DRAM,
// a range of the former, and time. Ranges are inclusive at both ends, so that the last byte of a
// 64-bit space needs no overflow.
#pragma once

#include <bit>
#include <compare>
#include <cstdint>

namespace pantry {

inline constexpr std::uint64_t kKiB = 1024;
inline constexpr std::uint64_t kMiB = 1024 * kKiB;
inline constexpr std::uint64_t kGiB = 1024 * kMiB;

// A frame of DRAM, a page of a buffer and a level-3 leaf are all 4 KiB.
inline constexpr std::uint64_t kPageShift = 12;
inline constexpr std::uint64_t kPageSize = std::uint64_t{1} << kPageShift;

constexpr bool is_aligned(std::uint64_t value, std::uint64_t power_of_two) {
  return (value & (power_of_two - 1)) == 0;
}
// align_down(0x1fff, 0x1000) == 0x1000
constexpr std::uint64_t align_down(std::uint64_t value, std::uint64_t power_of_two) {
  return value & ~(power_of_two - 1);
}
// align_up(0x1001, 0x1000) == 0x2000; wraps to 0 past the last multiple, which the caller excludes
// or wants.
constexpr std::uint64_t align_up(std::uint64_t value, std::uint64_t power_of_two) {
  return align_down(value + power_of_two - 1, power_of_two);
}

// A virtual address in one GPU address space. Which one is always said by the object it is given
// to.
struct GpuVa {
  std::uint64_t value = 0;
  constexpr auto operator<=>(const GpuVa&) const = default;
  constexpr GpuVa operator+(std::uint64_t bytes) const { return {value + bytes}; }
  constexpr GpuVa operator-(std::uint64_t bytes) const { return {value - bytes}; }
  constexpr std::uint64_t operator-(GpuVa other) const { return value - other.value; }
};

// An address as the device puts it on the bus: DRAM starts at Dram::base, which need not be 0.
struct PhysAddr {
  std::uint64_t value = 0;
  constexpr auto operator<=>(const PhysAddr&) const = default;
  constexpr PhysAddr operator+(std::uint64_t bytes) const { return {value + bytes}; }
  constexpr PhysAddr operator-(std::uint64_t bytes) const { return {value - bytes}; }
  constexpr std::uint64_t operator-(PhysAddr other) const { return value - other.value; }
};

// A non-empty range of virtual addresses, both ends included: 4 KiB at 0 is {0, 0xfff}.
struct GpuRange {
  GpuVa first;
  GpuVa last;
  constexpr bool operator==(const GpuRange&) const = default;

  // Pre: size != 0 and first + size - 1 does not wrap.
  static constexpr GpuRange of_size(GpuVa first, std::uint64_t size) {
    return {first, {first.value + (size - 1)}};
  }
  // In bytes. Wraps to 0 for the whole 64-bit space, which no Mali address space reaches.
  constexpr std::uint64_t size() const { return last.value - first.value + 1; }
  constexpr bool contains(GpuVa va) const { return first <= va && va <= last; }
  constexpr bool contains(GpuRange other) const {
    return first <= other.first && other.last <= last;
  }
  constexpr bool intersects(GpuRange other) const {
    return first <= other.last && other.first <= last;
  }
};

// A contiguous piece of DRAM. `size` in bytes.
struct PhysExtent {
  PhysAddr start;
  std::uint64_t size = 0;
  constexpr bool operator==(const PhysExtent&) const = default;
};

// Nanoseconds, signed so that subtraction is safe.
struct Duration {
  std::int64_t ns = 0;
  constexpr auto operator<=>(const Duration&) const = default;
  constexpr Duration operator+(Duration other) const { return {ns + other.ns}; }
  constexpr Duration operator-(Duration other) const { return {ns - other.ns}; }
  constexpr Duration operator*(std::int64_t factor) const { return {ns * factor}; }
};
constexpr Duration nanoseconds(std::int64_t n) { return {n}; }
constexpr Duration microseconds(std::int64_t n) { return {n * 1'000}; }
constexpr Duration milliseconds(std::int64_t n) { return {n * 1'000'000}; }
constexpr Duration seconds(std::int64_t n) { return {n * 1'000'000'000}; }

// A point on the clock of the executor in use: CLOCK_MONOTONIC on real threads, virtual time under
// simulation.
struct TimePoint {
  std::int64_t ns = 0;
  constexpr auto operator<=>(const TimePoint&) const = default;
  constexpr TimePoint operator+(Duration d) const { return {ns + d.ns}; }
  constexpr Duration operator-(TimePoint other) const { return {ns - other.ns}; }
  static constexpr TimePoint never() { return {INT64_MAX}; }
};

}  // namespace pantry
