// SPDX-License-Identifier: MIT
//
// What a register block says about one of its registers. It converts to its offset, so that
// `mmio.read32(gpu_control::kGpuId)` and `case gpu_control::kCommand:` read as they should; the
// rest serves register files, traces and decoders. Values only: no state, no lock, no allocation.
#pragma once

#include <cstdint>

namespace pantry::datasheet {

enum class RegisterAccess : std::uint8_t {
  kReadOnly,         // RO: writes are ignored
  kWriteOnly,        // WO: reads give 0
  kReadWrite,        // RW
  kWriteOneToClear,  // W1C: each 1 written clears a bit of the state it belongs to; reads give 0
};

struct Register {
  std::uint32_t offset = 0;
  RegisterAccess access = RegisterAccess::kReadOnly;
  std::uint8_t bytes = 4;  // 8: LO at `offset`, HI at `offset` + 4
  const char* name = "";

  constexpr operator std::uint32_t() const { return offset; }
};

// A register of 32 or 64 bits, by the abbreviations of a data sheet.
consteval Register ro32(std::uint32_t offset, const char* name) {
  return {offset, RegisterAccess::kReadOnly, 4, name};
}
consteval Register ro64(std::uint32_t offset, const char* name) {
  return {offset, RegisterAccess::kReadOnly, 8, name};
}
consteval Register wo32(std::uint32_t offset, const char* name) {
  return {offset, RegisterAccess::kWriteOnly, 4, name};
}
consteval Register wo64(std::uint32_t offset, const char* name) {
  return {offset, RegisterAccess::kWriteOnly, 8, name};
}
consteval Register rw32(std::uint32_t offset, const char* name) {
  return {offset, RegisterAccess::kReadWrite, 4, name};
}
consteval Register rw64(std::uint32_t offset, const char* name) {
  return {offset, RegisterAccess::kReadWrite, 8, name};
}
consteval Register w1c32(std::uint32_t offset, const char* name) {
  return {offset, RegisterAccess::kWriteOneToClear, 4, name};
}

// The size of the whole register aperture.
inline constexpr std::uint32_t kApertureBytes = 0x20'0000;

}  // namespace pantry::datasheet
