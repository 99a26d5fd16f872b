// SPDX-License-Identifier: MIT
//
// The registers of the device by offset. Each is a constant, plain storage, or handled by the block
// it belongs to; the access kind is the datasheet's. What no block declared reads 0, ignores writes
// and is logged as a gap, once per offset; an access that the datasheet forbids (writing RO,
// reading WO) is the driver's mistake and is logged once per register.
//
// Declaring allocates and happens while the device is built; accesses allocate nothing but log
// lines. Called with the device's lock held.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "gpu_emu/datasheet/register.h"

namespace pantry::emu {

// A block with behaviour. `offset` is from the start of the aperture, and one of those that were
// declared for it. Only accesses that the register's access kind allows arrive.
class RegisterHandler {
 public:
  virtual std::uint32_t read_register(std::uint32_t offset) = 0;
  virtual void write_register(std::uint32_t offset, std::uint32_t value) = 0;

 protected:
  ~RegisterHandler() = default;
};

class RegisterFile {
 public:
  RegisterFile();

  // Each offset is declared once. `reg.offset` is from the start of the aperture.
  void declare_constant(datasheet::Register reg, std::uint64_t value);
  // Storage without a meaning for the device. A write-one-to-clear register clears its own bits.
  void declare_plain(datasheet::Register reg, std::uint64_t reset_value);
  void declare_handled(datasheet::Register reg, RegisterHandler& handler);

  std::uint32_t read(std::uint32_t offset);
  void write(std::uint32_t offset, std::uint32_t value);

  // What a plain register or constant holds, whatever its access kind. Both halves of a 64-bit one.
  std::uint64_t value_of(datasheet::Register reg) const;
  // Device reset: every plain register goes back to its reset value.
  void reset_plain();

  // How many distinct offsets were accessed that nobody declared, and how many registers were
  // accessed against their kind.
  struct Misses {
    std::uint32_t unknown = 0;
    std::uint32_t forbidden = 0;
    bool operator==(const Misses&) const = default;
  };
  Misses misses() const { return misses_; }

 private:
  static constexpr std::uint32_t kSlotsPerPage = 1024;
  static constexpr std::uint32_t kPages = datasheet::kApertureBytes / (4 * kSlotsPerPage);

  enum class Kind : std::uint8_t { kUnknown, kConstant, kPlain, kHandled };
  struct Slot {
    RegisterHandler* handler = nullptr;
    const char* name = nullptr;
    std::uint32_t value = 0;
    std::uint32_t reset_value = 0;
    Kind kind = Kind::kUnknown;
    datasheet::RegisterAccess access = datasheet::RegisterAccess::kReadOnly;
    bool logged = false;
  };
  using Page = std::array<Slot, kSlotsPerPage>;

  void declare(datasheet::Register reg, Kind kind, RegisterHandler* handler, std::uint64_t value);
  Slot* find(std::uint32_t offset) const;
  void log_unknown(std::uint32_t offset, const char* verb);
  void log_forbidden(Slot& slot, std::uint32_t offset, const char* verb);

  std::array<std::unique_ptr<Page>, kPages> pages_;
  std::vector<bool>
      unknown_logged_;  // by offset / 4; the last one stands for everything outside the aperture
  Misses misses_;
};

// `reg`, declared relative to a block, in the block at `base`.
constexpr datasheet::Register at_base(datasheet::Register reg, std::uint32_t base) {
  return {reg.offset + base, reg.access, reg.bytes, reg.name};
}

}  // namespace pantry::emu
