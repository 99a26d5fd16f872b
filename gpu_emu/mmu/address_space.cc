// SPDX-License-Identifier: MIT
#include "gpu_emu/mmu/address_space.h"

#include <utility>

#include "base/check.h"
#include "gpu_emu/datasheet/lock_region.h"

namespace pantry::emu {
namespace {

namespace regs = datasheet::address_space;

constexpr std::uint32_t half(std::uint64_t word, std::uint32_t which) {
  return static_cast<std::uint32_t>(word >> (32 * which));
}

// Replaces the low (0) or high (1) half of `word`.
constexpr void set_half(std::uint64_t& word, std::uint32_t which, std::uint32_t value) {
  const std::uint64_t mask = std::uint64_t{0xffff'ffff} << (32 * which);
  word = (word & ~mask) | std::uint64_t{value} << (32 * which);
}

// 64-bit registers start at multiples of 8: 0x10 is the LO and 0x14 the HI half of the one at 0x10.
constexpr std::uint32_t whole(std::uint32_t offset) { return offset & ~std::uint32_t{4}; }
constexpr std::uint32_t which_half(std::uint32_t offset) { return offset >> 2 & 1; }

}  // namespace

std::uint32_t AddressSpace::read(std::uint32_t offset) const {
  if (offset == regs::kFaultStatus) return fault_status_;
  if (offset == regs::kStatus) return regs::Status::Active::of(in_progress_.has_value());
  const std::uint32_t which = which_half(offset);
  switch (whole(offset)) {
    case regs::kTranstab.offset:
      return half(written_.transtab, which);
    case regs::kMemattr.offset:
      return half(written_.memattr, which);
    case regs::kTranscfg.offset:
      return half(written_.transcfg, which);
    case regs::kLockaddr.offset:
      return half(lockaddr_, which);
    case regs::kFaultAddress.offset:
      return half(fault_address_.value, which);
    default:
      return 0;
  }
}

void AddressSpace::write(std::uint32_t offset, std::uint32_t value) {
  const std::uint32_t which = which_half(offset);
  switch (whole(offset)) {
    case regs::kTranstab.offset:
      return set_half(written_.transtab, which, value);
    case regs::kMemattr.offset:
      return set_half(written_.memattr, which, value);
    case regs::kTranscfg.offset:
      return set_half(written_.transcfg, which, value);
    case regs::kLockaddr.offset:
      return set_half(lockaddr_, which, value);
    default:
      return;
  }
}

void AddressSpace::issue(Command command, TimePoint done) {
  PANTRY_CHECK(!in_progress_);
  in_progress_ = Issued{command, written_, datasheet::lock_region::decode(lockaddr_), done};
}

AddressSpace::Issued AddressSpace::finish() {
  PANTRY_CHECK(in_progress_);
  const Issued issued = *in_progress_;
  in_progress_.reset();
  return issued;
}

void AddressSpace::commit(const ConfigWords& words, const TranslationConfig& config) {
  committed_ = words;
  config_ = config;
  const bool unmapped = config.mode == TranslationConfig::Mode::kUnmapped;
  fault_ = unmapped && fault_ != Fault::kNone ? Fault::kAborting : Fault::kNone;
  refresh_open();
}

void AddressSpace::lock(GpuRange region) {
  locked_ = region;
  refresh_open();
}

void AddressSpace::unlock() {
  locked_.reset();
  refresh_open();
}

bool AddressSpace::latch_fault(std::uint32_t status, GpuVa address, WhenLatched when_latched) {
  if (fault_ == Fault::kUnanswered) {
    const bool same = fault_status_ == status && fault_address_ == address;
    if (same || when_latched == WhenLatched::kKeep) return false;
  }
  fault_ = Fault::kUnanswered;
  fault_status_ = status;
  fault_address_ = address;
  refresh_open();
  return true;
}

void AddressSpace::refresh_open() {
  const bool tables = config_.mode == TranslationConfig::Mode::kAarch64 ||
                      config_.mode == TranslationConfig::Mode::kLegacy;
  open_ = tables && !locked_ && fault_ == Fault::kNone;
}

AddressSpaceDump AddressSpace::dump(AsIndex as) const {
  return {as, committed_, written_, locked_, fault_, fault_status_, fault_address_};
}

}  // namespace pantry::emu
