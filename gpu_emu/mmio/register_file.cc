// SPDX-License-Identifier: MIT
#include "gpu_emu/mmio/register_file.h"

#include "base/check.h"
#include "base/log.h"

namespace pantry::emu {

using datasheet::kApertureBytes;
using datasheet::Register;
using datasheet::RegisterAccess;

RegisterFile::RegisterFile() : unknown_logged_(kApertureBytes / 4 + 1) {}

void RegisterFile::declare(Register reg, Kind kind, RegisterHandler* handler, std::uint64_t value) {
  PANTRY_CHECK(reg.offset % 4 == 0 && reg.offset + reg.bytes <= kApertureBytes);
  for (std::uint32_t half = 0; half < reg.bytes / 4u; ++half) {
    const std::uint32_t index = reg.offset / 4 + half;
    auto& page = pages_[index / kSlotsPerPage];
    if (!page) page = std::make_unique<Page>();
    Slot& slot = (*page)[index % kSlotsPerPage];
    PANTRY_CHECK(slot.kind == Kind::kUnknown);
    slot.handler = handler;
    slot.name = reg.name;
    slot.value = slot.reset_value = static_cast<std::uint32_t>(value >> (32 * half));
    slot.kind = kind;
    slot.access = reg.access;
  }
}

void RegisterFile::declare_constant(Register reg, std::uint64_t value) {
  declare(reg, Kind::kConstant, nullptr, value);
}

void RegisterFile::declare_plain(Register reg, std::uint64_t reset_value) {
  declare(reg, Kind::kPlain, nullptr, reset_value);
}

void RegisterFile::declare_handled(Register reg, RegisterHandler& handler) {
  declare(reg, Kind::kHandled, &handler, 0);
}

RegisterFile::Slot* RegisterFile::find(std::uint32_t offset) const {
  if (offset >= kApertureBytes || offset % 4 != 0) return nullptr;
  const std::uint32_t index = offset / 4;
  const auto& page = pages_[index / kSlotsPerPage];
  if (!page) return nullptr;
  Slot& slot = (*page)[index % kSlotsPerPage];
  return slot.kind == Kind::kUnknown ? nullptr : &slot;
}

std::uint32_t RegisterFile::read(std::uint32_t offset) {
  Slot* slot = find(offset);
  if (!slot) {
    log_unknown(offset, "read");
    return 0;
  }
  if (slot->access == RegisterAccess::kWriteOnly ||
      slot->access == RegisterAccess::kWriteOneToClear) {
    log_forbidden(*slot, offset, "read");
    return 0;
  }
  return slot->kind == Kind::kHandled ? slot->handler->read_register(offset) : slot->value;
}

void RegisterFile::write(std::uint32_t offset, std::uint32_t value) {
  Slot* slot = find(offset);
  if (!slot) {
    log_unknown(offset, "write");
    return;
  }
  if (slot->access == RegisterAccess::kReadOnly) {
    log_forbidden(*slot, offset, "write");
    return;
  }
  switch (slot->kind) {
    case Kind::kHandled:
      slot->handler->write_register(offset, value);
      break;
    case Kind::kPlain:
      slot->value = slot->access == RegisterAccess::kWriteOneToClear ? slot->value & ~value : value;
      break;
    case Kind::kConstant:
    case Kind::kUnknown:
      break;
  }
}

std::uint64_t RegisterFile::value_of(Register reg) const {
  std::uint64_t value = 0;
  for (std::uint32_t half = 0; half < reg.bytes / 4u; ++half) {
    const Slot* slot = find(reg.offset + 4 * half);
    PANTRY_CHECK(slot && slot->kind != Kind::kHandled);
    value |= std::uint64_t{slot->value} << (32 * half);
  }
  return value;
}

void RegisterFile::reset_plain() {
  for (const auto& page : pages_) {
    if (!page) continue;
    for (Slot& slot : *page) slot.value = slot.reset_value;
  }
}

void RegisterFile::log_unknown(std::uint32_t offset, const char* verb) {
  const std::uint32_t index = offset < kApertureBytes ? offset / 4 : kApertureBytes / 4;
  if (unknown_logged_[index]) return;
  unknown_logged_[index] = true;
  ++misses_.unknown;
  log_gap("gpu_emu/mmio", "{} of unknown register {:#x}: reads 0, ignores writes", verb, offset);
}

void RegisterFile::log_forbidden(Slot& slot, std::uint32_t offset, const char* verb) {
  if (slot.logged) return;
  slot.logged = true;
  ++misses_.forbidden;
  log_client("gpu_emu/mmio", "{} of {} at {:#x}, which the access kind forbids", verb, slot.name,
             offset);
}

}  // namespace pantry::emu
